"""Files that are written whole or not at all: what cannot be written is one line, and leaves nothing."""

import contextlib
import errno
import os

import pytest

from diffeo_stability.core.errors import InputError
from diffeo_stability.data.files import REMEDIES, as_input_error, atomic_path, check_access


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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", None),
        ("missing/below", None),
        ("file", "Not a directory: move away the file"),
        ("file/below", "Not a directory: move away the file"),
        ("unmounted", "No such file or directory: see that it"),
        ("loop", "mend or remove the link"),
        ("x" * 300, "File name too long: shorten it"),
    ],
)
def test_what_keeps_a_folder_from_being_used_is_said(tmp_path, name, message):
    (tmp_path / "file").touch()
    (tmp_path / "unmounted").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match=message) if message else contextlib.nullcontext():
        check_access(tmp_path / name, write=True)


def test_no_device_is_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "device.csv").symlink_to("/dev/null")
    for path in list(tmp_path.iterdir()):
        with pytest.raises(InputError, match=f"{path.name} is a pipe, socket or device"), atomic_path(path) as partial:
            partial.write_text("x")
        assert not path.is_file() and len(list(tmp_path.iterdir())) == 2


def test_every_reason_with_a_remedy_names_the_file():
    for number in (errno.ENOENT, errno.EIO, errno.ESTALE):
        told = str(as_input_error(OSError(number, os.strerror(number)), "x.csv"))
        assert told == f"x.csv: {os.strerror(number)}: {REMEDIES[number]}, then run again"
