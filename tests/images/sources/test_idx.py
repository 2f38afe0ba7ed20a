"""IDX files: what must be right, and every way in which they are broken."""

from __future__ import annotations

import gzip
import shutil
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from linewise.images import load
from linewise.images.sources.idx_file import read_idx

AGAIN = "\n  to mend:  download or copy it again"


@given(
    array=st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"]).flatmap(
        lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5), elements={})
    ),
    packed=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_array_comes_back(tmp_path, as_idx, array, packed):
    path = tmp_path / ("any.gz" if not packed else "any")  # the suffix says the opposite
    path.write_bytes(gzip.compress(as_idx(array)) if packed else as_idx(array))
    np.testing.assert_array_equal(read_idx(path), array)


def write(tmp_path: Path, data: bytes, name: str = "train-images-idx3-ubyte") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
HEADER = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 3, 4)
BODY = IMAGES.tobytes()
PLACE = "DIR/train-images-idx3-ubyte: "
WANTED = "\n  expected: 24 bytes after the header (2×3×4 values of 1 byte)" + AGAIN


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty\n  expected: an IDX file" + AGAIN),
        (HEADER, "24 bytes are missing" + WANTED),
        (HEADER[:9], "the header ends after 9 bytes\n  expected: 16 bytes" + AGAIN),
        (HEADER + BODY[:-1], "1 byte is missing" + WANTED),
        (
            HEADER + BODY + b"\0",
            "goes on after the 24 bytes that its header declares (2×3×4 values of 1 byte)"
            "\n  expected: nothing after the values" + AGAIN,
        ),
        (b"\0\0\x07\x03", "type code 0x07\n  expected: one of 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e"),
        (b"\0\0\x08\0", "0 dimensions\n  expected: 1 (labels) or 3 (images)"),
        (
            b"\x89PNG",
            "starts with the bytes 89 50 4e 47\n  expected: an IDX file: 00 00, a type and a number of dimensions",
        ),
        (
            b"<!DOCTYPE html><html>404</html>",
            "is an HTML page, not an IDX file\n  expected: an IDX file"
            "\n  to mend:  the download led to a web page; download the file itself",
        ),
    ],
)
def test_broken_files(tmp_path, refusal, data, message, packed):
    path = write(tmp_path, gzip.compress(data) if packed else data)
    assert refusal(lambda: read_idx(path)) == PLACE + message


def test_truncated_gzip(tmp_path, refusal):
    path = write(tmp_path, gzip.compress(HEADER + BODY)[:-10])
    assert refusal(lambda: read_idx(path)) == PLACE + "the gzip file is cut off\n  expected: a whole file" + AGAIN


def test_gzip_with_a_flipped_bit(tmp_path, refusal):
    data = bytearray(gzip.compress(HEADER + BODY))
    data[-6] ^= 1  # in the checksum
    message = refusal(lambda: read_idx(write(tmp_path, bytes(data))))
    assert message.startswith(PLACE + "the gzip file is damaged (CRC check failed")
    assert message.endswith("\n  expected: a whole file\n  to mend:  download it again")


def test_huge_declaration_is_refused_at_once(tmp_path, refusal):
    path = write(tmp_path, struct.pack(">BBBBII", 0, 0, 8, 2, 2**31, 2**31) + bytes(100))
    tracemalloc.start()
    start = time.perf_counter()
    message = refusal(lambda: read_idx(path))
    seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert message == (
        PLACE + "the header declares 2147483648×2147483648 values of 1 byte, 4,611,686,018,427,387,904 bytes, "
        "in a file of 112 bytes\n  expected: an IDX file of images or labels"
    )
    assert seconds < 1
    assert peak < 50e6


