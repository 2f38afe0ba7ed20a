"""NumPy archives, good and bad."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest

from linewise.foundations.errors import DataError
from linewise.images import load
from rights import open_folder, without_rights

IMAGES = np.random.default_rng(3).integers(0, 256, (30, 5, 4), np.uint8)
LABELS = np.arange(30) % 3
EXPECTED = (
    "\n  expected: arrays images and labels, or x_train, y_train, x_test, y_test (and x_validation, y_validation)"
)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_and_labels(tmp_path, save):
    save(tmp_path / "x.npz", images=IMAGES, labels=LABELS)
    assert load(tmp_path / "x.npz").record.fingerprint == load((IMAGES, LABELS)).record.fingerprint


@pytest.mark.parametrize(
    "style", ["x_{}/y_{}", "{}_images/{}_labels", "X_{}/y_{}", "{}_x/{}_y", "images_{}/labels_{}"]
)
@pytest.mark.parametrize("validation", ["validation", "val"])
def test_splits(tmp_path, style, validation):
    image_name, label_name = style.split("/")
    arrays = {}
    for i, split in enumerate(("train", validation, "test")):
        arrays[image_name.format(split)] = np.roll(IMAGES, i + 1, 1) // 2 + i
        arrays[label_name.format(split)] = LABELS[:, None]  # N×1, as MedMNIST has them
    np.savez(tmp_path / "x.npz", **arrays)
    images = load(tmp_path / "x.npz")
    np.testing.assert_array_equal(images.validation.images_NHWC[..., 0], np.roll(IMAGES, 2, 1) // 2 + 1)
    assert [len(images.train), len(images.validation), len(images.test)] == [30, 30, 30]


def test_pickles_never_run(tmp_path, refusal):
    class Payload:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    labels = np.array([Payload()] * 30, dtype=object)
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=labels)
    assert pickle.dumps(labels)  # so the file really holds it
    assert refusal(lambda: load(tmp_path / "x.npz")) == (
        "DIR/x.npz, labels: is a pickled array, which is never read\n  expected: numbers or strings"
        "\n  to mend:  save it with a plain type, such as labels.astype(str)"
    )
    assert not (tmp_path / "ran").exists()


def test_other_names(tmp_path, refusal):
    np.savez(tmp_path / "x.npz", pictures=IMAGES, kinds=LABELS)
    assert refusal(lambda: load(tmp_path / "x.npz")) == "DIR/x.npz: holds the arrays pictures, kinds" + EXPECTED


def test_no_arrays(tmp_path, refusal):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    assert refusal(lambda: load(tmp_path / "x.npz")) == "DIR/x.npz: holds no arrays" + EXPECTED


def test_images_without_their_labels(tmp_path, refusal):
    np.savez(tmp_path / "x.npz", x_train=IMAGES, train_labels=LABELS, y_test=LABELS)
    assert refusal(lambda: load(tmp_path / "x.npz")) == (
        "DIR/x.npz: holds the arrays x_train, train_labels, y_test" + EXPECTED
    )


def test_labels_that_do_not_fit(tmp_path, refusal):
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=LABELS[:-1])
    assert refusal(lambda: load(tmp_path / "x.npz")) == (
        "DIR/x.npz: 30 images but 29 labels\n  expected: one label for each image of train"
        "\n  to mend:  check that the two belong together"
    )


def test_no_archive(tmp_path, refusal):
    (tmp_path / "x.npz").write_text("no archive")
    message = "DIR/x.npz: is damaged or no .npz file" + EXPECTED + "\n  to mend:  save or download it again"
    assert refusal(lambda: load(tmp_path / "x.npz")) == message


@pytest.mark.parametrize("part", [0.5, 0.9, 0.99])
def test_cut_off(tmp_path, refusal, part):
    np.savez_compressed(tmp_path / "x.npz", images=IMAGES, labels=LABELS)
    data = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(data[: int(len(data) * part)])
    message = "DIR/x.npz: is damaged or no .npz file" + EXPECTED + "\n  to mend:  save or download it again"
    assert refusal(lambda: load(tmp_path / "x.npz")) == message


def test_flipped_bit(tmp_path, refusal):
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=LABELS)
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[300] ^= 1
    (tmp_path / "x.npz").write_bytes(data)
    message = "DIR/x.npz: is damaged or no .npz file" + EXPECTED + "\n  to mend:  save or download it again"
    assert refusal(lambda: load(tmp_path / "x.npz")) == message


def test_bomb(tmp_path, refusal):
    with (
        zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w", force_zip64=True) as file,
    ):
        header = np.lib.format.header_data_from_array_1_0(np.zeros((0, 28, 28), np.uint8))
        header["shape"] = (2**29 // 784, 28, 28)
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(32):
            file.write(bytes(2**24))
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as archive, archive.open("labels.npy", "w") as file:
        np.lib.format.write_array(file, LABELS)
    packed = zipfile.ZipFile(tmp_path / "x.npz").getinfo("images.npy").compress_size
    assert refusal(lambda: load(tmp_path / "x.npz")) == (
        f"DIR/x.npz, images: unpacks from {packed:,} to 536,871,040 bytes\n  expected: images or labels"
    )


def test_no_permission():
    with open_folder() as folder:
        np.savez(folder / "x.npz", images=IMAGES, labels=LABELS)
        (folder / "x.npz").chmod(0)
        with without_rights(), pytest.raises(DataError) as refused:
            load(folder / "x.npz")
    assert str(refused.value) == (
        f"{folder}/x.npz: may not be read (permission denied)\n  to mend:  check its permissions"
    )


def test_a_failing_disk(tmp_path, refusal, monkeypatch):
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=LABELS)

    def failing(*arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("linewise.images.sources.npz.open_npz", failing)
    assert refusal(lambda: load(tmp_path / "x.npz")) == "DIR/x.npz: cannot be read (Input/output error)"
