"""Images in folders and archives that somebody sent: whatever is in them, they are read in bounded time and memory or refused."""

import contextlib
import logging
import os
import socket
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from hostile import member, notes, png_of_zeros, tar_with, within_bounds, zipped_text
from PIL import Image

from diffeo_stability import InputError, load_images
from diffeo_stability.data import contents, entries
from diffeo_stability.data.arrays import read as read_arrays
from diffeo_stability.data.contents import content_hash, is_image
from diffeo_stability.data.folders import read_image_folder
from diffeo_stability.data.requests import Request
from diffeo_stability.data.sources import SOURCES

EMPTY = member("train/cat", type=tarfile.DIRTYPE)


@pytest.fixture(autouse=True)
def bounds(monkeypatch):
    monkeypatch.setattr(entries, "MOST_OTHERS", 900)
    with within_bounds():
        yield


@pytest.fixture
def folder(tmp_path):
    """A folder with one image."""
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("L", (4, 4), 7).save(folder / "a.png")
    return folder


def refused(path, message, **options):
    with pytest.raises(InputError, match=message) as caught:
        load_images(path, **options)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


@pytest.mark.parametrize(("width", "height"), [(1, 30_000), (30_000, 1)])
def test_an_image_that_is_scaled_to_billions_of_pixels_is_refused(folder, width, height):
    content = png_of_zeros(width, height)
    assert len(content) < 400
    (folder / "narrow.png").write_bytes(content)
    refused(
        folder, r"narrow.png is no image .* pixels, which scaled would be (224 x 6720000|6720000 x 224)", image_size=224
    )


UNREAD = r"a.png is no image that can be read \(.+\): replace or remove it, or free some memory$"
TOO_MANY = "images: its images do not fit into memory: free some memory, or set image_size$"


def test_an_image_for_which_there_is_no_memory_is_not_said_to_be_damaged_alone(folder, monkeypatch):
    def lacks(*_, **__):
        raise MemoryError("no memory")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lacks)
    refused(folder, UNREAD)


def test_where_memory_ends_is_said(folder):
    """Where that is, at the image or after it, depends on what the process has let go before."""
    (folder / "a.png").write_bytes(png_of_zeros(9000, 9000))
    with within_bounds(memory=320 * 2**20):  # for its bytes, not for as many floats
        refused(folder, f"{UNREAD}|{TOO_MANY}")


@pytest.mark.parametrize("step", ["np.stack", "torch.Tensor.float"])
def test_images_for_all_of_which_there_is_no_memory_are_said_to_be(folder, monkeypatch, step):
    def lacks(*_, **__):
        raise MemoryError if step == "np.stack" else RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(f"{load_images.__module__}.{step}", lacks)
    refused(folder, TOO_MANY)


def eps(folder):
    """Would start Ghostscript, were it taken for what it is."""
    (folder / "b.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n%%EOF\n")


def text_bomb(folder):
    (folder / "b.png").write_bytes(png_of_zeros(4, 4, zipped_text(b"zTXt", 2**26)))


def pipe(folder):
    os.mkfifo(folder / "b.png")


def local_socket(folder):
    with socket.socket(socket.AF_UNIX) as opened, contextlib.chdir(folder):  # whose path must be short
        opened.bind("b.png")


def device(folder):
    (folder / "b.png").symlink_to("/dev/zero")


def sparse(folder):
    with (folder / "b.png").open("wb") as file:
        file.truncate(2**40)


def wide_header(folder):
    """Of a TIFF whose directory names four billion rows."""
    entries = [
        (0x100, 4, 1, 2**32 - 1),
        (0x101, 4, 1, 2**32 - 1),
        (0x102, 3, 1, 8),
        (0x111, 4, 1, 8),
        (0x117, 4, 1, 2**32 - 1),
    ]
    content = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries))
    (folder / "b.tif").write_bytes(content + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4))


