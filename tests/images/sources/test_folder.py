"""Folders of class folders: what is taken, what is left out with a word, what is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linewise.images import ImageOptions, SplitOptions, check, load
from rights import open_folder, without_rights

CLASS_FOLDERS = "\n  expected: one folder per class, with its images inside, such as cat/1.png and dog/1.png"


def codes(images) -> list[str]:
    return [warning["code"] for warning in images.record.check["warnings"]]


def pixels_by_name(images) -> dict[str, np.ndarray]:
    test = images.test.open("compare with the files", lambda reason: None)
    found = {}
    for part in (images.train, images.validation, test):
        assert part.names is not None
        found |= dict(zip(part.names, part.images_NHWC, strict=True))
    return found


def test_pixels_and_labels_are_those_of_the_files(class_folders):
    root = class_folders()
    images = load(root)
    seen = pixels_by_name(images)
    assert len(seen) == 12
    for name, image in seen.items():
        np.testing.assert_array_equal(image, np.asarray(Image.open(root / name)))
    assert images.class_names == ("cat", "dog")
    for name, label in zip(images.train.names or [], images.train.labels_N, strict=True):
        assert name.split("/")[0] == images.class_names[label]
    assert images.warnings == []


def test_second_time_comes_from_the_cache(class_folders, monkeypatch):
    root = class_folders()
    first = load(root)
    for module in ("cache", "headers"):
        monkeypatch.setattr(f"linewise.images.files.{module}.by_blocks", lambda *_: pytest.fail("decoded again"))
    assert load(root).record.fingerprint == first.record.fingerprint


def test_a_changed_file_is_decoded_again(class_folders):
    root = class_folders()
    first = load(root).record.fingerprint
    Image.fromarray(np.full((8, 8, 3), 7, np.uint8)).save(root / "cat" / "0.png")
    assert load(root).record.fingerprint != first


def test_a_spoilt_cache_is_made_anew(class_folders, own_cache):
    root = class_folders()
    first = load(root).record.fingerprint
    for path in (own_cache / "decoded").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert load(root).record.fingerprint == first


def test_many_files_go_to_processes(class_folders, monkeypatch):
    root = class_folders(number=30)
    expected = load(root).record.fingerprint
    monkeypatch.setattr("linewise.images.files.parallel.MANY", 10)
    monkeypatch.setattr("linewise.images.files.cache.VERSION", 99)
    assert load(root).record.fingerprint == expected


def test_splits_above_the_classes(class_folders, tmp_path):
    for split, seed in (("Train", 1), ("val", 2), ("test", 3)):
        class_folders(f"data/{split}", seed=seed)
    images = load(tmp_path / "data")
    assert {s: sum(c.values()) for s, c in images.record.counts.items()} == {
        "train": 12,
        "validation": 12,
        "test": 12,
    }
    assert all(name.startswith("Train/") for name in images.train.names or [])
    assert all(name.startswith("val/") for name in images.validation.names or [])


def test_train_without_test_is_divided(class_folders, tmp_path):
    class_folders("data/train", number=10)
    images = load(tmp_path / "data")
    assert [len(images.train), len(images.validation), len(images.test)] == [13, 3, 4]


def test_numbered_classes_keep_their_meaning(class_folders):
    root = class_folders(classes=tuple(str(i) for i in range(12)))
    assert load(root).class_names == tuple(str(i) for i in range(12))


@pytest.mark.parametrize("name", ["my cat", "猫", "🐱", "<script>alert(1)</script>"[:8], "=cmd()", "n" * 255])
def test_odd_class_names(class_folders, name):
    assert set(load(class_folders(classes=(name, "dog"))).class_names) == {name, "dog"}


def test_names_that_are_no_text(class_folders, refusal):
    """As from archives made on other systems: files are taken, under a name that can be printed; classes not."""
    root = class_folders()
    os.rename(root / "cat" / "0.png", os.fsencode(root / "cat") + b"/caf\xe9.png")
    images = load(root)
    assert "cat/caf\ufffd.png" in pixels_by_name(images)
    images.record.save(root.parent / "record.json")
    os.rename(root / "cat", os.fsencode(root) + b"/caf\xe9")
    assert refusal(lambda: load(root)) == (
        "DIR/pictures/caf\ufffd: the name of this class folder is not text in UTF-8"
        "\n  expected: a name that can be printed\n  to mend:  rename the folder"
    )


def test_grey_and_colour_mixed(class_folders, tmp_path):
    root = class_folders(classes=("cat",))
    class_folders(classes=("dog",), mode="L")
    images = load(root)
    assert images.train.images_NHWC.shape[3] == 3
    assert images.warnings == ["grey and colour mixed: 6 of 12 images are grey"]
    assert images.record.check["modes"] == {"colour": 6, "grey": 6}


def test_grey_files_give_one_channel(class_folders):
    assert load(class_folders(mode="L")).train.images_NHWC.shape[3] == 1


def test_grey_images_in_colour_files(class_folders):
    root = class_folders(mode="L")
    for path in root.glob("*/*.png"):
        Image.open(path).convert("RGB").save(path)
    images = load(root)
    assert images.train.images_NHWC.shape[3] == 1
    assert images.warnings == ["colour files that hold grey images only: taken as grey"]
    assert load(root, images=ImageOptions(channels="colour")).train.images_NHWC.shape[3] == 3


def test_mixed_sizes(class_folders):
    root = class_folders(size=(20, 10))
    Image.fromarray(np.zeros((300, 200, 3), np.uint8)).save(root / "cat" / "big.png")
    images = load(root)
    assert images.train.images_NHWC.shape[1:] == (20, 10, 3)
    assert images.warnings == [
        "images of 2 sizes, from 20×10 to 300×200: brought to 20×10; choose another with --size"
    ]


def test_large_images_are_brought_to_a_sensible_size(class_folders):
    images = load(class_folders(number=3, size=(600, 300)))
    assert images.train.images_NHWC.shape[1:] == (224, 112, 3)
    assert images.warnings == ["images of 600×300: brought to 224×112; choose another with --size"]


def test_size_that_is_asked_for(class_folders):
    images = load(class_folders(), images=ImageOptions(size=(12, 16), channels="grey"))
    assert images.train.images_NHWC.shape[1:] == (12, 16, 1)
    assert images.preprocessing.model_dump(include={"height", "width", "channels", "fit"}) == {
        "height": 12, "width": 16, "channels": 1, "fit": "letterbox",
    }  # fmt: skip


def test_suffixes_in_any_case_and_none(class_folders):
    root = class_folders()
    (root / "cat" / "0.png").rename(root / "cat" / "0.PNG")
    (root / "cat" / "1.png").rename(root / "cat" / "1")
    Image.open(root / "cat" / "2.png").save(root / "cat" / "2.JFIF", "JPEG")
    Image.open(root / "cat" / "2.png").save(root / "cat" / "3.JPG", "JPEG")
    images = load(root)
    assert {"cat/0.PNG", "cat/1", "cat/2.JFIF", "cat/3.JPG"} <= set(pixels_by_name(images))


def test_what_file_managers_leave(class_folders):
    root = class_folders()
    for name in ("cat/Thumbs.db", "cat/._0.png", "dog/.DS_Store", ".DS_Store"):
        (root / name).write_bytes(b"\0\5\x16\7junk")
    (root / "__MACOSX").mkdir()
    (root / "cat" / "notes.txt").write_text("good cats")
    images = load(root)
    assert len(pixels_by_name(images)) == 12
    assert images.warnings == [
        "5 files of file managers left out: .DS_Store, __MACOSX, cat/._0.png, cat/Thumbs.db, dog/.DS_Store",
        "1 file left out, no images in class folders: cat/notes.txt",
    ]


def test_animated_gif(class_folders):
    root = class_folders(mode="L")
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (40, 200)]
    frames[0].save(root / "cat" / "x.gif", save_all=True, append_images=frames[1:])
    images = load(root, images=ImageOptions(channels="grey"))
    assert (pixels_by_name(images)["cat/x.gif"] == 40).all()
    assert "1 image of several frames, the first is taken: cat/x.gif" in images.warnings


def test_folders_inside_class_folders(class_folders):
    root = class_folders()
    (root / "cat" / "kittens").mkdir()
    (root / "cat" / "0.png").rename(root / "cat" / "kittens" / "0.png")
    images = load(root)
    assert images.class_names == ("cat", "dog")
    assert images.warnings == ["images in folders inside class folders belong to the outer class: cat/kittens"]


def test_unreadable_images_are_refused_with_their_names(class_folders, refusal):
    root = class_folders()
    (root / "cat" / "zero.png").touch()
    (root / "dog" / "text.png").write_text("no picture")
    half = root / "dog" / "half.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(half)
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    said = "cat/zero.png is empty, dog/text.png is text, no image"
    end = (
        "\n  expected: whole images\n  to mend:  replace or remove them, or leave them out with --skip-unreadable"
    )
    assert refusal(lambda: load(root)) == f"DIR/pictures: 2 files cannot be used: {said}{end}"
    (root / "cat" / "zero.png").unlink()
    (root / "dog" / "text.png").unlink()
    half_said = "dog/half.jpg is cut off: the image ends early"
    assert refusal(lambda: load(root)) == f"DIR/pictures: 1 file cannot be used: {half_said}{end}"
    result = check(root)
    assert not result.usable
    assert result.unreadable == {"dog/half.jpg": "is cut off: the image ends early"}


def test_unreadable_images_left_out_on_request(class_folders):
    root = class_folders()
    expected = load(root).record.fingerprint
    (root / "cat" / "zero.png").touch()
    half = root / "dog" / "half.png"
    half.write_bytes((root / "dog" / "0.png").read_bytes()[:-40])
    images = load(root, images=ImageOptions(skip_unreadable=True))
    assert images.record.fingerprint == expected
    assert images.warnings == [
        "1 file left out: cat/zero.png is empty",
        "1 file left out: dog/half.png is cut off: the image ends early",
    ]


def test_nothing_readable_of_a_class(class_folders, refusal):
    root = class_folders()
    for path in (root / "cat").iterdir():
        path.write_bytes(b"")
    assert refusal(lambda: load(root, images=ImageOptions(skip_unreadable=True))) == (
        "DIR/pictures: no readable images of class 'cat' in train\n  expected: images of each class"
    )


def test_too_large_image_in_a_folder(class_folders, refusal):
    root = class_folders()
    Image.new("1", (9000, 9000)).save(root / "cat" / "bomb.png")
    assert refusal(lambda: load(root)) == (
        "DIR/pictures: 1 file cannot be used: cat/bomb.png is 9,000 × 9,000 pixels, more than 50 megapixels"
        "\n  expected: whole images\n  to mend:  replace or remove them, or leave them out with --skip-unreadable"
    )


def test_one_class(class_folders, refusal):
    root = class_folders(classes=("cat",))
    assert refusal(lambda: load(root)) == (
        "DIR/pictures: one class only, 'cat'\n  expected: at least two class folders"
        "\n  to mend:  add a folder of images of another class"
    )


def test_one_folder_too_high(class_folders, tmp_path, refusal):
    class_folders("outer/data")
    assert refusal(lambda: load(tmp_path / "outer")) == (
        "DIR/outer: one class only, 'data'\n  expected: at least two class folders"
        "\n  to mend:  did you mean DIR/outer/data?"
    )


def test_empty_class(class_folders, refusal):
    root = class_folders()
    (root / "bird").mkdir()
    assert refusal(lambda: load(root)) == (
        "DIR/pictures/bird: holds no images\n  expected: images of this class\n  to mend:  add some, or remove it"
    )


def test_empty_folder(tmp_path, refusal):
    (tmp_path / "empty").mkdir()
    assert refusal(lambda: load(tmp_path / "empty")) == "DIR/empty: holds no class folders" + CLASS_FOLDERS


def test_no_class_folders(class_folders, refusal):
    assert refusal(lambda: load(class_folders() / "cat")) == (
        "DIR/pictures/cat: holds images, but no class folders" + CLASS_FOLDERS
        + "\n  to mend:  sort the images into one folder per class"
    )  # fmt: skip


def test_class_smaller_than_the_splits(class_folders, refusal):
    root = class_folders()
    for i in range(2, 6):
        (root / "dog" / f"{i}.png").unlink()
    assert refusal(lambda: load(root)) == (
        "DIR/pictures: class 'dog' has 2 different images, too few to divide into training and validation and test "
        "images\n  expected: at least 3\n  to mend:  add images of this class, or leave the class out"
    )


def test_test_without_train(class_folders, tmp_path, refusal):
    class_folders("data/test")
    assert refusal(lambda: load(tmp_path / "data")) == (
        "DIR/data: a folder test, but no folder train"
        "\n  expected: train/CLASS/…, and beside it validation and test if there are such images"
        "\n  to mend:  rename the folder of the training images to train, or name the class folders' own parent"
    )


def test_class_sets_that_differ(class_folders, tmp_path, refusal):
    class_folders("data/train")
    class_folders("data/val", classes=("cat", "wolf"), seed=1)
    assert refusal(lambda: load(tmp_path / "data")) == (
        "DIR/data: the classes of the validation images differ from those of the training images "
        "(only here: wolf; missing here: dog)\n  expected: the 2 classes cat, dog"
        "\n  to mend:  give both the same classes, by the same names"
    )


def test_the_same_bytes_in_two_splits(class_folders, tmp_path, refusal):
    class_folders("data/train")
    class_folders("data/test", seed=1)
    shutil.copy(tmp_path / "data/train/cat/3.png", tmp_path / "data/test/cat/copy.png")
    message = refusal(lambda: load(tmp_path / "data"))
    place = "validation" if "validation" in message else "train"
    assert message == (
        f"DIR/data: the same images in two splits: 1 image of test also in {place} "
        f"({place} train/cat/3.png = test test/cat/copy.png)"
        "\n  expected: each image in one split only, else the test accuracy is too high"
        "\n  to mend:  take the copies out, or allow them with --allow-leaks"
    )
    images = load(tmp_path / "data", splits=SplitOptions(allow_leaks=True))
    assert images.warnings == [f"the same images in two splits: 1 image of test also in {place}"]


def test_the_same_image_under_two_labels(class_folders):
    root = class_folders()
    shutil.copy(root / "cat" / "0.png", root / "dog" / "copy.png")
    images = load(root)
    assert codes(images) == ["duplicates", "conflicts"]
    assert images.warnings[1].startswith("1 image appears under more than one label, such as ")
    assert images.record.check["duplicates"]["conflicts"] == 1
    assert sum(images.record.check["duplicates"]["across"].values()) == 0  # copies stay in one split


def test_symbolic_links_in_a_circle(class_folders, refusal):
    root = class_folders()
    (root / "cat" / "again").symlink_to(root / "cat")
    assert refusal(lambda: load(root)) == (
        "DIR/pictures/cat/again: leads back to a folder above it" + CLASS_FOLDERS
        + "\n  to mend:  remove the link or the folder"
    )  # fmt: skip


def test_link_to_itself(class_folders, refusal):
    root = class_folders()
    (root / "cat" / "x.png").symlink_to(root / "cat" / "x.png")
    message = "is a symbolic link that leads to itself\n  expected: image files\n  to mend:  remove it"
    assert refusal(lambda: load(root)) == "DIR/pictures/cat/x.png: " + message
    (root / "loop").symlink_to(root / "loop")
    assert refusal(lambda: load(root / "loop")) == (
        "DIR/pictures/loop: is a symbolic link that leads to itself"
        "\n  expected: a folder of class folders, IDX files, a CSV file or an .npz file"
    )


def test_link_to_nowhere(class_folders, refusal):
    root = class_folders()
    (root / "cat" / "x.png").symlink_to(root / "gone.png")
    assert refusal(lambda: load(root)) == (
        "DIR/pictures/cat/x.png: is a link to a file that does not exist"
        "\n  expected: image files\n  to mend:  remove it"
    )


def test_folders_nested_too_deep(class_folders, refusal):
    root = class_folders()
    deep = root / "cat" / Path(*"d" * 40)
    deep.mkdir(parents=True)
    message = refusal(lambda: load(root))
    assert message == (
        "DIR/pictures/cat" + "/d" * 32 + ": lies more than 32 folders deep" + CLASS_FOLDERS
        + "\n  to mend:  remove the link or the folder"
    )  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("place", ["cat/pipe.png", "pipe"])
def test_pipe_does_not_hang(class_folders, refusal, place):
    root = class_folders()
    os.mkfifo(root / place)
    assert refusal(lambda: load(root)) == (
        f"DIR/pictures/{place}: is not a regular file (a pipe, socket or device)"
        "\n  expected: image files\n  to mend:  remove it"
    )
    assert refusal(lambda: load(root / place)) == (
        f"DIR/pictures/{place}: is neither a file nor a folder"
        "\n  expected: a folder of class folders, IDX files, a CSV file or an .npz file"
    )


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that everybody may reach."""
    with open_folder() as folder:
        yield folder


