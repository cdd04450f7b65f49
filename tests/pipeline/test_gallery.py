"""The gallery: what a run puts into it is small, and still says where it comes from."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from io import BytesIO

import numpy as np
import pandas as pd
import yaml
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from diffeo_stability.pipeline.carried import read_carried
from diffeo_stability.pipeline.config import parse_config


def put_into_gallery(root, project, *arguments):
    command = [sys.executable, root / "workflow" / "gallery.py", *arguments]
    return subprocess.run(command, cwd=project.folder, capture_output=True, text=True)


def test_a_run_goes_into_the_gallery_small_and_with_its_origin(root, finished_copy):
    gallery = finished_copy.folder / "figures" / "reference" / "smoke"
    gallery.mkdir(parents=True)
    (gallery / "about.md").write_text("# By hand\n")
    (gallery / "no_such_figure.png").touch()
    done = put_into_gallery(root, finished_copy, "smoke")
    assert done.returncode == 0, done.stderr
    figures = {path.name: path for path in (finished_copy.folder / "figures" / "smoke").glob("*.png")}
    assert {path.name for path in gallery.glob("*.png")} == set(figures)
    for name, figure in figures.items():
        with Image.open(figure) as drawn, Image.open(gallery / name) as small:
            assert small.size == drawn.size and small.mode == "P" and (gallery / name).stat().st_size < 200_000
        small, drawn = read_carried(gallery / name), read_carried(figure)
        assert small.intact and drawn.intact and small.record.tables == drawn.record.tables
    tables = finished_copy.folder / "results" / "smoke" / "tables"
    for table in tables.glob("*.csv"):
        assert (gallery / table.name).exists() == (table.stat().st_size <= 300_000)
    assert len(pd.read_csv(gallery / "claims.csv")) > 20
    settings = yaml.safe_load((finished_copy.folder / "config" / "smoke.yaml").read_text())
    assert parse_config(yaml.safe_load((gallery / "config.yaml").read_text())) == parse_config(settings)
    provenance = (gallery / "provenance.txt").read_text()
    assert "data sha256" in provenance and "network lenet (lenet), seed 0" in provenance
    readme = (gallery / "README.md").read_text()
    assert (
        readme.startswith("# By hand\n")
        and re.search(r"^Made by commits? .*: \d+ jobs took \d+ minutes of one processor core\.$", readme, re.MULTILINE)
        and "not reproduced" in readme
        and "| [`stability`](stability.png) | At init $R_f$ is " in readme
    )
    assert (gallery / "about.md").read_text() == "# By hand\n"

    for place in ("logs/smoke", "logs/datasets"):
        shutil.rmtree(finished_copy.folder / place)
    before = {path.name: path.read_bytes() for path in gallery.iterdir()}
    done = put_into_gallery(root, finished_copy, "smoke")
    assert (done.returncode, done.stderr) == (
        1,
        "error: nothing of run smoke was run here: logs/smoke holds no *.benchmark.tsv\n",
    )
    assert {path.name: path.read_bytes() for path in gallery.iterdir()} == before


def test_without_a_crate_there_is_one_line(root, project):
    done = put_into_gallery(root, project, "smoke")
    assert done.returncode == 1 and done.stderr.startswith(
        "error: results/smoke/rocrate.zip does not exist: make it with"
    )
    assert len(done.stderr.splitlines()) == 1 and not (project.folder / "figures").exists()


def test_a_figure_of_photographs_is_scaled_down(root):
    smaller = runpy.run_path(str(root / "workflow" / "gallery.py"))["smaller"]
    noise = np.random.default_rng(0).integers(256, size=(600, 600, 3), dtype=np.uint8)
    drawn, carried = BytesIO(), PngInfo()
    carried.add_text("Description", '{"stem": "photographs"}')
    Image.fromarray(noise).save(drawn, "png", pnginfo=carried, dpi=(300, 300))
    small = smaller(drawn.getvalue())
    with Image.open(BytesIO(small)) as image:
        assert len(small) < 200_000 and 300 < image.size[0] == image.size[1] < 600
        assert json.loads(image.text["Description"])["stem"] == "photographs"