def many_scans(folder):
    """Each of which goes through all pixels, of a file that hardly grows."""
    Image.new("L", (64, 64)).save(folder / "b.jpg", progressive=True)
    content = (folder / "b.jpg").read_bytes()
    (folder / "b.jpg").write_bytes(content[:-2] + content[content.rfind(b"\xff\xda") : -2] * 100 + content[-2:])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (eps, r"b.png is no image that can be read \(none of .*PNG"),
        (text_bomb, "b.png is no image that can be read"),
        (pipe, "b.png is no regular file"),
        (local_socket, "b.png is no regular file"),
        (device, "b.png is no regular file"),
        (sparse, "b.png is larger than 64 MiB"),
        (wide_header, "b.tif is no image that can be read"),
        (many_scans, r"b.jpg is no image that can be read \(of more than 100 scans\)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_only_calls_itself_an_image_is_refused(folder, spoil, message):
    spoil(folder)
    refused(folder, message)
    if spoil in (pipe, local_socket, device):
        with pytest.raises(InputError, match=message):
            content_hash(folder)


def test_scans_are_those_of_the_picture_alone(tmp_path):
    """Not what looks like them in a note, or in a film behind the picture, as phones put it there."""
    notes = Image.Exif()
    notes[0x9286] = b"\xff\xda" * 200
    Image.effect_noise((64, 64), 50).save(tmp_path / "a.jpg", progressive=True, exif=notes)
    with (tmp_path / "a.jpg").open("ab") as file:
        file.write(b"\xff\xda" * 200)
    assert load_images(tmp_path).shape == (1, 1, 64, 64)


def test_only_formats_that_pillow_reads_by_itself_are_images():
    assert all(map(is_image, ("a.png", "a.JPG", "a.tiff", "a.bmp", "a.webp", "a.ppm")))
    assert not any(map(is_image, ("a.eps", "a.ps", "a.pdf", "a.wmf", "a.txt", ".a.png")))


def test_hidden_and_unrelated_files_are_not_read(folder, caplog):
    """Pipes tell: who reads one waits for ever."""
    (folder / ".git").mkdir()
    for name in (".b.png", ".git/c.png", "notes.txt", "d.eps"):
        os.mkfifo(folder / name)
    (folder / "linked.csv").symlink_to("/dev/zero")
    with caplog.at_level(logging.WARNING):
        assert load_images(folder).shape == (1, 1, 4, 4)
    assert "d.eps, linked.csv, notes.txt" in caplog.text
    assert content_hash(folder)


def test_names_reach_no_terminal_as_they_are(folder, caplog):
    (folder / "a\x1b[2J\nb.txt").touch()
    load_images(folder)
    assert "a\\x1b[2J\\nb.txt" in caplog.text and "\x1b" not in caplog.text
    (folder / "c\x1b]0;title\x07\n\udcff.png").write_bytes(b"")
    refused(folder, r"c\\x1b\]0;title\\x07\\n\\udcff.png is no image")
    for part in ("train", "test"):
        (folder / part / "a\nb").mkdir(parents=True)
    with pytest.raises(InputError, match=r"class 'a\\nb' is not printable: rename the folder"):
        read_image_folder(folder)


def header_of(kind):
    """Takes two GiB to say one name."""
    return lambda path: tar_with(path, (member("././@LongLink", type=kind, size=2**31), 2**20))


def members_without_end(path):
    tar_with(path, (EMPTY, 0), times=1000)


def notes_without_end(path):
    blocks = notes(2000) + EMPTY.tobuf(tarfile.USTAR_FORMAT)
    path.write_bytes(blocks * 20 + bytes(1024))


def negative_size(path):
    tar_with(path, (member("train/cat/0.png", size=-1024), 0), times=3)


def names_within_names(path):
    tar_with(path, (member("././@LongLink", type=tarfile.GNUTYPE_LONGNAME, size=8), 512), times=2000)


def no_numbers(path):
    """Where a sparse file would have its holes."""
    with tarfile.open(path, "w:xz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member("a.png", pax_headers={"GNU.sparse.map": "x,y", "GNU.sparse.size": "1"}))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (header_of(tarfile.GNUTYPE_LONGNAME), "holds far more than its files and their names"),
        (header_of(tarfile.XHDTYPE), "holds far more than its files and their names"),
        (header_of(tarfile.XGLTYPE), "holds far more than its files and their names"),
        (members_without_end, "empty files, folders and files that are no images"),
        (notes_without_end, "holds far more than its files and their names"),
        (negative_size, "refused|truncated"),
        (names_within_names, "refused|truncated"),
        (no_numbers, "truncated or no archive"),
        (os.mkfifo, "is no regular file"),
    ],
)
def test_archives_that_unpack_to_anything_but_images_are_refused(tmp_path, write, message):
    path = tmp_path / "images.tar.xz"
    write(path)
    assert path.stat().st_size < 2**20
    refused(path, message)


