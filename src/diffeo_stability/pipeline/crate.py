"""A run as a research object: its results, its workflow and metadata that tools read as a workflow run, in one archive.

Format: RO-Crate 1.1, https://w3id.org/ro/crate/1.1, with the profiles below; they go together in these versions.
"""

import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rocrate.model import ContextEntity
from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from .. import __version__
from ..data.files import atomic_path, sha256_of
from ..figures import FIGURES
from ..figures.words import verbatim
from .provenance import DATASET, Origin, as_tree, trace
from .records import code_state, commit_time, config_hash, software_versions

VERSION = "1.1"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"  # has sha256, which the format itself has not
LICENSE = ("https://spdx.org/licenses/MIT", "MIT License")
UNDATED = "1980-01-01T00:00:00+00:00"  # the format wants a date; outside git there is none that two runs would share
FORMATS = {
    "": "text/plain",
    ".smk": "text/plain",
    ".py": "text/x-python",
    ".rst": "text/x-rst",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".html": "text/html",
    ".yaml": "application/yaml",
}
README = """\
# diffeo-stability: run {run}

A finished run of the Snakemake workflow in `Snakefile`, on {images}. `ro-crate-metadata.json` describes every file.

- `results/{run}/report.html`: claims, networks, and every figure with its caption and where it comes from
- `figures/{run}`: the figures
- `results/{run}/tables`, `results/{run}/captions`: the numbers that they are drawn from, and the captions
- `config.yaml`: the configuration. In a checkout of diffeo-stability (commit {commit}) with this file in it,
  `{command}` makes the run again.
"""


def pack_crate(
    archive: str | Path,
    files: Iterable[str | Path],
    *,
    workflow: Iterable[str | Path],
    stems: list[str],
    config: dict[str, Any],
) -> None:
    """Write the files of a run, its workflow and configuration, and their metadata as a zip archive; same files, same bytes.

    Args:
        archive: where to.
        files: results, by their paths from the project's folder, which they keep.
        workflow: files of the workflow, likewise; the Snakefile first.
        stems: figures of the run; each figure file refers to the tables that it was drawn from.
        config: the run's configuration.
    """
    crate = ROCrate(version=VERSION)
    _describe_crate(crate, stems, config)
    command = "snakemake --configfile config.yaml"
    with TemporaryDirectory() as folder:
        written = {
            "config.yaml": yaml.safe_dump(config, sort_keys=False),
            "README.md": README.format(
                run=config["run"], images=verbatim(_images(config)), commit=_commit(), command=command
            ),
        }
        for name, text in written.items():
            Path(folder, name).write_text(text)
        settings, readme = (_add_file(crate, Path(folder, name), name) for name in written)
        settings["identifier"] = config_hash(config)
        readme["about"] = crate.root_dataset
        instrument = _add_workflow(crate, [str(path) for path in workflow])
        results, given = _add_results(crate, [str(path) for path in files])
        run = {
            "@type": "CreateAction",
            "name": f"run {config['run']}",
            "description": command,
            "instrument": instrument,
            "object": [settings, *_add_given(crate, given, config)],
            "result": results,
        }
        crate.root_dataset["mentions"] = crate.add(ContextEntity(crate, "#run", properties=run))
        crate.write(Path(folder, "crate"))
        _zip(Path(folder, "crate"), Path(archive))


def _images(config: Mapping[str, Any]) -> str:
    return _title(config["dataset"])


def _title(images: Mapping[str, Any]) -> str:
    return images.get("title") or images["source"]


