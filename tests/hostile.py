"""What hostile files hold."""

from pathlib import Path


def _laughs(first, again):
    """Each line stands for nine times what the one before it does."""
    return "\n".join(
        [
            f"a: &a {first}",
            *(f"{n}: &{n} {again.format(*9 * [m])}" for m, n in zip("abcdefgh", "bcdefghi", strict=True)),
        ]
    )


YAML_BOMBS = {
    "lists": _laughs("[lol]", "[" + ", ".join(9 * ["*{}"]) + "]"),
    "blocks": _laughs("{x: 1}", "{{" + ", ".join(f"k{k}: *{{}}" for k in range(9)) + "}}"),
    "merged blocks": _laughs("{x: 1}", "{{<<: [" + ", ".join(9 * ["*{}"]) + "]}}"),
    "a list within itself": "seeds: &a [*a]",
    "brackets": "seeds: " + 1000 * "[",
    "a date that is none": "run: 2001-13-45",
    "a number without end": "seeds: [" + 10_000 * "9" + "]",
    "much of one value": "run: " + 17 * 2**20 * "x",
}


class RunsWhenUnpickled:
    """Leaves a file, its trace, where it is unpickled."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)
