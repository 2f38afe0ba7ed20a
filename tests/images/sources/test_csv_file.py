"""Kaggle's tables against arrays written by NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from linewise.images import load

IMAGES = np.random.default_rng(2).integers(0, 256, (30, 4, 4), np.uint8)
LABELS = np.arange(30) % 3
HEAD = "label," + ",".join(f"pixel{i}" for i in range(16))
KIND = "\n  expected: label,pixel0,pixel1,… and one line per square grey image"


def table(images=IMAGES, labels=LABELS, head: str | None = HEAD, *, last: bool = False, end: str = "\n") -> str:
    rows = [head] if head else []
    for image, label in zip(images, labels, strict=True):
        cells = [str(v) for v in image.ravel()]
        rows.append(",".join([*cells, str(label)] if last else [str(label), *cells]))
    return end.join(rows) + end


EXPECTED = load((IMAGES, LABELS)).record.fingerprint


@pytest.mark.parametrize(
    "text",
    [
        table(),
        table(head=None),
        table(end="\r\n"),
        "\ufeff" + table(),
        table() + "\n\n",
        table().replace(",", ";"),
        table().replace("label", '"label"'),
        table(head=HEAD.removeprefix("label,") + ",class", last=True),
        table(labels=[f"{label}.0" for label in LABELS]),
        table().replace(",", "\t"),
        table(head=HEAD.replace("label", "Target")),
        table(head=HEAD.removeprefix("label,") + ",y", last=True).replace("\n", "\n\n"),
        "\n".join(",".join(f' "{cell}" ' for cell in line.split(",")) for line in table().splitlines()),
        table().replace(",0,", ",+000,"),
    ],
    ids=[
        "kaggle", "no header", "windows", "mark", "blank lines", "semicolons", "quotes", "label last", "floats", "tabs", "target",
        "label last and blank lines", "all in quotes", "signs and zeros",
    ],
)  # fmt: skip
def test_same_images_from_every_dialect(tmp_path, text):
    path = tmp_path / "digits.csv"
    path.write_bytes(text.encode())
    assert load(path).record.fingerprint == EXPECTED


def test_names_as_labels(tmp_path):
    (tmp_path / "x.csv").write_text(table(labels=[("猫", "dog", "cow")[i] for i in LABELS]), encoding="utf-8")
    assert load(tmp_path / "x.csv").class_names == ("cow", "dog", "猫")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["-3", "0", "12"], ("-3", "0", "12")),
        (["01", "1.00", "2"], ("1", "2")),  # numbers, however they are written
        (["1", "2", "1e3"], ("1", "1e3", "2")),  # one that is not whole: all of them are names
        (["1", "2", "9" * 19], ("1", "2", "9" * 19)),  # more digits than numbers of a machine have
    ],
)
def test_labels_are_numbers_or_names(tmp_path, labels, names):
    (tmp_path / "x.csv").write_text(table(labels=[labels[i] for i in LABELS]))
    assert load(tmp_path / "x.csv").class_names == names


def test_another_separator_by_its_name(tmp_path):
    (tmp_path / "x.TSV").write_text(table().replace(",", "\t"))
    assert load(tmp_path / "x.TSV").record.fingerprint == EXPECTED


def test_two_files_for_one_split(tmp_path, refusal):
    for name in ("train.csv", "my-Train.CSV", "test.csv", "notes.csv"):
        (tmp_path / name).write_text(table())
    assert refusal(lambda: load(tmp_path)) == (
        "DIR: two files for the train images: my-Train.CSV and train.csv\n  expected: one"
    )


def test_folder_with_train_and_test(tmp_path):
    (tmp_path / "mnist_train.csv").write_text(table())
    (tmp_path / "mnist_test.csv").write_text(table(255 - IMAGES[:6], LABELS[:6]))
    images = load(tmp_path)
    assert len(images.test) == 6
    test = images.test.open("compare", lambda reason: None)
    np.testing.assert_array_equal(test.images_NHWC[..., 0], 255 - IMAGES[:6])


def test_kaggles_test_file_without_labels(tmp_path):
    (tmp_path / "train.csv").write_text(table())
    (tmp_path / "test.csv").write_text("\n".join(line.partition(",")[2] for line in table().splitlines()))
    images = load(tmp_path)
    assert images.warnings == ["test.csv has no labels: left out"]
    assert len(images.test) == 6


def test_a_part_without_labels_is_left_out_and_those_after_it_are_not(tmp_path):
    (tmp_path / "train.csv").write_text(table())
    (tmp_path / "val.csv").write_text("\n".join(line.partition(",")[2] for line in table().splitlines()))
    (tmp_path / "test.csv").write_text(table(255 - IMAGES[:9], LABELS[:9]))
    images = load(tmp_path)
    assert images.warnings == ["val.csv has no labels: left out"]
    assert [warning["code"] for warning in images.record.check["warnings"]] == ["no_labels"]
    assert len(images.test) == 9
    (tmp_path / "val.csv").write_text(table(254 - IMAGES[:6], LABELS[:6]))
    assert len(load(tmp_path).validation) == 6


LINES = table().splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": is empty" + KIND),
        (HEAD + "\n", ": holds no images" + KIND),
        (
            "\n".join([*LINES[:4], LINES[4].rpartition(",")[0], *LINES[5:]]),
            ", line 5: 16 columns\n  expected: 17 columns",
        ),
        (
            "\n".join([*LINES[:2], "1,0,red" + ",0" * 14, *LINES[3:]]),
            ", line 3, column 3 (pixel1): 'red'\n  expected: a whole number 0..255",
        ),
        (
            "\n".join([*LINES[:2], "1,256" + ",0" * 15, *LINES[3:]]),
            ", line 3, column 2 (pixel0): '256'\n  expected: a whole number 0..255",
        ),
        (
            "\n".join([*LINES[:2], "1,0.5" + ",0" * 15, *LINES[3:]]),
            ", line 3, column 2 (pixel0): '0.5'\n  expected: a whole number 0..255",
        ),
        (
            "\n".join([*LINES[:2], "1," + ",0" * 15, *LINES[3:]]),
            ", line 3, column 2 (pixel0): ''\n  expected: a whole number 0..255",
        ),
        ("\n".join([*LINES[:2], "," + "0," * 15 + "0", *LINES[3:]]), ": no label in line 3" + KIND),
        (
            "label," + ",".join(f"p{i}" for i in range(15)),
            ", line 1: 15 pixel columns\n  expected: a square number, such as 784 = 28×28",
        ),
        (
            "label," + ",".join(f"p{i}" for i in range(48)),
            ", line 1: 48 pixel columns\n  expected: a square number, such as 784 = 28×28"
            "\n  to mend:  save colour images as .npz or as image files",
        ),
        ("\n".join(line.partition(",")[2] for line in LINES), ": no column of labels" + KIND),
        (
            "\n".join([*LINES[:2], "", "1" + ",0" * 15 + ",300", *LINES[3:]]),
            ", line 4, column 17 (pixel15): '300'\n  expected: a whole number 0..255",
        ),
        (
            "\n".join([*LINES[1:3], "1," + "x" * 50 + ",0" * 15, *LINES[3:]]),
            f", line 3, column 2: '{'x' * 40}'\n  expected: a whole number 0..255",
        ),
        (
            "\n".join([HEAD.removeprefix("label,") + ",label", "-1" + ",0" * 15 + ",1"]),
            ", line 2, column 1 (pixel0): '-1'\n  expected: a whole number 0..255",
        ),
        (
            "\n".join([HEAD.removeprefix("label,") + ",label", "0," * 15 + "1000,1"]),
            ", line 2, column 16 (pixel15): '1000'\n  expected: a whole number 0..255",
        ),
        ("\n".join([LINES[1], *["," + "0," * 15 + "0"] * 3]), ": no label in line 2, 3, 4" + KIND),
        (
            "label,a,b,c",
            ", line 1: 3 pixel columns\n  expected: a square number, such as 784 = 28×28\n"
            "  to mend:  save colour images as .npz or as image files",
        ),
        (
            "pixel0,label," + ",".join(f"p{i}" for i in range(15)),
            ", line 1: column 2 holds the labels\n  expected: the first or the last column",
        ),
    ],
)
def test_broken_tables(tmp_path, refusal, text, message):
    (tmp_path / "x.csv").write_text(text)
    assert refusal(lambda: load(tmp_path / "x.csv")) == "DIR/x.csv" + message


def test_no_text(tmp_path, refusal):
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x80" * 10)
    assert refusal(lambda: load(tmp_path / "x.csv")) == "DIR/x.csv: is not text in UTF-8" + KIND


def test_endless_line(tmp_path, refusal):
    (tmp_path / "x.csv").write_text(HEAD + "\n" + "1," * 2**22)
    assert refusal(lambda: load(tmp_path / "x.csv")) == (
        "DIR/x.csv, line 2: is longer than 4,194,304 characters\n  expected: one image per line"
    )
