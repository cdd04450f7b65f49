"""Blocks of a configuration, and the types of their keys.

Every part of the package declares its own block. A block holds plain values, checked when a run is planned; what is computed
from them stands elsewhere.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Two of them and a variant stand in the name of one folder of Slurm's logs, which can have 255 bytes
LONGEST_NAME = 100
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=LONGEST_NAME)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Cutoff = Annotated[int, Field(ge=2)]
Resamples = Annotated[int, Field(ge=100)]  # fewer give no 95% interval


def _plain(text: str) -> str:
    if not text or not text.isprintable() or text != text.strip():
        raise ValueError(
            f"{text!r} is no plain text: allowed are printable characters on one line, no space at its ends"
        )
    return text


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"{value} is even: it must be odd, so that a patch has a pixel in the middle")
    return value


def _without_repeats(values: list) -> list:
    repeated = next((value for value in values if values.count(value) > 1), None)
    if repeated is not None:
        raise ValueError(f"{repeated!r} stands in the list more than once")
    return values


Text = Annotated[str, AfterValidator(_plain)]  # shown as it is wherever it appears, and nothing in it is obeyed
WithoutRepeats = AfterValidator(_without_repeats)
PatchSize = Annotated[int, Field(ge=1), AfterValidator(_odd)]


class Block(BaseModel):
    """A closed block of keys: an unknown key is an error, and so is a number written as text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
