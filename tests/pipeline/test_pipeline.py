"""The whole pipeline, end to end on real data: figures, reruns, breaks, bad input and the report."""

import json
import os
import re
from html import unescape
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from snakemake.iocontainers import Params
from torch import nn

from diffeo_stability.figures import FIGURES
from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline.captions import as_html
from diffeo_stability.pipeline.claims import format_claims
from diffeo_stability.pipeline.config import parse_config
from diffeo_stability.pipeline.measuring import given_to
from diffeo_stability.pipeline.plan import Plan
from diffeo_stability.pipeline.tables import read_table, write_table

LABEL = "$1 *star* |bar| {{x}} 100%_ </script>"
TITLE = "{run} {x} <results> </script> $1 and 2_"
IMAGES = "{run} {x} <images>"
TABLE_COLUMNS = {
    "deformations": "cutoff, temperature, delta_formula, delta_exact, delta_measured",
    "stability": "net, seed, state, cutoff, delta, D, G, R, D_low, D_high, G_low, G_high, R_low, R_high, D_median, "
    "G_median, R_median, test_error, train_error, train_size",
    "stability_vs_error": "quantity, correlation, correlation_low, correlation_high, lead_of_R, a, b, networks, dataset, reason",
    "stability_vs_train_size": "net, seed, state, R, R_low, R_high, test_error, train_size",
    "noise_curves": "net, seed, state, perturbation, output, r, delta, distance, error, changed",
    "noise_bump_images": "net, seed, state, image, r, label, prediction, confidence, right",
    "interpolation_curves": "net, seed, state, perturbation, output, r, distance, error, changed",
    "activation_spectra": "net, seed, state, operation, operation_index, wavenumber, power, power_normalised",
    "first_layer_filters": "net, seed, state, channel, gabor_r2, frequency, orientation, bandwidth",
    "laplacian_spectra": "net, seed, layer, step, epoch, eigenvalue, multiplicity, c, ratio",
    "operation_stability": "net, seed, state, operation, operation_index, kind, D, G, R, D_low, D_high, G_low, G_high, R_low, "
    "R_high",
    "rotation_coupling": "net, seed, state, layer, channel_a, channel_b, rotation_similarity, coupling",
    "channel_shuffling": "net, seed, state, permutation, batch_norm, operation, operation_index, kind, D, G, R, D_low, D_high, "
    "G_low, G_high, R_low, R_high",
    "hidden_layer_pooling": "net, trained_part, seed, state, width, grid, D, G, R, R_low, R_high, test_error",
    "field_decomposition": "cutoff, temperature, patch_size, part, norm_formula, norm_measured, share",
    "neuron_stability": "net, seed, state, layer, transformation, patch_choice, alpha, low, high, neurons, left_out",
    "receptive_fields": "net, seed, state, layer, size, stride, centre_x, centre_y, effective_size, effective_x, effective_y",
    "stability_vs_displacement": "net, seed, state, cutoff, delta, temperature, r, D, G, R, D_low, D_high, G_low, G_high, R_low",
    "constant_filters": "filter_size, stride, length, rectified, layer_index, D, G, R",
    "stability_by_depth": "net, seed, state, variant, batch_norm, operation, operation_index, kind, depth, D, G, R, D_low",
    "scale_detection": "net, seed, state, train_size, operation, operation_index, kind, depth, D, G, R, test_error",
    "noise_training": "net, seed, state, noise, images, D, G, R, D_low, D_high, G_low, G_high, R_low, R_high, test_error",
}
SUMMARIES = {
    "stability_vs_train_size": "net, quantity, a, b, b_low, b_high, sizes, seeds",
    "noise_curves": "net, seed, state, perturbation, output, exponent, linear_until, bump, bump_r, bump_r_low, bump_r_high",
    "activation_spectra": "net, seed, state, operation, mean_wavenumber, mean_wavenumber_low, mean_wavenumber_high",
    "first_layer_filters": "net, seed, train_size, p_value, p_value_mixture",
    "operation_stability": "net, seed, state, batch_norm, kind, quantity, ratio, ratio_low, ratio_high, operations, lowered",
    "rotation_coupling": "net, seed, state, rotations, correlation, p_value, partial_correlation, partial_p_value",
    "channel_shuffling": "net, seed, batch_norm, init_batch_norm, quantity, operation, kind, gain, gain_low, gain_high, share, "
    "share_low, share_high",
    "hidden_layer_pooling": "net, trained_part, seed, state, width, basis, energy",
    "neuron_stability": "net, seed, state, layer, transformation, patch_choice, ratio_to_translation, ratio_low, ratio_high",
    "receptive_fields": "net, seed, state, layer, transformation, distance, alpha, low, high",
    "scale_detection": "net, seed, train_size, layer, filter_size, eigenvalue, multiplicity, c, ratio, ratio_low, ratio_high",
}