def packed(folder, path, *names):
    """A tar or zip archive with one picture by several names."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, (folder / "a.png").read_bytes())
    else:
        with tarfile.open(path, f"w:{path.suffix[1:].replace('tar', '')}") as archive:
            for name in names:
                archive.add(folder / "a.png", name)
    return path


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("images.tar", lambda content: flipped(content, 1024 + 3)),  # in the header of the second picture
        ("images.tar", lambda content: content[:1024]),
        ("images.tar", lambda content: content[: 1024 + 100]),
        ("images.tar.gz", lambda content: flipped(content, -8)),
        ("images.tar.bz2", lambda content: flipped(content, -8)),
        ("images.tar.xz", lambda content: flipped(content, -20)),
    ],
)
def test_a_damaged_archive_is_not_taken_for_one_of_fewer_images(tmp_path, folder, name, damage):
    path = packed(folder, tmp_path / name, "a/a.png", "a/b.png")
    assert len(load_images(path)) == 2
    path.write_bytes(damage(path.read_bytes()))
    refused(path, "images.tar.* is truncated or no archive")


def test_a_picture_is_one_however_its_name_is_spelled(tmp_path, folder):
    spelled = ("a/a.png", "./a/a.png", "a//./a.png")
    assert len(load_images(packed(folder, tmp_path / "images.tar", *spelled))) == 1
    refused(packed(folder, tmp_path / "images.zip", *spelled), "holds .*a.png twice")


@pytest.mark.parametrize("name", ["images.tar", "images.zip"])
def test_names_in_archives_are_no_longer_than_systems_allow(tmp_path, folder, name):
    refused(
        packed(folder, tmp_path / name, 5000 * "x" + ".png"), "a name of 5,004 letters: refused, 4,096 are the most"
    )


def test_members_of_a_zip_without_end_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for number in range(901):
            archive.mkdir(str(number))
    refused(tmp_path / "images.zip", "empty files, folders and files that are no images")


def test_a_zip_whose_sizes_lie_gives_no_more_than_it_says(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.png", bytes(2**22))
    content = path.read_bytes().replace(struct.pack("<I", 2**22), struct.pack("<I", 100))
    path.write_bytes(content)
    refused(path, "truncated or no archive|a.png is no image")


def test_a_zip_with_two_files_of_one_name_is_refused(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(folder / "a.png", "cat/a.png")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.write(folder / "a.png", "cat/a.png")
    refused(tmp_path / "images.zip", "holds cat/a.png twice: it is not clear which one counts; pack the images anew")


def test_links_that_lead_into_each_other_are_named(tmp_path, folder):
    """Images would be read as often as there are ways to them."""
    (folder / "a").mkdir()
    (folder / "c").mkdir()
    (folder / "a" / "b").symlink_to("../c")
    assert load_images(folder).shape == (1, 1, 4, 4)
    (folder / "c" / "d").symlink_to("../a")
    for read in (load_images, content_hash):
        with pytest.raises(
            InputError, match=r"is a link to .*/images/[ac], and links in there lead back to it: remove"
        ):
            read(folder)


def test_links_to_ever_more_folders_are_refused(tmp_path, folder, monkeypatch):
    """Twenty folders, each with two links to the next one, are a million."""
    monkeypatch.setattr(contents, "MOST_LINKED", 100)
    for number in range(20):
        (folder / str(number)).mkdir()
        for name in "ab":
            (folder / str(number) / name).symlink_to(f"../{number + 1}")
    (folder / "20").mkdir()
    refused(folder, "holds more than 100 folders by links in links: refused; link to each once")


def save_arrays(path, **changes):
    arrays = {"x_test": np.zeros((3, 1, 4, 4), np.uint8), "y_test": np.arange(3)} | changes
    np.savez_compressed(path, **arrays)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": np.array([0, 1, 10**9])}, "has the label 1000000000, but 3 images"),
        ({"y_test": np.array([0, 1, 2**62])}, f"has the label {2**62}, but 3 images"),
        ({"y_test": np.zeros(10**7, np.uint8)}, "3 images but 10000000 labels"),
        ({"x_test": np.zeros((3, 1, 0, 0), np.uint8)}, "has shape"),
        ({"other": np.zeros(10**8, np.uint8)}, "unpacks to a hundred times its size"),
    ],
    ids=["a label of 1e9", "a label of 2^62", "labels of no images", "images of no pixels", "zeros"],
)
def test_arrays_that_would_fill_the_memory_are_refused(tmp_path, changes, message):
    save_arrays(tmp_path / "images.npz", **changes)
    with pytest.raises(InputError, match=message):
        read_arrays(Request("arrays", SOURCES["arrays"], tmp_path, tmp_path / "images.npz", test_only=True))


def test_arrays_in_a_pipe_are_refused(tmp_path):
    os.mkfifo(tmp_path / "images.npz")
    with pytest.raises(InputError, match="is no regular file"):
        read_arrays(Request("arrays", SOURCES["arrays"], tmp_path, tmp_path / "images.npz", test_only=True))
