"""Data sets known by name: found in the data folders in every form, else a way to get them is shown."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from linewise.images import check, load
from linewise.images.sources.cifar import BATCHES, CLASSES, ROW


def test_missing_data_set(tmp_path, monkeypatch, own_cache, refusal):
    monkeypatch.setenv("LINEWISE_DATA", str(tmp_path / "env"))
    message = refusal(lambda: load("kmnist", data_dir=tmp_path / "given")).replace(str(own_cache), "CACHE")
    assert message == (
        "kmnist: the data set is in none of the data folders (DIR/given, DIR/env, CACHE/data)"
        "\n  expected: kmnist/ in one of them"
        "\n  to mend:  linewise data download kmnist   (or name its folder with --data-dir or LINEWISE_DATA)"
    )


@pytest.mark.parametrize(
    ("name", "place", "first"),
    [
        ("mnist", "mnist", "0"),
        ("mnist", "MNIST/raw", "0"),
        ("fashion-mnist", "FashionMNIST/raw", "T-shirt/top"),
        ("kmnist", "kmnist", "お"),
    ],
)
def test_places_and_class_names(idx_folder, tmp_path, name, place, first):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    idx_folder().rename(tmp_path / place)
    images = load(name, data_dir=tmp_path)
    assert images.name == name
    assert first in images.class_names
    assert len(images.class_names) == 4


def test_order_of_the_data_folders(idx_folder, tmp_path, own_cache, monkeypatch):
    for place in ("given", "env"):
        (tmp_path / place).mkdir()
    idx_folder("env/mnist")
    monkeypatch.setenv("LINEWISE_DATA", str(tmp_path / "env"))
    assert len(load("mnist").test) == 20
    fewer = idx_folder("given/mnist")
    (fewer / "t10k-images-idx3-ubyte.gz").unlink()
    (fewer / "t10k-labels-idx1-ubyte.gz").unlink()
    assert len(load("mnist", data_dir=tmp_path / "given").test) == 8


def test_data_folder_that_is_the_data_set(idx_folder):
    assert len(load("mnist", data_dir=idx_folder("mnist")).test) == 20


def test_leaks_of_a_known_data_set_are_a_warning(idx_folder, as_idx, tmp_path):
    generator = np.random.default_rng(5)
    train = generator.integers(0, 256, (40, 6, 5), np.uint8)
    idx_folder("mnist", t10k_images=as_idx(train[:20]))
    result = check("mnist", data_dir=tmp_path)
    assert result.usable
    assert [warning.code for warning in result.warnings] == ["leaks"]
    assert result.duplicates.across["train/test"] + result.duplicates.across["validation/test"] == 20


def cifar_rows(number: int, seed: int) -> tuple[np.ndarray, bytes]:
    """Images `NHWC` and the bytes of a batch: a label, then the red, green and blue planes."""
    images = np.random.default_rng(seed).integers(0, 256, (number, 32, 32, 3), np.uint8)
    rows = b"".join(bytes([i % 10]) + image.transpose(2, 0, 1).tobytes() for i, image in enumerate(images))
    return images, rows


@pytest.fixture
def batches() -> dict[str, bytes]:
    names = [name for split in BATCHES.values() for name in split]
    return {name: cifar_rows(20, seed)[1] for seed, name in enumerate(names)}


def write_tar(path: Path, files: dict[str, bytes], mode: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_cifar_binary_folder_and_archive(tmp_path, batches):
    folder = tmp_path / "a" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name, data in batches.items():
        (folder / name).write_bytes(data)
    packed = {f"cifar-10-batches-bin/{name}": data for name, data in batches.items()}
    write_tar(tmp_path / "b" / "cifar-10-binary.tar.gz", packed, "w:gz")
    write_tar(tmp_path / "c" / "cifar10" / "cifar-10-binary.tar.gz", packed, "w:gz")
    found = [load("cifar10", data_dir=tmp_path / place) for place in "abc"]
    assert len({images.record.fingerprint for images in found}) == 1
    assert set(found[0].class_names) == set(CLASSES)
    test = found[0].test.open("compare", lambda reason: None)
    np.testing.assert_array_equal(test.images_NHWC, cifar_rows(20, 5)[0])
    assert [found[0].class_names[i] for i in test.labels_N[:3]] == ["airplane", "automobile", "bird"]


def test_cifar_batch_cut_off(tmp_path, batches, refusal):
    batches["data_batch_3.bin"] = batches["data_batch_3.bin"][:-1]
    packed = {f"cifar-10-batches-bin/{name}": data for name, data in batches.items()}
    write_tar(tmp_path / "cifar-10-binary.tar.gz", packed, "w:gz")
    assert refusal(lambda: load("cifar10", data_dir=tmp_path)) == (
        f"DIR/cifar-10-binary.tar.gz, data_batch_3.bin: {20 * ROW - 1:,} bytes"
        "\n  expected: whole images of 3,073 bytes each, at most 10,000"
    )


def pictures(class_folders, tmp_path) -> dict[str, bytes]:
    for split, seed in (("train", 1), ("test", 2)):
        class_folders(f"source/{split}", seed=seed)
    root = tmp_path / "source"
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*.png"))}


def test_cifar_archive_of_images_is_unpacked_once(class_folders, tmp_path, own_cache, monkeypatch):
    write_tar(tmp_path / "cifar10-images.tar.xz", pictures(class_folders, tmp_path), "w:xz")
    first = load("cifar10", data_dir=tmp_path)
    assert first.record.fingerprint == load(tmp_path / "source").record.fingerprint
    monkeypatch.setattr("linewise.images.sources.cifar._unpack", lambda *_: pytest.fail("unpacked again"))
    assert load("cifar10", data_dir=tmp_path).record.fingerprint == first.record.fingerprint


def test_archive_that_reaches_outside(class_folders, tmp_path, own_cache, refusal):
    files = {**pictures(class_folders, tmp_path), "../../escaped": b"x"}
    write_tar(tmp_path / "cifar10-images.tar.xz", files, "w:xz")
    message = refusal(lambda: load("cifar10", data_dir=tmp_path))
    assert message.startswith(
        "DIR/cifar10-images.tar.xz: cannot be unpacked ('../../escaped' would be extracted to "
    )
    assert message.endswith("\n  expected: a whole archive\n  to mend:  download or copy it again")
    assert not list(own_cache.rglob("escaped"))
    assert not list((own_cache / "unpacked").iterdir())


def test_links_in_an_archive_are_left_out(class_folders, tmp_path, own_cache):
    path = tmp_path / "cifar10-images.tar.xz"
    write_tar(path, pictures(class_folders, tmp_path), "w:xz")
    with tarfile.open(path) as old:
        members = [(m, old.extractfile(m)) for m in old.getmembers()]
        with tarfile.open(tmp_path / "new", "w:xz") as new:
            link = tarfile.TarInfo("train/cat/link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            new.addfile(link)
            for member, data in members:
                new.addfile(member, data)
    (tmp_path / "new").rename(path)
    assert len(load("cifar10", data_dir=tmp_path).test) == 12
    assert not list(own_cache.rglob("link.png"))


def test_archive_with_too_much_in_it(class_folders, tmp_path, monkeypatch, refusal, own_cache):
    monkeypatch.setattr("linewise.images.sources.cifar.MAX_FILES", 10)
    write_tar(tmp_path / "cifar10-images.tar.xz", pictures(class_folders, tmp_path), "w:xz")
    assert refusal(lambda: load("cifar10", data_dir=tmp_path)) == (
        "DIR/cifar10-images.tar.xz: unpacks to more than 10 files or 2 GiB\n  expected: 60,000 small images"
    )
    assert not list((own_cache / "unpacked").iterdir())


def test_archive_cut_off(class_folders, tmp_path, refusal):
    path = tmp_path / "cifar10-images.tar.xz"
    write_tar(path, pictures(class_folders, tmp_path), "w:xz")
    path.write_bytes(path.read_bytes()[:-100])
    message = refusal(lambda: load("cifar10", data_dir=tmp_path))
    assert message.startswith("DIR/cifar10-images.tar.xz: cannot be unpacked (")
    assert message.endswith("\n  expected: a whole archive\n  to mend:  download or copy it again")


@pytest.mark.mnist
def test_mnist():
    images = load("mnist")
    assert [len(images.train), len(images.validation), len(images.test)] == [40_000, 10_000, 10_000]
    assert set(images.record.counts["train"].values()) == {4000}
    assert list(images.record.counts["test"].values()) == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.warnings == []
    assert images.record.check["duplicates"]["across"] == {
        "train/validation": 0,
        "train/test": 0,
        "validation/test": 0,
    }


@pytest.mark.mnist
def test_mnist_pixels_are_those_of_the_file(mnist_dir):
    """Read with gzip and NumPy alone."""
    import gzip

    pixels = np.frombuffer(
        gzip.decompress((mnist_dir / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16
    )
    labels = np.frombuffer(
        gzip.decompress((mnist_dir / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8
    )
    test = load("mnist").test.open("compare with the file", lambda reason: None)
    np.testing.assert_array_equal(test.images_NHWC.ravel(), pixels)
    np.testing.assert_array_equal(test.labels_N, labels)


@pytest.mark.cifar10
@pytest.mark.long
def test_cifar10_images():
    """The whole archive: some seconds."""
    images = load("cifar10")
    assert [len(images.train), len(images.validation), len(images.test)] == [40_000, 10_000, 10_000]
    assert set(images.record.counts["test"].values()) == {1000}
    assert images.class_names == CLASSES
    np.testing.assert_allclose(images.preprocessing.mean, [0.491, 0.482, 0.446], atol=0.002)  # the published means
