"""The content of the user's own files: what counts of it, what does not, and what is remembered of it."""

import errno
import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from PIL import Image

from diffeo_stability import InputError, load_images
from diffeo_stability.data import contents
from diffeo_stability.data.contents import content_hash, images_in, located, memory_beside
from diffeo_stability.data.folders import read_image_folder

LONG_AGO = 1e9  # seconds since 1970


@pytest.fixture
def folder(tmp_path):
    """Images of two classes, grey of one value each."""
    folder = tmp_path / "images"
    for number, name in enumerate(("train/a/0", "train/a/1", "train/b/0", "test/a/0", "test/b/0")):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 10 * number).save(path, compress_level=0)
    return folder


def age(path):
    os.utime(path, (LONG_AGO, LONG_AGO))


@pytest.fixture(params=["remembering", "without memory"])
def memory(request, tmp_path, monkeypatch):
    """With and without remembered hashes; as if writes showed in a file's times at once, so that new files are remembered too."""
    monkeypatch.setattr(contents, "SETTLED", 0)
    return tmp_path / "data" / ".contents" if request.param == "remembering" else None


def overwritten(folder):
    image = folder / "train/a/0.png"
    size = image.stat().st_size
    image.write_bytes((folder / "train/a/1.png").read_bytes())
    assert image.stat().st_size == size
    age(image)


def swapped(folder):
    first, second = folder / "train/a/0.png", folder / "train/b/0.png"
    first.rename(folder / "between")
    second.rename(first)
    (folder / "between").rename(second)


def replaced_by_an_older_one(folder):
    other = shutil.copytree(folder, folder.with_name("other"))
    overwritten(other)
    for path in other.rglob("*"):
        age(path)
    shutil.rmtree(folder)
    other.rename(folder)


def moved_to_another_class(folder):
    (folder / "train/a/0.png").rename(folder / "train/b/1.png")


def lost(folder):
    (folder / "train/a/0.png").unlink()


def grown(folder):
    shutil.copy(folder / "train/a/0.png", folder / "train/a/2.PNG")


def linked_elsewhere(folder):
    (folder / "train/a/0.png").unlink()
    (folder / "train/a/0.png").symlink_to(folder / "train/b/0.png")


@pytest.mark.parametrize(
    "change",
    [overwritten, swapped, replaced_by_an_older_one, moved_to_another_class, lost, grown, linked_elsewhere],
    ids=lambda change: change.__name__,
)
def test_another_content_is_another_one_whatever_its_times(folder, memory, change):
    before = content_hash(folder, memory)
    change(folder)
    after = content_hash(folder, memory)
    assert after != before and after == content_hash(folder)


def hidden_files_and_thumbnails(folder):
    for name in (
        ".DS_Store",
        "train/a/.DS_Store",
        "train/a/Thumbs.db",
        "train/desktop.ini",
        "train/a/._0.png",
        ".git/x.png",
        "train/a/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg",
        "#recycle/train/a/7.png",
        "$RECYCLE.BIN/7.png",
        "lost+found/7.png",
        "__MACOSX/train/a/._0.png",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"of the system")


def other_times(folder):
    for path in folder.rglob("*"):
        age(path)


def copied(folder):
    other = shutil.copytree(folder, folder.with_name("other"))
    shutil.rmtree(folder)
    other.rename(folder)


def an_empty_folder(folder):
    (folder / "notes").mkdir()


@pytest.mark.parametrize(
    "change", [hidden_files_and_thumbnails, other_times, copied, an_empty_folder], ids=lambda change: change.__name__
)
def test_what_is_no_image_changes_nothing(folder, memory, change):
    before = content_hash(folder, memory)
    change(folder)
    assert content_hash(folder, memory) == before


def test_the_images_that_count_are_those_that_are_read(folder):
    hidden_files_and_thumbnails(folder)
    (folder / "train/b/again").symlink_to(folder)
    images, _, _ = read_image_folder(folder)
    assert len(images_in(folder)) == sum(map(len, images.values())) == 5


def test_a_file_counts_as_it_is(tmp_path, memory):
    file = tmp_path / "images.npz"
    file.write_bytes(b"first")
    before = content_hash(file, memory)
    age(file)
    assert content_hash(file, memory) == before == content_hash(str(file))
    file.write_bytes(b"other")
    age(file)
    assert content_hash(file, memory) != before


def test_a_folder_is_hashed_once_and_then_looked_through(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "SETTLED", 0)
    memory = tmp_path / "data" / ".contents"
    before = content_hash(folder, memory)
    assert memory_beside(tmp_path / "data" / "images.safetensors") == memory
    with monkeypatch.context() as patched:
        patched.setattr(contents, "sha256_of", lambda path: pytest.fail(f"{path} is hashed again"))
        assert content_hash(folder, memory) == before
    (note,) = memory.iterdir()
    for damaged in ("damaged", "[]", "7", "[" * 10**5, json.dumps(dict.fromkeys(json.loads(note.read_text()), 7))):
        note.write_text(damaged)
        assert content_hash(folder, memory) == before and len(json.loads(note.read_text())) == 5


def test_what_was_written_just_now_is_not_remembered(folder, tmp_path, monkeypatch):
    """It could be written to again without its times showing it."""
    monkeypatch.setattr(contents, "SETTLED", 1e18)
    content_hash(folder, tmp_path / "memory")
    assert not (tmp_path / "memory").exists()


def test_where_nothing_can_be_remembered_hashes_are_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "SETTLED", 0)
    (tmp_path / "file").touch()
    assert content_hash(folder, tmp_path / "file" / "memory") == content_hash(folder)


def test_links_to_nothing_have_no_content_and_are_no_error_yet(folder):
    before = content_hash(folder)
    (folder / "train/a/2.png").symlink_to(folder / "nothing.png")
    assert content_hash(folder) != before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(folder):
    (folder / "train/a/0.png").chmod(0)
    with pytest.raises(InputError, match=r"train/a/0.png: .*allow yourself to read"):
        content_hash(folder)


@pytest.mark.fault("one line")
def test_a_folder_that_may_not_be_read_is_named(folder, monkeypatch):
    """Its images would be missing, and nothing be said."""
    scan, closed = os.scandir, folder / "train/a"
    closed.chmod(0)

    def scan_as_a_user(path):
        if not Path(path).stat().st_mode & stat.S_IRUSR:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_as_a_user)  # root may read everything
    for read in (content_hash, read_image_folder, load_images):
        with pytest.raises(InputError, match=r"train/a: Permission denied: allow yourself to read and write it"):
            read(folder)
    closed.chmod(0o700)


def test_files_in_packages_are_found_without_importing_them(tmp_path, monkeypatch):
    (tmp_path / "carries_weights").mkdir()
    (tmp_path / "carries_weights" / "__init__.py").write_text("raise RuntimeError")
    (tmp_path / "carries_weights" / "w.pt").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert located("package:carries_weights/w.pt") == tmp_path / "carries_weights" / "w.pt"
    for name in ("package:carries_weights/v.pt", "package:no_such_package/w.pt", "package:/w.pt", "nothing.pt"):
        assert not located(name).exists()
    assert content_hash("package:carries_weights/w.pt") == content_hash(tmp_path / "carries_weights" / "w.pt")