def _data_set(path: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The block of the data set in a file: of one that a figure has for itself, or else the run's."""
    figures = (config.get(stem) or {} for stem in FIGURES)
    own = [block["dataset"] for block in figures if block.get("dataset")]
    folder = Path(path).parent.name
    return next((images for images in own if (images.get("name") or images["source"]) == folder), config["dataset"])


def _describe_crate(crate: ROCrate, stems: list[str], config: Mapping[str, Any]) -> None:
    """What the crate as a whole is, and the profiles that it follows."""
    crate.name = f"diffeo-stability: run {config['run']}"
    crate.description = (
        f"Figures, tables and claims of the run {config['run']} on {_images(config)}: {', '.join(stems)}"
    )
    crate.datePublished = commit_time() or UNDATED
    identifier, name = LICENSE
    crate.license = crate.add(
        ContextEntity(crate, identifier, properties={"@type": "CreativeWork", "name": name, "url": identifier})
    )
    crate.metadata.extra_contexts.append(TERMS)
    for identifier, name in PROFILES.items():
        number = identifier.rpartition("/")[2]
        described = {"@type": "CreativeWork", "name": name, "version": number}
        crate.root_dataset.append_to("conformsTo", crate.add(ContextEntity(crate, identifier, properties=described)))


def _add_workflow(crate: ROCrate, paths: list[str]) -> ComputationalWorkflow:
    """Add the workflow as what the crate is about: the Snakefile and the files that it reads; this package by its commit."""
    main, *parts = paths
    properties = {
        **_describe(Path(main)),
        "name": "diffeo-stability",
        "description": "How deep nets become stable to smooth deformations of images: trains networks, measures, draws",
        "version": __version__,
        "identifier": _commit(),
        "license": {"@id": LICENSE[0]},
        "softwareRequirements": [f"{name} {number}" for name, number in software_versions().items()],
    }
    workflow = crate.add_workflow(
        main, main, properties=properties, main=True, lang="snakemake", lang_version=version("snakemake")
    )
    workflow["hasPart"] = [_add_file(crate, path, path) for path in parts]
    return workflow


def _commit() -> str:
    state = code_state()
    return f"{state['commit']}{', with uncommitted changes' if state['dirty'] else ''}"


def _add_file(crate: ROCrate, source: str | Path, name: str) -> Entity:
    return crate.add_file(source, name, properties=_describe(Path(source)))


def _add_results(crate: ROCrate, paths: list[str]) -> tuple[list[Entity], dict[str, str]]:
    """Add files; figures among them refer to the tables that they were drawn from.

    Returns:
        The files, and the hashes of the data and weights that the figures come from, by path.
    """
    entities = {path: _add_file(crate, path, path) for path in paths}
    origins: dict[str, Origin] = {path: trace(path) for path in paths if Path(path).suffix in (".png", ".pdf")}
    for path, origin in origins.items():
        drawn_from = [entities[source.path] for source in origin.sources if source.path in entities]
        entities[path]["isBasedOn"] = drawn_from[0] if len(drawn_from) == 1 else drawn_from  # as the format has it
        entities[path]["description"] = as_tree(origin)
    given = {name: found for origin in origins.values() for name, found in origin.given().items()}
    return list(entities.values()), given


def _add_given(crate: ROCrate, given: Mapping[str, str], config: Mapping[str, Any]) -> list[Entity]:
    """Add data and weights by name and hash: they are not in the crate, being large and often not the user's to give away."""

    def properties(path: str, found: str) -> dict[str, str]:
        images = _data_set(path, config) if Path(path).name == DATASET else None
        words = f", made by rule fetch_dataset from the source {images['source']}" if images else ""
        return {
            "@type": "CreativeWork",
            "name": _title(images) if images else Path(path).name,
            "description": f"{path}{words}; not part of this crate",
            "sha256": found,
        }

    entities = [ContextEntity(crate, f"#{path}", properties=properties(path, found)) for path, found in given.items()]
    return [crate.add(entity) for entity in entities]


def _zip(folder: Path, archive: Path) -> None:
    """Pack a folder in the order of its paths and without times: the same files, the same bytes."""
    with atomic_path(archive) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            target.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def _describe(path: Path) -> dict[str, str]:
    return {"name": path.name, "encodingFormat": FORMATS[path.suffix], "sha256": sha256_of(path)}