def test_every_figure_and_table_is_made(finished_project):
    for stem in FIGURES:
        figure = finished_project.folder / "figures" / "smoke" / stem
        with Image.open(figure.with_suffix(".png")) as image:
            pixels = np.asarray(image.convert("L"))
            assert image.size[0] > 900 and pixels.std() > 5
            # Nothing is cut off at the edge of the page
            edge = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
            assert (edge == 255).all(), stem
            provenance = json.loads(image.info["Description"])
        assert provenance["stem"] == stem and provenance["run"] == "smoke" and len(provenance["config"]) == 64
        assert f"results/smoke/tables/{stem}.csv" in provenance["tables"] or stem == "stability_vs_train_size"
        pdf = figure.with_suffix(".pdf").read_bytes()
        assert b"/FontFile2" in pdf and b"/CreationDate" not in pdf
        table = pd.read_csv(finished_project.folder / "results" / "smoke" / "tables" / f"{stem}.csv")
        assert set(TABLE_COLUMNS[stem].split(", ")) <= set(table.columns) and len(table) > 0
    for stem, columns in SUMMARIES.items():
        summary = pd.read_csv(finished_project.folder / "results" / "smoke" / "tables" / f"{stem}_summary.csv")
        assert set(columns.split(", ")) <= set(summary.columns) and len(summary) > 0


def test_tables_hold_what_the_run_asked_for(finished_project):
    tables = finished_project.folder / "results" / "smoke" / "tables"
    stability = pd.read_csv(tables / "stability.csv")
    assert stability[stability.batch_norm == "estimated"][["net", "state"]].values.tolist() == [["vgg11_bn", "init"]]
    assert sorted(map(tuple, as_shown(stability)[["net", "state"]].values)) == [
        (net, state)
        for net in ("fully_connected_2", "lenet", "one_hidden_layer_cnn", "vgg11_bn")
        for state in ("init", "trained")
    ]
    for symbol in "DGR":
        assert (stability[f"{symbol}_low"] < stability[symbol]).all()
        assert (stability[symbol] < stability[f"{symbol}_high"]).all()
    np.testing.assert_allclose(stability.R, stability.D / stability.G)
    trained, init = (stability[stability.state == state].test_error for state in ("trained", "init"))
    assert trained.min() < 0.5 < init.min()
    sizes = pd.read_csv(tables / "stability_vs_train_size.csv")
    assert sorted(sizes.train_size.unique()) == [100, 400] and set(sizes.net) == {"lenet"}
    history = pd.read_csv(finished_project.folder / "results/smoke/networks/lenet/seed0/history.csv")
    assert list(history) == ["epoch", "train_loss", "train_error", "validation_error"]
    assert history.epoch.tolist() == [0, 1, 2]


VERDICTS = "figures/smoke is up to date. What the sources claim, and what this run says:\n"


def test_a_second_run_has_nothing_to_do_but_to_say_what_the_run_shows(finished_project):
    claims = format_claims(read_table(finished_project.folder / "results/smoke/tables/claims.csv"))
    for arguments in ((), ("-n",), ("report", "crate")):
        done = finished_project.snakemake(*arguments)
        assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr
        assert done.stdout.endswith(f"{VERDICTS}{claims}\n") == (arguments == ())


def jobs_of(done):
    """Rules that a dry run would run, with how often."""
    rows = re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in rows if rule not in ("total", "all")}


def test_editing_a_notebook_reruns_that_figure_alone(finished_copy):
    notebook = finished_copy.folder / "workflow" / "notebooks" / "stability.py"
    notebook.write_text(notebook.read_text().replace("markersize=4,", "markersize=5,"))
    before = finished_copy.made()
    assert jobs_of(finished_copy.snakemake("-n", "--quiet", "rules")) == {"draw_stability": 1}
    done = finished_copy.snakemake()
    assert done.returncode == 0 and VERDICTS in done.stdout
    after = finished_copy.made()
    changed = {name for name in before if before[name] != after[name] and ".provenance" not in name}
    assert changed == {
        "figures/smoke/stability.pdf",
        "figures/smoke/stability.png",
        "results/smoke/notebooks/stability.html",
    }


