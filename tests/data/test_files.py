"""Files that are written whole or not at all: what cannot be written is one line, and leaves nothing."""

import errno
import os

import pytest

from diffeo_stability.core.errors import InputError
from diffeo_stability.data.files import REMEDIES, as_input_error, atomic_path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file/x.csv", "file: File exists: move away what lies where a folder has to be"),
        ("file/in/x.csv", "Not a directory: move away the file"),
        ("x" * 300, "File name too long: shorten it"),
        ("nowhere/x.csv", "File exists: move away what lies where a folder has to be"),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path, name, message):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to("no such folder")
    before = {*tmp_path.rglob("*")}
    with pytest.raises(InputError, match=message), atomic_path(tmp_path / name) as partial:
        partial.write_text("x")
    assert {*tmp_path.rglob("*")} == before


def test_every_reason_with_a_remedy_names_the_file():
    for number in (errno.ENOENT, errno.EIO, errno.ESTALE):
        told = str(as_input_error(OSError(number, os.strerror(number)), "x.csv"))
        assert told == f"x.csv: {os.strerror(number)}: {REMEDIES[number]}, then run again"
