"""Folders and labels that cannot be used, typed as a command; and odd names that must be right."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from linewise.foundations.folder import StudyFolder
from linewise.images import load
from refusals import class_folders, refused

CLASS_FOLDERS = "\n  expected: one folder per class, with its images inside, such as cat/1.png and dog/1.png"
ODD = (
    "<script>alert(1)<",
    "=cmd()",
    "a b",
    "🐱",
    "猫",
    "n" * 255,
    "\u05d7\u05ea\u05d5\u05dc",
    "a\nb",
    "\x1b[31mred",
)


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command writes without being told where would be seen here."""
    monkeypatch.chdir(tmp_path)


def one_class(root: Path) -> str:
    class_folders(root, ("cat",))
    return (
        "DIR/data: one class only, 'cat'\n  expected: at least two class folders"
        "\n  to mend:  add a folder of images of another class"
    )


def empty_class(root: Path) -> str:
    (class_folders(root) / "bird").mkdir()
    return "DIR/data/bird: holds no images\n  expected: images of this class\n  to mend:  add some, or remove it"


def class_of_notes(root: Path) -> str:
    (class_folders(root) / "bird").mkdir()
    (root / "bird" / "notes.txt").write_text("no bird")
    return "DIR/data/bird: holds no images\n  expected: images of this class\n  to mend:  add some, or remove it"


def no_folders(root: Path) -> str:
    root.mkdir()
    return "DIR/data: holds no class folders" + CLASS_FOLDERS


def loose_images(root: Path) -> str:
    shutil.move(class_folders(root / "x") / "cat", root / "y")
    shutil.rmtree(root / "x")
    for path in list((root / "y").iterdir()):
        path.rename(root / path.name)
    (root / "y").rmdir()
    return (
        "DIR/data: holds images, but no class folders" + CLASS_FOLDERS
        + "\n  to mend:  sort the images into one folder per class"
    )  # fmt: skip


def small_class(root: Path) -> str:
    class_folders(root, ("cat", "dog", "eel"))
    for i in range(1, 6):
        (root / "eel" / f"{i}.png").unlink()
    return (
        "DIR/data: class 'eel' has 1 different image, too few to divide into training and validation and test images"
        "\n  expected: at least 3\n  to mend:  add images of this class, or leave the class out"
    )


def loop(root: Path) -> str:
    (class_folders(root) / "cat" / "all").symlink_to(root)
    return (
        "DIR/data/cat/all: leads back to a folder above it" + CLASS_FOLDERS
        + "\n  to mend:  remove the link or the folder"
    )  # fmt: skip


def pipe(root: Path) -> str:
    os.mkfifo(class_folders(root) / "cat" / "x.png")
    return (
        "DIR/data/cat/x.png: is not a regular file (a pipe, socket or device)"
        "\n  expected: image files\n  to mend:  remove it"
    )


def device(root: Path) -> str:
    (class_folders(root) / "cat" / "x.png").symlink_to("/dev/zero")
    return (
        "DIR/data/cat/x.png: is not a regular file (a pipe, socket or device)"
        "\n  expected: image files\n  to mend:  remove it"
    )


def other_classes(root: Path) -> str:
    class_folders(root / "train")
    class_folders(root / "validation", ("cat", "wolf"), seed=1)
    return (
        "DIR/data: the classes of the validation images differ from those of the training images "
        "(only here: wolf; missing here: dog)\n  expected: the 2 classes cat, dog"
        "\n  to mend:  give both the same classes, by the same names"
    )


def leak(root: Path) -> str:
    class_folders(root / "train")
    class_folders(root / "validation", seed=1)
    class_folders(root / "test", seed=2)
    shutil.copy(root / "train" / "dog" / "3.png", root / "test" / "dog" / "copy.png")
    return (
        "DIR/data: the same images in two splits: 1 image of test also in train "
        "(train train/dog/3.png = test test/dog/copy.png)"
        "\n  expected: each image in one split only, else the test accuracy is too high"
        "\n  to mend:  take the copies out, or allow them with --allow-leaks"
    )


