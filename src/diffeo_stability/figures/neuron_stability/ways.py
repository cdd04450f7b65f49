"""In which ways transformations are made equally large: see the measurement."""

SIZED_BY = ("operator", "displacement", "change")
