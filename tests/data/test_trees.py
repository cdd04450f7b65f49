"""Which folders are parts and classes, where users have more than one tree, empty ones, or ones that systems put there."""

import shutil
import unicodedata
import zipfile

import pytest
from PIL import Image

from diffeo_stability import InputError
from diffeo_stability.data.folders import read_image_folder


def write(folder, *names):
    """Images, each of a grey of its own."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2), number).save(path)
    return folder


def tree_in(folder, classes=("cat", "dog")):
    return write(folder, *(f"{part}/{name}/1.png" for part in ("train", "test") for name in classes))


def zip_of(folder, path):
    """A zip archive of the files in a folder, without entries for folders."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            archive.write(file, file.relative_to(folder))
    return path


def labels_of(path, **options):
    _, labels, classes = read_image_folder(path, **options)
    return {part: found.tolist() for part, found in labels.items()}, classes


@pytest.mark.parametrize("archive", [False, True])
def test_two_trees_side_by_side_are_both_named(tmp_path, archive):
    for name in ("split1", "below/split2"):
        tree_in(tmp_path / "images" / name)
    path = zip_of(tmp_path / "images", tmp_path / "images.zip") if archive else tmp_path / "images"
    with pytest.raises(InputError, match=r"split1 and below/split2 both hold train and test: leave one of the two out"):
        read_image_folder(path)


def test_a_tree_of_which_systems_keep_a_copy_is_one(tmp_path):
    tree_in(tmp_path / "images" / "photos")
    shutil.copytree(tmp_path / "images" / "photos", tmp_path / "images" / "__MACOSX")
    shutil.copytree(tmp_path / "images" / "photos", tmp_path / "images" / "#recycle" / "photos")
    write(tmp_path / "images", "photos/train/cat/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg")
    for path in (tmp_path / "images", zip_of(tmp_path / "images", tmp_path / "IMAGES.ZIP")):
        assert labels_of(path) == ({"train": [0, 1], "test": [0, 1]}, ("cat", "dog"))


def test_images_besides_the_tree_are_named(tmp_path, caplog):
    tree_in(tmp_path)
    write(tmp_path, "old/train/cat/2.png", "old/test/cat/2.png")
    assert labels_of(tmp_path) == ({"train": [0, 1], "test": [0, 1]}, ("cat", "dog"))
    assert "not in train or test, and skipped: old/test/cat/2.png, old/train/cat/2.png" in caplog.text


def test_a_class_without_images_is_named_where_there_are_test_images_alone(tmp_path):
    """Left out, it would renumber all that follow."""
    write(tmp_path / "images", "a/1.png", "c/1.png", "below/d/1.png")
    expected = ({"test": [0, 1, 2]}, ("a", "c", "d"))
    assert labels_of(tmp_path / "images", test_only=True) == expected  # a folder of folders is no class
    (tmp_path / "images/a/notes").mkdir()
    assert labels_of(tmp_path / "images", test_only=True) == expected
    (tmp_path / "images/b").mkdir()
    with pytest.raises(InputError, match=r"images: b holds no image: add images or remove the folder"):
        read_image_folder(tmp_path / "images", test_only=True)
    (tmp_path / "images/b/1.heic").touch()
    with pytest.raises(InputError, match=r"images.zip: b holds no image: add images or remove the folder"):
        read_image_folder(zip_of(tmp_path / "images", tmp_path / "images.zip"), test_only=True)


def test_classes_that_are_spelt_with_other_code_points_are_the_same(tmp_path):
    name = "caf\u00e9"
    write(tmp_path, f"train/{name}/1.png", "train/z/1.png", "test/z/1.png")
    write(tmp_path, f"test/{unicodedata.normalize('NFD', name)}/1.png")
    labels, classes = labels_of(tmp_path)
    assert labels == {"train": [0, 1], "test": [0, 1]} and unicodedata.normalize("NFC", classes[0]) == name
