"""A run as a research object: its results with machine-readable metadata, in one archive that repositories understand.

Format: RO-Crate 1.3, https://w3id.org/ro/crate.
"""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rocrate.model import ContextEntity, SoftwareApplication
from rocrate.rocrate import ROCrate

from .. import __version__
from ..data.files import atomic_path, sha256_of
from .provenance import as_tree, trace
from .records import code_state, commit_time, config_hash, software_versions

UNDATED = "1980-01-01T00:00:00+00:00"  # the format wants a date; outside git there is none that two runs would share
FORMATS = {
    ".csv": "text/csv",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".html": "text/html",
    ".yaml": "application/yaml",
}


def pack_crate(archive: str | Path, files: Iterable[str | Path], *, stems: list[str], config: dict[str, Any]) -> None:
    """Write the files of a run, its resolved configuration and their metadata as a zip archive; the same files, the same bytes.

    Args:
        archive: where to.
        files: results, by their paths from the project's folder, which they keep.
        stems: figures of the run; each figure file refers to the tables that it was drawn from.
        config: the run's configuration.
    """
    crate = ROCrate()
    crate.name = f"diffeo-stability: run {config['run']}"
    crate.description = (
        f"Figures, tables and claims of the run {config['run']} on {config['dataset']['source']}: {', '.join(stems)}"
    )
    crate.datePublished = commit_time() or UNDATED
    crate.license = "https://spdx.org/licenses/MIT"
    with TemporaryDirectory() as folder:
        resolved = Path(folder, "config.yaml")
        resolved.write_text(yaml.safe_dump(config, sort_keys=False))
        settings = crate.add_file(
            resolved, "config.yaml", properties={**_describe(resolved), "identifier": config_hash(config)}
        )
        results = _add_results(crate, files)
        run = {
            "@type": "CreateAction",
            "name": f"run {config['run']}",
            "instrument": _add_software(crate),
            "object": settings,
            "result": results,
        }
        crate.add(ContextEntity(crate, "#run", properties=run))
        written = Path(folder, "crate")
        crate.write(written)
        _zip(written, Path(archive))


def _add_software(crate: ROCrate) -> SoftwareApplication:
    """Add this package, with commit and versions."""
    state = code_state()
    properties = {
        "name": "diffeo-stability",
        "version": __version__,
        "identifier": state["commit"],
        "softwareRequirements": [f"{name} {number}" for name, number in software_versions().items()],
        "description": "with uncommitted changes" if state["dirty"] else "as committed",
    }
    return crate.add(SoftwareApplication(crate, "#diffeo-stability", properties=properties))


def _add_results(crate: ROCrate, files: Iterable[str | Path]) -> list:
    """Add files; figures among them refer to the tables that they were drawn from."""
    entities = {str(path): crate.add_file(path, str(path), properties=_describe(Path(path))) for path in files}
    for path, entity in entities.items():
        if Path(path).suffix in (".png", ".pdf"):
            origin = trace(path)
            entity["isBasedOn"] = [entities[source.path] for source in origin.sources if source.path in entities]
            entity["description"] = as_tree(origin)
    return list(entities.values())


def _zip(folder: Path, archive: Path) -> None:
    """Pack a folder in the order of its paths and without times: the same files, the same bytes."""
    with atomic_path(archive) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            target.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def _describe(path: Path) -> dict[str, str]:
    return {"name": path.name, "encodingFormat": FORMATS[path.suffix], "sha256": sha256_of(path)}
