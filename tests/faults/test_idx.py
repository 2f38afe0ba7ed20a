"""Broken IDX folders given to `linewise compare`: whole message, exit code 3, nothing written; bounded memory."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from linewise.images import load
from refusals import refused

AGAIN = "\n  to mend:  download or copy it again"
IMAGES = np.random.default_rng(5).integers(0, 256, (40, 6, 5), np.uint8)
LABELS = (np.arange(40) % 4).astype(np.uint8)
IMAGES_FILE, LABELS_FILE = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command writes without being told where would be seen here."""
    monkeypatch.chdir(tmp_path)


def idx(array: np.ndarray) -> bytes:
    code = {"u1": 0x08, "i4": 0x0C, "f8": 0x0E}[array.dtype.str[1:]]
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def folder(root: Path, images: bytes | None = None, labels: bytes | None = None) -> Path:
    root.mkdir()
    (root / IMAGES_FILE).write_bytes(gzip.compress(idx(IMAGES)) if images is None else images)
    (root / LABELS_FILE).write_bytes(gzip.compress(idx(LABELS)) if labels is None else labels)
    return root


WHOLE, PACKED = idx(IMAGES), gzip.compress(idx(IMAGES), mtime=0)
DECLARED = "\n  expected: 1,200 bytes after the header (40×6×5 values of 1 byte)" + AGAIN


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (b"", "is empty\n  expected: an IDX file" + AGAIN),
        (gzip.compress(b"", mtime=0), "is empty\n  expected: an IDX file" + AGAIN),
        (WHOLE[:16], "1,200 bytes are missing" + DECLARED),
        (WHOLE[:-1], "1 byte is missing" + DECLARED),
        (
            WHOLE + b"\n",
            "goes on after the 1,200 bytes that its header declares (40×6×5 values of 1 byte)"
            "\n  expected: nothing after the values" + AGAIN,
        ),
        (
            gzip.compress(WHOLE, mtime=0) + gzip.compress(b"\n", mtime=0),
            "goes on after the 1,200 bytes that its header declares (40×6×5 values of 1 byte)"
            "\n  expected: nothing after the values" + AGAIN,
        ),
        (
            WHOLE[:2] + b"\x0a" + WHOLE[3:],
            "type code 0x0a\n  expected: one of 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e",
        ),
        (
            struct.pack(">BBBBIII", 0, 0, 8, 3, 2**31, 2**31, 1),
            "the header declares 2147483648×2147483648×1 values of 1 byte, 4,611,686,018,427,387,904 bytes, in a file "
            "of 16 bytes\n  expected: an IDX file of images or labels",
        ),
        (
            struct.pack(">BBBBIII", 0, 0, 8, 3, 0, 2**31, 2**31),
            "the header declares 0×2147483648×2147483648 values, so there are none"
            "\n  expected: an IDX file of images or labels" + AGAIN,
        ),
        (
            idx(np.zeros((40, 0, 5), np.uint8)),
            "the header declares 40×0×5 values, so there are none\n  expected: an IDX file of images or labels" + AGAIN,
        ),
        (
            idx(IMAGES.reshape(40, 30)),
            "an array of 2 dimensions\n  expected: images: 3 or 4 dimensions",
        ),
        (PACKED[:-9], "the gzip file is cut off\n  expected: a whole file" + AGAIN),
        (
            b"<!DOCTYPE html><html><title>404</title></html>",
            "is an HTML page, not an IDX file\n  expected: an IDX file"
            "\n  to mend:  the download led to a web page; download the file itself",
        ),
        (
            gzip.compress(PACKED, mtime=0),
            "starts with the bytes 1f 8b 08 00\n  expected: an IDX file: 00 00, a type and a number of dimensions",
        ),
    ],
)  # fmt: skip
def test_broken_images(linewise: Callable, tmp_path: Path, images: bytes, message: str) -> None:
    data = folder(tmp_path / "data", images)
    assert refused(linewise, tmp_path, 3, "compare", data) == f"DIR/data/{IMAGES_FILE}: {message}"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            idx(LABELS[:39]),
            f"DIR/data/{IMAGES_FILE}, {LABELS_FILE}: 40 images but 39 labels"
            "\n  expected: one label for each image of train\n  to mend:  check that the two belong together",
        ),
        (
            idx(IMAGES),
            f"DIR/data/{LABELS_FILE}: an array of 3 dimensions\n  expected: labels: 1 dimension",
        ),
        (
            idx(np.full(40, 0.5)),
            f"DIR/data/{LABELS_FILE}: labels of type float64\n  expected: whole numbers or strings, one per image",
        ),
        (
            idx(np.where(LABELS == 1, np.nan, LABELS)),
            f"DIR/data/{LABELS_FILE}: labels of type float64\n  expected: whole numbers or strings, one per image",
        ),
        (idx(np.zeros(40, np.uint8)), "DIR/data: one class only, '0'\n  expected: at least two classes\n  to mend:  add images of another class"),
    ],
)  # fmt: skip
def test_broken_labels(linewise: Callable, tmp_path: Path, labels: bytes, message: str) -> None:
    data = folder(tmp_path / "data", labels=labels)
    assert refused(linewise, tmp_path, 3, "compare", data) == message