def two_tests(root: Path) -> str:
    class_folders(root / "train")
    class_folders(root / "test", seed=1)
    class_folders(root / "Testing", seed=2)
    return "DIR/data: two folders for the test images: Testing and test\n  expected: one"


def named_no_text(root: Path) -> str:
    class_folders(root)
    os.rename(root / "cat", os.fsencode(root) + b"/caf\xe9")
    return (
        "DIR/data/caf\ufffd: the name of this class folder is not text in UTF-8"
        "\n  expected: a name that can be printed\n  to mend:  rename the folder"
    )


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "make",
    [
        one_class, empty_class, class_of_notes, no_folders, loose_images, small_class, loop, pipe, device, other_classes,
        leak, two_tests, named_no_text,
    ],
    ids=lambda make: make.__name__,
)  # fmt: skip
def test_refused(linewise: Callable, tmp_path: Path, make: Callable[[Path], str]) -> None:
    message = make(tmp_path / "data")
    assert refused(linewise, tmp_path, 3, "compare", tmp_path / "data") == message


def test_numbered_classes_keep_their_meaning(tmp_path: Path) -> None:
    """0 to 11 in folders that the system lists as 0, 1, 10, 11, 2, …: label k is class k."""
    root = class_folders(tmp_path / "data", tuple(str(k) for k in range(12)), number=4)
    images = load(root)
    assert images.class_names == tuple(str(k) for k in range(12))
    for name, label in zip(images.train.names or [], images.train.labels_N.tolist(), strict=True):
        assert name.split("/")[0] == str(label)


def test_odd_class_names_go_through_a_whole_study(linewise: Callable, tmp_path: Path) -> None:
    """Trained, tested, reported, predicted: inert in the page, disarmed in tables, as they are in the records."""
    root = class_folders(tmp_path / "data", ODD, number=5)
    (root / "猫" / "0.png").rename(root / "猫" / "🐱 =cmd() <b>.png")
    study = tmp_path / "s"
    said = linewise(
        "compare", root, "--models", "linear", "--epochs", 1, "--seeds", 1, "--jobs", 0, "--out", study
    )
    assert said.code == 0, said.err
    assert set(StudyFolder.open(study).spec().data.class_names) == set(ODD)
    page = (study / "report" / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "\u2068\u05d7\u05ea\u05d5\u05dc\u2069" in page
    assert "\x1b" not in page
    assert "\x1b" not in said.out + said.err
    results = json.loads((study / "report" / "results.json").read_text(encoding="utf-8"))
    assert "=cmd()" in json.dumps(results, ensure_ascii=False)
    with (study / "report" / "results.csv").open(newline="", encoding="utf-8") as file:
        assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(("=", "+", "@"))]
    checked = linewise("data", "check", root)
    assert checked.code == 0
    assert "\x1b" not in checked.out
    (root / "a b" / "\x1b[2J.png").touch()
    for command in (("data", "check"), ("compare",), ("data", "check", "--skip-unreadable")):
        told = linewise(*command, root)
        assert "\x1b" not in told.out + told.err
        assert "\\x1b[2J.png is empty" in told.out + told.err


def test_data_that_changed_before_going_on(linewise: Callable, tmp_path: Path) -> None:
    root = class_folders(tmp_path / "data")
    options = (
        "--models",
        "linear",
        "--epochs",
        1,
        "--seeds",
        1,
        "--jobs",
        0,
        "--no-report",
        "--out",
        tmp_path / "s",
    )
    assert linewise("compare", root, *options).code == 0
    before = StudyFolder.open(tmp_path / "s").spec().data.fingerprint
    (root / "cat" / "0.png").write_bytes((root / "cat" / "0.png").read_bytes()[:-12] + bytes(12))
    shutil.copy(class_folders(tmp_path / "more", seed=9) / "cat" / "0.png", root / "cat" / "0.png")
    after = load(root).record.fingerprint
    assert refused(linewise, tmp_path, 3, "compare", root, *options) == (
        f"DIR/s: the images changed since this study began (fingerprint {after[:12]}, was {before[:12]})"
        "\n  expected: the same images, sizes and splits\n  to mend:  choose another --out for a new study"
    )
