"""Which code decides what each rule makes."""

import hashlib
from pathlib import Path

from ..core.errors import InputError, one_line
from ..data.sources import SOURCES
from ..figures import FIGURES
from ..networks.catalogue import ARCHITECTURES, LIBRARIES, networks
from .config import Run
from .fingerprint import PACKAGE, fingerprint, fingerprint_of_module


class CodeOf:
    """Fingerprints of the code behind each rule of a run.

    Args:
        project: folder of the Snakefile.
        config: the run.
    """

    def __init__(self, project: Path, config: Run):
        self._project = project
        self._config = config

    def script(self, name: str, *modules: str) -> str:
        """Return the fingerprint of a script and of the modules of this package that decide what it makes.

        Args:
            name: of the script.
            modules: by dotted name below the package.
        """
        return fingerprint(self._project / "workflow" / "scripts" / f"{name}.py", *map(_module, modules))

    def dataset(self, folder: str) -> str:
        """Return that of what reads the images of a data set."""
        source = SOURCES[self._config.datasets[folder].source]
        return self.script("fetch_dataset", "data.prepare", f"data.{source.reader}")

    def training(self) -> str:
        """Return that of how every network is trained."""
        return self.script("train_network", "networks.training", "networks.build")

    def weights(self) -> str:
        """Return that of how networks that are trained already are read."""
        return self.script("import_network", "networks.weights", "networks.build")

    def network(self, name: str) -> str:
        """Return that of what builds a network of the run: its file, and what that uses of this package and the user's own.

        Raises:
            InputError: the module of a network of the user's own is missing or is no Python.
        """
        architecture = self._config.networks[name].architecture
        if architecture in networks():
            return fingerprint(ARCHITECTURES / f"{networks()[architecture].module}.py")
        module = architecture.partition(":")[0]
        try:
            return "" if module in LIBRARIES else fingerprint_of_module(module)
        except (ValueError, SyntaxError, OSError) as error:
            raise InputError(f"networks.{name}.architecture: {one_line(error)}") from None

    def check_networks(self) -> None:
        """Check that the code of every network of the run is there.

        Raises:
            InputError: a module is missing or is no Python.
        """
        for name in self._config.networks:
            self.network(name)

    def measurement(self, stem: str) -> str:
        """Return that of what measures a figure."""
        return self.script("measure", f"figures.{stem}.measurement", "data.classes")

    def collection(self, stem: str) -> str:
        """Return that of what collects a figure's table."""
        parts = [f"figures.{stem}.collection"] if FIGURES[stem].has("collection") else []
        return self.script("collect_tables", *parts)

    def drawing(self, stem: str) -> str:
        """Return that of a figure's notebook and of all that it uses.

        Of one that is no Python, every letter counts: the job that draws the figure says what is wrong with it, and no other
        figure has to wait for that.
        """
        machinery = map(_module, ("pipeline.notebooks", "pipeline.plotting", "pipeline.labels", "pipeline.markup"))
        notebook = self._project / "workflow" / "notebooks" / f"{stem}.py"
        try:
            return fingerprint(notebook, *machinery)
        except (SyntaxError, ValueError):
            return self.contents(f"workflow/notebooks/{stem}.py")

    def contents(self, *paths: str) -> str:
        """Return a hash of what stands in files of the project: texts, of which every letter counts."""
        return hashlib.sha256(b"\0".join((self._project / path).read_bytes() for path in paths)).hexdigest()[:32]

    def claims(self) -> str:
        """Return that of what measures and judges claims."""
        rooms = [f"figures.{stem}.claims" for stem, figure in FIGURES.items() if figure.has("claims")]
        return self.script("evaluate_claims", "pipeline.claims", *rooms)

    def captions(self) -> str:
        """Return that of what fills in captions."""
        rooms = [f"figures.{stem}.findings" for stem, figure in FIGURES.items() if figure.has("findings")]
        return self.script("write_captions", "pipeline.captions", "pipeline.markup", *rooms)

    def report(self) -> str:
        """Return that of what writes the report."""
        parts = ("report", "captions", "claims", "forest", "markup", "overview", "provenance")
        return self.script("write_report", *(f"pipeline.{part}" for part in parts))

    def crate(self) -> str:
        """Return that of what packs the run."""
        return self.script("pack_crate", "pipeline.crate", "pipeline.provenance")


def _module(name: str) -> Path:
    return PACKAGE.joinpath(*name.split(".")).with_suffix(".py")