def test_changing_one_networks_recipe_retrains_that_network_alone(finished_copy):
    config = finished_copy.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text().replace("training: {epochs: 3}", "training: {epochs: 1}"))
    jobs = jobs_of(finished_copy.snakemake("-n", "--quiet", "rules"))
    assert jobs["train_network"] == 1 and jobs["measure_stability"] == 1 and "measure_deformations" not in jobs


def test_calling_the_images_something_else_redraws_the_figures_alone(finished_copy):
    config = finished_copy.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text().replace("  source: mnist5k\n", "  source: mnist5k\n  title: Digits\n"))
    jobs = jobs_of(finished_copy.snakemake("-n", "--quiet", "rules"))
    of_images = {stem for stem, figure in FIGURES.items() if figure.reads or figure.tables} - {"scale_detection"}
    assert jobs == {f"draw_{stem}": 1 for stem in of_images} | {"write_captions": 1}


BATCHED = {
    "lenet": ("stability", "noise_curves", "activation_spectra", "neuron_stability", "receptive_fields"),
    "vgg11_bn": ("stability", "operation_stability"),
}


def test_the_batch_size_changes_no_number(finished_project, tmp_path):
    """But for the last digits of single precision, in which a forward pass sums in another order.

    Sums have hundreds of terms, and outputs that differ by a hundredth are subtracted from each other.
    """
    raw = yaml.safe_load((finished_project.folder / "config" / "smoke.yaml").read_text())
    assert raw["probe"]["batch_size"] == 50
    raw["probe"]["batch_size"] = 500
    plan = Plan(parse_config(raw))
    for net, stems in BATCHED.items():
        folder = finished_project.folder / "results" / "smoke" / "networks" / net / "seed0"
        files = {"dataset": finished_project.folder / plan.dataset, "checkpoints": folder / "checkpoints"}
        for stem in stems:
            params = Params(fromdict={**plan.settings_of(stem), "stem": stem, "device": "cpu"})
            # As Snakemake's job measures, but that each job would import torch
            given = given_to(SimpleNamespace(input=files, params=params, threads=1))
            write_table(FIGURES[stem].measure(given).table, again := tmp_path / f"{net}-{stem}.csv")
            after, before = read_table(again), read_table(folder / f"{stem}.csv")
            pd.testing.assert_frame_equal(after, before, rtol=100 * 100 * np.finfo(np.float32).eps, obj=stem)


def test_a_wrong_configuration_ends_before_any_job(project):
    config = project.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text().replace("epochs: 2", "epochs: -2", 1).replace("cutoff: 3", "cutof: 3", 1))
    done = project.snakemake()
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("config: ")]
    assert len(lines) == 2 and "training.epochs is -2" in lines[0] and "did you mean cutoff?" in lines[1]
    assert "Traceback" not in done.stdout + done.stderr
    assert not (project.folder / "results").exists() and not (project.folder / "data").exists()


def test_code_in_a_configuration_is_not_run(project):
    trace = project.folder / "trace"
    config = project.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text().replace("run: smoke", f'run: !!python/object/apply:os.mkdir ["{trace}"]'))
    done = project.snakemake()
    assert done.returncode != 0 and "Config file is not valid JSON or YAML" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr and not trace.exists()


def test_data_that_cannot_be_had_end_in_one_line(project):
    config = project.folder / "config" / "smoke.yaml"
    text = config.read_text().replace("source: mnist5k", "source: mnist\n  mirror: http://127.0.0.1:9")
    config.write_text(text)
    done = project.snakemake("results/smoke/tables/stability.csv")
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode != 0 and len(lines) == 1
    assert "mnist could not be downloaded" in lines[0] and "data/mnist/download by hand" in lines[0]
    again = f"1 job went wrong:\n  Data: fetch mnist: {lines[0].removeprefix('error: ')}\n"
    assert again in done.stderr.partition(lines[0])[2]
    assert "Traceback" not in done.stdout + done.stderr
    assert not [path for path in project.folder.glob("data/**/*") if path.is_file()]


def test_a_diverging_training_ends_in_one_line_and_leaves_nothing(finished_copy):
    config = finished_copy.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text().replace("learning_rate: 0.002", "learning_rate: 1.0e+30"))
    done = finished_copy.snakemake("results/smoke/networks/lenet/seed0/history.csv")
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode != 0 and len(lines) == 1 and "lower training.learning_rate" in lines[0]
    folder = finished_copy.folder / "results" / "smoke" / "networks" / "lenet" / "seed0"
    assert not (folder / "checkpoints").exists() and not (folder / "history.csv").exists()


