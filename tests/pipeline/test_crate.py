"""The RO-Crate of a finished run: what is in it, what refers to what, and what tools need to read it as a workflow run."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rocrate.rocrate import ROCrate
from safetensors.numpy import save_file

from diffeo_stability.data.files import METADATA, sha256_of
from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline.crate import PROFILES, pack_crate
from diffeo_stability.pipeline.records import code_state, hashes_of, write_records

CONFIG = {"run": "mine", "dataset": {"source": "arrays", "title": "My images"}}
WRITTEN = {"config.yaml", "README.md"}  # by the crate itself
DATA = "data/mine/images.safetensors"
WEIGHTS = "mine.pt"
TABLE = "results/mine/tables/stem.csv"
FIGURE = "figures/mine/stem.png"
RESULTS = [TABLE, FIGURE, "results/mine/captions/stem.rst"]
WORKFLOW = ["Snakefile", "workflow/rules/stem.smk", "workflow/notebooks/stem.py"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of one figure, drawn from one table, which was measured on a data set."""
    monkeypatch.chdir(tmp_path)
    for path in (DATA, WEIGHTS, *RESULTS, *WORKFLOW):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    save_file({"images": np.zeros(1)}, DATA, {METADATA: json.dumps({"sha256": "0" * 64})})
    for path, rule, inputs in ((DATA, "fetch_dataset", []), (TABLE, "measure_stem", [DATA, WEIGHTS])):
        write_records([path], rule=rule, inputs=hashes_of(inputs), params={}, config=CONFIG)
    carried = PngInfo()
    record = {"stem": "stem", "run": "mine", "config": "0" * 64, **code_state(), "tables": hashes_of([TABLE])}
    carried.add_text("Description", json.dumps(record))
    Image.new("RGB", (2, 2)).save(FIGURE, pnginfo=carried, dpi=(300, 300))
    return tmp_path


def pack(name="crate.zip"):
    pack_crate(name, RESULTS, workflow=WORKFLOW, stems=["stem"], config=CONFIG)
    return ROCrate(name)


def test_tools_read_it_as_the_run_of_a_snakemake_workflow(run):
    """What https://w3id.org/ro/wfrun/workflow/0.5 and the profiles that it builds on ask for."""
    crate = pack()
    root, workflow = crate.root_dataset, crate.mainEntity
    assert {profile.id for profile in root["conformsTo"]} == set(PROFILES)
    assert all(profile.type == "CreativeWork" and profile["version"] in profile.id for profile in root["conformsTo"])
    assert "https://w3id.org/ro/crate/1.1" in crate.metadata["conformsTo"]
    assert root["license"]["name"] and workflow["license"] == root["license"] and root["datePublished"]
    assert workflow.id == "Snakefile"
    assert workflow.type == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    assert workflow["programmingLanguage"].type == "ComputerLanguage"
    assert workflow["programmingLanguage"]["name"] == "Snakemake" and workflow["programmingLanguage"]["version"]
    assert workflow["name"] and workflow["version"]
    assert [part.id for part in workflow["hasPart"]] == WORKFLOW[1:]
    action = root["mentions"]
    assert action.type == "CreateAction" and action["instrument"] == workflow and action["name"]
    assert [entity.id for entity in action["result"]] == RESULTS
    settings, data, weights = action["object"]
    assert settings.id == "config.yaml" and settings.type == "File"
    assert weights["name"] == WEIGHTS and weights["sha256"] == sha256_of(run / WEIGHTS)
    assert data.type == "CreativeWork" and data["name"] == "My images" and data["sha256"] == sha256_of(run / DATA)
    assert DATA in data["description"]
    assert crate.dereference("README.md")["about"] == root


def test_every_reference_leads_to_something(run):
    pack()
    with zipfile.ZipFile("crate.zip") as archive:
        graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
    names = [entity["@id"] for entity in graph]
    assert len(names) == len(set(names))
    own = ("name", "url", "identifier", "conformsTo")  # may lead to the web
    references = [
        reference["@id"]
        for entity in graph
        for key, value in entity.items()
        if key not in own
        for reference in (value if isinstance(value, list) else [value])
        if isinstance(reference, dict)
    ]
    assert set(references) <= set(names) and references


def test_the_same_run_gives_the_same_bytes(run):
    pack("first.zip")
    pack("second.zip")
    assert (run / "first.zip").read_bytes() == (run / "second.zip").read_bytes()


def test_data_that_are_gone_are_still_named_by_what_was_used(run):
    used = sha256_of(run / DATA)
    (run / DATA).unlink()
    assert pack().dereference("#run")["object"][1]["sha256"] == used


def test_a_network_may_be_called_dataset(run):
    networks = {"dataset": {"architecture": "lenet"}}
    pack_crate("crate.zip", RESULTS, workflow=WORKFLOW, stems=["stem"], config={**CONFIG, "networks": networks})
    assert "My images" in ROCrate("crate.zip").root_dataset["description"]


@pytest.fixture(scope="module")
def crate(finished_project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crate")
    with zipfile.ZipFile(finished_project.folder / "results" / "smoke" / "rocrate.zip") as archive:
        archive.extractall(folder)
    return folder


def test_every_file_of_the_crate_is_described_and_the_one_of_the_run(crate, finished_project):
    read = ROCrate(crate)
    files = {entity.id for entity in read.get_by_type("File")}
    on_disk = {path.relative_to(crate).as_posix() for path in crate.rglob("*") if path.is_file()}
    assert on_disk == files | {"ro-crate-metadata.json"}
    assert {f"figures/smoke/{stem}.{kind}" for stem in FIGURES for kind in ("pdf", "png")} <= files
    assert {f"results/smoke/captions/{stem}.rst" for stem in FIGURES} <= files
    assert {f"workflow/notebooks/{stem}.py" for stem in FIGURES} <= files
    assert {"results/smoke/tables/claims.csv", "results/smoke/report.html", "Snakefile", *WRITTEN} <= files
    for name in files - WRITTEN:
        assert sha256_of(crate / name) == sha256_of(finished_project.folder / name)
    for entity in read.get_by_type("File"):
        assert entity["sha256"] == sha256_of(crate / entity.id)


def test_figures_refer_to_their_tables_and_the_run_to_its_configuration_and_data(crate, finished_project):
    read = ROCrate(crate)
    figure = read.dereference("figures/smoke/noise_curves.pdf")
    assert {table.id for table in figure["isBasedOn"]} == {
        "results/smoke/tables/noise_curves.csv",
        "results/smoke/tables/noise_curves_summary.csv",
    }
    assert "measure_noise_curves" in figure["description"] and "data sha256" in figure["description"]
    run = read.dereference("#run")
    settings, *given = run["object"]
    (data,) = [one for one in given if "mnist5k" in one.id]
    (pairs,) = [one for one in given if "two_points" in one.id]
    assert "source two_points" in pairs["description"] and "source mnist5k" in data["description"]
    assert settings.id == "config.yaml" and len(run["result"]) > 2 * len(FIGURES)
    assert data["sha256"] == sha256_of(finished_project.folder / "data" / "mnist5k" / "images.safetensors")
    assert run["instrument"]["version"] and any("torch" in one for one in run["instrument"]["softwareRequirements"])


def test_the_workflow_holds_every_file_that_its_rules_include(crate):
    text = (crate / "Snakefile").read_text()
    included = [line.split('"')[1] for line in text.splitlines() if line.startswith("include:")]
    assert included and all((crate / path).is_file() for path in included)
