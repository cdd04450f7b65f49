"""How much memory this machine has; imported where torch is not."""

import os


def memory_of_machine() -> int:
    """Return the memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