def test_swapped(linewise: Callable, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", idx(LABELS), WHOLE)
    assert refused(linewise, tmp_path, 3, "compare", data) == (
        f"DIR/data/{IMAGES_FILE}: holds labels, and {LABELS_FILE} holds images"
        f"\n  expected: images in {IMAGES_FILE}, labels in {LABELS_FILE}\n  to mend:  swap the names of the two files"
    )


def test_label_beyond_the_classes(linewise: Callable, tmp_path: Path) -> None:
    data = folder(tmp_path / "mnist", labels=idx(np.where(LABELS == 3, 10, LABELS).astype(np.uint8)))
    said = refused(linewise, tmp_path, 3, "compare", "mnist", "--data-dir", data.parent)
    assert said == f"DIR/mnist/{LABELS_FILE}: label 10 of image 3 is beyond the classes\n  expected: 0 to 9"


@pytest.mark.timeout(20)
def test_a_pipe_does_not_hang(linewise: Callable, tmp_path: Path) -> None:
    data = folder(tmp_path / "data")
    (data / IMAGES_FILE).unlink()
    os.mkfifo(data / IMAGES_FILE)
    said = refused(linewise, tmp_path, 3, "compare", data)
    assert said == f"DIR/data/{IMAGES_FILE}: is not a regular file\n  expected: an IDX file"


def test_other_packings_and_types_are_right(tmp_path: Path) -> None:
    """Packed in several members, packed or not whatever the name, int32, float64: the same images."""
    expected = load(folder(tmp_path / "a")).record.fingerprint
    half = len(WHOLE) // 2
    members = gzip.compress(WHOLE[:half]) + gzip.compress(WHOLE[half:])
    others = {
        "members": (members, None),
        "plain": (WHOLE, idx(LABELS)),
        "int32": (idx(IMAGES.astype(np.int32)), idx(LABELS.astype(np.int32))),
        "float64": (gzip.compress(idx(IMAGES.astype(np.float64))), idx(LABELS.astype(np.float64))),
    }
    for name, (images, labels) in others.items():
        assert load(folder(tmp_path / name, images, labels)).record.fingerprint == expected, name


BOMB = """
import sys, time
from pathlib import Path
from linewise.images.sources.idx_file import read_idx
from linewise.foundations.errors import DataError
from memory import peak
before, started = peak(), time.perf_counter()
try:
    read_idx(Path(sys.argv[1]))
except DataError as error:
    print(error.found)
print(time.perf_counter() - started, (peak() - before) / 1e6)
"""


def measured(path: Path) -> tuple[str, float, float]:
    """What is said of a file, in how many seconds and MB, in a process of its own."""
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])}
    command = [sys.executable, "-c", BOMB, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=here)
    *said, numbers = done.stdout.splitlines()
    seconds, megabytes = map(float, numbers.split())
    return "\n".join(said), seconds, megabytes


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((2**31 // 784, 28, 28), "the header declares 2739137×28×28 values of 1 byte, 2,147,483,408 bytes, in a file of "),
        ((2, 28, 28), "goes on after the 1,568 bytes that its header declares (2×28×28 values of 1 byte)"),
    ],
    ids=["declared", "hidden"],
)  # fmt: skip
def test_two_megabytes_that_unpack_to_two_gigabytes(tmp_path: Path, shape: tuple, said: str) -> None:
    head = gzip.compress(struct.pack(">BBBBIII", 0, 0, 8, 3, *shape))
    zeros = gzip.compress(bytes(2**24))
    path = tmp_path / "bomb.gz"
    path.write_bytes(head + 128 * zeros)
    assert path.stat().st_size < 2.2e6
    found, seconds, megabytes = measured(path)
    assert found.startswith(said)
    assert seconds < 1
    assert megabytes < 50


def test_two_to_the_31_squared_takes_neither_time_nor_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(struct.pack(">BBBBII", 0, 0, 8, 2, 2**31, 2**31) + bytes(100))
    found, seconds, megabytes = measured(path)
    assert found == (
        "the header declares 2147483648×2147483648 values of 1 byte, 4,611,686,018,427,387,904 bytes, in a file of "
        "112 bytes"
    )
    assert seconds < 1
    assert megabytes < 50