@pytest.mark.parametrize("what", ["folder", "file"])
def test_no_permission(class_folders, open_place, monkeypatch, refusal, what):
    root = open_place / "pictures"
    shutil.copytree(class_folders(), root)
    monkeypatch.setenv("LINEWISE_CACHE", str(open_place / "cache"))
    os.chmod(root / "cat" if what == "folder" else root / "cat" / "0.png", 0)
    with without_rights():
        message = refusal(lambda: load(root)).replace(str(open_place), "DIR")
    os.chmod(root / "cat", 0o755)
    if what == "folder":
        mend = "\n  to mend:  check the folder's permissions"
        assert message == "DIR/pictures/cat: may not be read (permission denied)" + mend
    else:
        assert message == (
            "DIR/pictures: 1 file cannot be used: cat/0.png may not be read (permission denied)"
            "\n  expected: whole images\n  to mend:  replace or remove them, or leave them out with --skip-unreadable"
        )


def test_cache_that_cannot_be_written(class_folders, tmp_path, monkeypatch, refusal):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LINEWISE_CACHE", str(tmp_path / "file"))
    assert refusal(lambda: load(class_folders())) == (
        "DIR/file/decoded: the cache folder cannot be written (Not a directory)"
        "\n  to mend:  name another with LINEWISE_CACHE"
    )


def test_no_room_in_the_cache(class_folders, own_cache, monkeypatch, refusal):
    usage = shutil._ntuple_diskusage(10**9, 10**9, 1000)
    monkeypatch.setattr("linewise.images.files.cache.shutil.disk_usage", lambda path: usage)
    message = refusal(lambda: load(class_folders())).replace(str(own_cache), "CACHE")
    assert message == (
        "CACHE/decoded: 12 images of 8×8 need 0.0 GB, 0.0 are free"
        "\n  to mend:  choose smaller images with --size, another folder with LINEWISE_CACHE, or make room: "
        "linewise data cache"
    )


def test_missing_path(tmp_path, refusal):
    (tmp_path / "pictures").mkdir()
    names = "digits, mnist, fashion-mnist, kmnist, cifar10"
    assert refusal(lambda: load(tmp_path / "picturs")) == (
        "DIR/picturs: there is no such data set, file or folder"
        f"\n  expected: a path, or one of {names}\n  to mend:  did you mean 'DIR/pictures'?"
    )
    assert refusal(lambda: load("mnits")) == (
        "mnits: there is no such data set, file or folder"
        f"\n  expected: a path, or one of {names}\n  to mend:  did you mean 'mnist'?"
    )
