"""Images of the user's own are counted by their names, so that a run that asks for more ends before it begins."""

import zipfile

import numpy as np
import pytest

from diffeo_stability.core.errors import InputError
from diffeo_stability.data.counting import most_images
from diffeo_stability.data.settings import Counts, DatasetBlock
from diffeo_stability.pipeline.config import load_config
from diffeo_stability.pipeline.plan import Plan

TREE = [
    f"photos/{part}/{kind}/{k}.png"
    for part, count in (("train", 3), ("test", 2))
    for kind in "ab"
    for k in range(count)
]
OTHERS = [
    "photos/.DS_Store",
    "photos/train/a/notes.txt",
    "photos/train/a/.hidden.png",
    "photos/train/a/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg",
    "__MACOSX/photos/train/c/0.png",
    "photos/stray.png",
]
CONFIG = """
run: mine
seeds: [0]
dataset: {source: image_folder, name: mine, path: images, validation_images: 2}
training: {epochs: 1, learning_rate: 0.01}
networks: {lenet: {architecture: lenet}}
probe: {images: 4}
stability: {}
"""


def block(path, source="image_folder", **keys):
    return DatasetBlock(source=source, name="mine", path=str(path), validation_images=0, **keys)


def write_folder(folder):
    for name in (*TREE, *OTHERS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no image, but called one")
    return folder


def test_images_in_a_folder_or_zip_are_counted_by_their_names(tmp_path):
    folder = write_folder(tmp_path / "images")
    assert most_images(block(folder)) == Counts(6, 4, 2)
    assert most_images(block(folder / "photos/test", test_only=True, normalisation="timm:resnet18")) == Counts(0, 4, 2)
    with zipfile.ZipFile(tmp_path / "images.ZIP", "w") as archive:
        for name in (*TREE, *OTHERS):
            archive.writestr(name, b"")
    assert most_images(block(tmp_path / "images.ZIP")) == Counts(6, 4, 2)


def test_arrays_are_counted_by_their_headers(tmp_path):
    np.savez_compressed(tmp_path / "images.npz", y_train=np.zeros(7, int), y_test=np.zeros(5, int))
    assert most_images(block(tmp_path / "images.npz", "arrays")) == Counts(7, 5, None)


@pytest.mark.parametrize("name", ["images.tar.xz", "images.zip", "images.npz"])
def test_what_would_have_to_be_read_or_is_damaged_is_not_counted(tmp_path, name):
    (tmp_path / name).write_bytes(b"damaged")
    assert most_images(block(tmp_path / name, "arrays" if name.endswith("npz") else "image_folder")) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("images: 4}", "images: 5}", "probe.images: 5 is more than the 4 test images"),
        ("probe: {images: 4}", "", "probe.images: 500 is more than the 4 test images"),
        ("validation_images: 2", "validation_images: 6", "validation_images: 6 leaves none of 6 to train on"),
        (
            "epochs: 1",
            "epochs: 1, train_size: 5",
            r"training\.train_size: 5 is more than 4, the training images besides",
        ),
        ("epochs: 1", "epochs: 1, label_count: 3", r"training\.label_count: 3 is more than the 2 classes"),
    ],
)
def test_a_run_that_asks_for_more_is_refused_when_it_is_planned(tmp_path, monkeypatch, old, new, message):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "images")
    (tmp_path / "mine.yaml").write_text(CONFIG)
    Plan(load_config("mine.yaml")).check_sources()
    (tmp_path / "mine.yaml").write_text(CONFIG.replace(old, new))
    with pytest.raises(InputError, match=message):
        Plan(load_config("mine.yaml")).check_sources()