def block_of(text, language):
    """The code block of a language in the README's section on what is one's own."""
    section = text.partition("## Your own images and networks")[2].partition("\n## ")[0]
    (block,) = re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)
    return block


MORE = """
noise_curves: {networks: ["007", perceptron], smallest_norm: 0.5, largest_norm: 20.0, norms: 4}
noise_bump_images: {network: "007", images: 1}
"""


def bring_along(folder, readme):
    """Put what the README's example needs into a folder: colour images of two classes, networks and weights."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 60), ("test", 40)):
        for category, hue in (("NA", 0), ("$18_", 2)):
            images = folder / IMAGES / part / category
            images.mkdir(parents=True)
            for k in range(count):
                pixels = rng.integers(0, 120, (36, 32, 3), dtype=np.uint8)
                pixels[..., hue] += 100
                Image.fromarray(pixels).save(images / f"{k}.png")
    (folder / "my_networks.py").write_text(block_of(readme, "python"))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 28 * 28, 64), nn.ReLU(), nn.Linear(64, 2))
    torch.save(network.state_dict(), folder / "my_perceptron.pt")
    return network.state_dict()


def test_the_readmes_example_runs_on_what_is_ones_own(root, project):
    """Its configuration with two more figures and names of any kind: names are text, whatever they are."""
    readme = (root / "README.md").read_text()
    brought = bring_along(project.folder, readme)
    assert block_of(readme, "sh").strip() == "PYTHONPATH=. snakemake --configfile config/mine.yaml"
    text = block_of(readme, "yaml").replace("title: My images", f'title: "{TITLE}"')
    text = text.replace("path: my_images", f'path: "{IMAGES}"')
    renamed = f'  "007": {{architecture: lenet, color: wine, label: "{LABEL}"}}'
    named = text.replace("  lenet: {architecture: lenet}", renamed)
    assert named != text and TITLE in named and IMAGES in named
    config = project.folder / "config" / "mine.yaml"
    config.write_text(named + MORE)

    def run(*arguments):
        path = os.pathsep.join((".", os.environ.get("PYTHONPATH", "")))
        return project.snakemake(*arguments, config="config/mine.yaml", env=os.environ | {"PYTHONPATH": path})

    done = run("all", "page")
    assert done.returncode == 0, done.stdout + done.stderr
    results, figures = (project.folder / part / "mine" for part in ("results", "figures"))
    assert all((figures / f"{stem}.pdf").exists() for stem in ("stability", "noise_bump_images"))
    stability = read_table(results / "tables" / "stability.csv")
    assert stability.groupby("net").state.apply(list).to_dict() == {
        net: ["init", "trained"] for net in ("perceptron", "my_perceptron", "007")
    }
    assert stability.test_error.iloc[-1] < 0.2
    assert set(read_table(results / "tables" / "noise_bump_images.csv").label) <= {"NA", "$18_"}
    kept = load_file(results / "networks" / "my_perceptron" / "seed0" / "checkpoints" / "epoch0001.safetensors")
    assert kept.keys() == brought.keys() and all(torch.equal(kept[name], brought[name]) for name in brought)
    _, html = as_html((results / "captions" / "stability.rst").read_text(), "stability.rst")
    assert f"in {LABEL}" in unescape(html)
    report = run("--report", "report.html")
    assert report.returncode == 0, report.stderr
    assert "</script> $1" not in (project.folder / "report.html").read_text()
    config.write_text(config.read_text().replace(f'label: "{LABEL}"', "label: other"))
    drawn = ("stability", "noise_curves", "noise_bump_images")
    redrawn = {f"draw_{stem}": 1 for stem in drawn} | {"write_captions": 1, "evaluate_claims": 1}
    networks = project.folder / "my_networks.py"
    networks.write_text(networks.read_text() + "\n# edited\n")
    assert jobs_of(run("-n", "--quiet", "rules")) == redrawn
    networks.write_text(networks.read_text().replace("64", "65"))
    planned = jobs_of(run("-n", "--quiet", "rules"))
    assert (planned["train_network"], planned["import_network"]) == (1, 1)
    (project.folder / IMAGES / "train" / "NA" / "0.png").unlink()
    assert jobs_of(run("-n", "--quiet", "rules"))["fetch_dataset"] == 1


def test_snakemakes_own_report_loads_nothing_from_elsewhere(finished_project, tmp_path):
    page = tmp_path / "report.html"
    done = finished_project.snakemake("--report", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=\"https?://", text)
    assert all(f"{stem}.png" in text for stem in FIGURES)