@pytest.mark.parametrize("honest", [True, False], ids=["declared", "hidden"])
def test_gzip_bomb(tmp_path, refusal, honest):
    """2 GB in 2 MB: refused whether the header owns up to it or not."""
    path = tmp_path / "bomb.gz"
    number = 2**31 // 784 if honest else 2
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(struct.pack(">BBBBIII", 0, 0, 8, 3, number, 28, 28))
        for _ in range(16):
            file.write(bytes(2**24))
    tracemalloc.start()
    message = refusal(lambda: read_idx(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = path.stat().st_size
    if honest:
        assert message == (
            f"DIR/bomb.gz: the header declares 2739137×28×28 values of 1 byte, 2,147,483,408 bytes, in a file of "
            f"{size:,} bytes\n  expected: an IDX file of images or labels"
        )
    else:
        assert message == (
            "DIR/bomb.gz: goes on after the 1,568 bytes that its header declares (2×28×28 values of 1 byte)"
            "\n  expected: nothing after the values" + AGAIN
        )
    assert peak < 50e6


def test_folder_as_it_should_be(idx_folder):
    images = load(idx_folder())
    assert images.record.counts["test"] == {"0": 5, "1": 5, "2": 5, "3": 5}
    assert len(images.train) + len(images.validation) == 40
    assert images.train.images_NHWC.shape[1:] == (6, 5, 1)
    generator = np.random.default_rng(5)
    every_image = generator.integers(0, 256, (40, 6, 5), np.uint8)
    here = np.concatenate([images.train.images_NHWC, images.validation.images_NHWC])[..., 0]
    assert {i.tobytes() for i in here} == {i.tobytes() for i in every_image}


def test_packed_or_not_whatever_the_name_says(idx_folder):
    first = load(idx_folder("a", packed=True, suffix=".gz")).record.fingerprint
    assert first == load(idx_folder("b", packed=False, suffix=".gz")).record.fingerprint
    assert first == load(idx_folder("c", packed=True, suffix="")).record.fingerprint
    assert first == load(idx_folder("d", packed=False, suffix="")).record.fingerprint


def test_torchvision_layout(idx_folder, tmp_path):
    plain = idx_folder("plain")
    expected = load(plain).record.fingerprint
    (tmp_path / "root" / "MNIST").mkdir(parents=True)
    shutil.copytree(plain, tmp_path / "root" / "MNIST" / "raw")
    assert load(tmp_path / "root").record.fingerprint == expected
    assert load(tmp_path / "root" / "MNIST").record.fingerprint == expected


def test_other_number_types(idx_folder, as_idx):
    """int32 and float64 images of the same values are the same images; big-endian on disk."""
    generator = np.random.default_rng(5)
    train = generator.integers(0, 256, (40, 6, 5), np.uint8)
    expected = load(idx_folder("u1")).record.fingerprint
    labels = (np.arange(40) % 4).astype(np.int32)
    as_int = idx_folder("i4", train_images=as_idx(train.astype(np.int32)), train_labels=as_idx(labels))
    assert load(as_int).record.fingerprint == expected
    as_float = idx_folder("f8", train_images=as_idx(train.astype(np.float64)))
    assert load(as_float).record.fingerprint == expected


def test_images_and_labels_swapped(idx_folder, refusal):
    folder = idx_folder()
    images, labels = folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz"
    images.rename(folder / "x")
    labels.rename(images)
    (folder / "x").rename(labels)
    assert refusal(lambda: load(folder)) == (
        "DIR/small/train-images-idx3-ubyte.gz: holds labels, and train-labels-idx1-ubyte.gz holds images"
        "\n  expected: images in train-images-idx3-ubyte.gz, labels in train-labels-idx1-ubyte.gz"
        "\n  to mend:  swap the names of the two files"
    )


def test_counts_differ(idx_folder, as_idx, refusal):
    folder = idx_folder(train_labels=as_idx(np.zeros(39, np.uint8)))
    assert refusal(lambda: load(folder)) == (
        "DIR/small/train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz: 40 images but 39 labels"
        "\n  expected: one label for each image of train"
        "\n  to mend:  check that the two belong together"
    )


def test_label_beyond_the_classes(idx_folder, as_idx, refusal):
    labels = (np.arange(20) % 4).astype(np.uint8)
    labels[7] = 9
    folder = idx_folder(t10k_labels=as_idx(labels))
    assert refusal(lambda: load(folder)) == (
        "DIR/small: the classes of the test images differ from those of the training images (only here: 9)"
        "\n  expected: the 4 classes 0, 1, 2, 3"
        "\n  to mend:  give both the same classes, by the same names"
    )


def test_label_beyond_the_classes_of_a_known_data_set(idx_folder, as_idx, refusal, tmp_path):
    labels = (np.arange(40) % 4).astype(np.uint8)
    labels[3] = 10
    idx_folder("mnist", train_labels=as_idx(labels))
    assert refusal(lambda: load("mnist", data_dir=tmp_path)) == (
        "DIR/mnist/train-labels-idx1-ubyte.gz: label 10 of image 3 is beyond the classes\n  expected: 0 to 9"
    )


def test_labels_missing(idx_folder, refusal):
    folder = idx_folder()
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert refusal(lambda: load(folder)) == (
        "DIR/small: t10k-images-idx3-ubyte.gz without its labels\n  expected: t10k-labels-idx1-ubyte.gz"
    )


def test_several_data_sets_in_one_folder(idx_folder, refusal):
    folder = idx_folder()
    for path in list(folder.iterdir()):
        shutil.copy(path, folder / f"emnist-letters-{path.name}")
    assert refusal(lambda: load(folder)) == (
        "DIR/small: several data sets: (no name), emnist-letters\n  expected: one data set per folder"
        "\n  to mend:  move each into a folder of its own"
    )


def test_one_file_instead_of_its_folder(idx_folder, refusal):
    path = idx_folder() / "train-images-idx3-ubyte.gz"
    assert refusal(lambda: load(path)) == (
        "DIR/small/train-images-idx3-ubyte.gz: is not data that Linewise reads"
        "\n  expected: a folder of class folders, IDX files, a CSV file or an .npz file"
        "\n  to mend:  name the folder that holds it"
    )


def test_a_validation_part_and_a_test_part_alone(tmp_path, as_idx):
    images = np.random.default_rng(3).integers(0, 256, (20, 5, 4), np.uint8)
    labels = np.arange(20, dtype=np.uint8) % 2
    for split, first in (("train", 0), ("validation", 100)):
        write(tmp_path, as_idx(images // 2 + np.uint8(first)), f"{split}-images-idx3-ubyte")
        write(tmp_path, as_idx(labels), f"{split}-labels-idx1-ubyte")
    np.testing.assert_array_equal(load(tmp_path).validation.images_NHWC[..., 0], images // 2 + 100)
    alone = tmp_path / "alone"
    alone.mkdir()
    write(alone, as_idx(images), "t10k-images-idx3-ubyte")
    write(alone, as_idx(labels), "t10k-labels-idx1-ubyte")
    found = load(alone)  # taken as the images that there are, and split
    assert len(found.train) + len(found.validation) + len(found.test) == 20
