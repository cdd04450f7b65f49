"""What hostile files hold."""

from pathlib import Path


class RunsWhenUnpickled:
    """Leaves a file, its trace, where it is unpickled."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)
