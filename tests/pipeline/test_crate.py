"""The RO-Crate of a finished run: what is in it, and what refers to what."""

import json
import zipfile

import pytest
from rocrate.rocrate import ROCrate

from diffeo_stability.data.files import sha256_of
from diffeo_stability.figures import FIGURES


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
    assert {"config.yaml", "results/smoke/tables/claims.csv", "results/smoke/report.html"} <= files
    for name in files - {"config.yaml"}:
        assert sha256_of(crate / name) == sha256_of(finished_project.folder / name)
    for entity in read.get_by_type("File"):
        assert entity["sha256"] == sha256_of(crate / entity.id)


def test_figures_refer_to_their_tables_and_the_run_to_its_configuration(crate):
    read = ROCrate(crate)
    figure = read.dereference("figures/smoke/noise_curves.pdf")
    assert {table.id for table in figure["isBasedOn"]} == {
        "results/smoke/tables/noise_curves.csv",
        "results/smoke/tables/noise_curves_summary.csv",
    }
    assert "measure_noise_curves" in figure["description"] and "data sha256" in figure["description"]
    run = read.dereference("#run")
    assert run.type == "CreateAction" and run["object"].id == "config.yaml" and len(run["result"]) > 2 * len(FIGURES)
    assert run["instrument"]["version"] and any("torch" in one for one in run["instrument"]["softwareRequirements"])


def test_metadata_are_those_of_the_format(crate):
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    descriptor = next(entity for entity in graph if entity["@id"] == "ro-crate-metadata.json")
    assert descriptor["about"] == {"@id": "./"} and descriptor["conformsTo"]["@id"].startswith(
        "https://w3id.org/ro/crate/"
    )
    top = next(entity for entity in graph if entity["@id"] == "./")
    assert {"name", "description", "datePublished", "license", "hasPart"} <= top.keys()
