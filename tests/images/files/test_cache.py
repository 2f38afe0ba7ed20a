"""Decoded images on disk: the same results in memory or not, torn files made anew, two processes at once."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linewise.images import ImageOptions, load
from linewise.images.files import cache
from linewise.images.files.entries import Files, Names
from linewise.images.mapped import Mapped


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_IN_MEMORY", "0")


def test_the_same_set_in_memory_and_on_disk(class_folders, monkeypatch) -> None:
    root = class_folders(number=20)
    for i in (7, 11):  # copies, which stay together
        (root / "cat" / f"{i}.png").write_bytes((root / "cat" / "0.png").read_bytes())
    in_memory = load(root)
    monkeypatch.setenv("LINEWISE_IN_MEMORY", "0")
    on_disk = load(root)
    assert on_disk.record == in_memory.record
    assert on_disk.record.check["duplicates"]["within"] == in_memory.record.check["duplicates"]["within"]
    for split in ("train", "validation"):
        one, other = getattr(in_memory, split), getattr(on_disk, split)
        assert not isinstance(one.images_NHWC, Mapped)
        assert isinstance(other.images_NHWC, Mapped)
        np.testing.assert_array_equal(other.images_NHWC[:], one.images_NHWC)
        np.testing.assert_array_equal(other.labels_N, one.labels_N)
        assert list(other.names) == list(one.names)


def test_grey_images_in_colour_files_on_disk(class_folders, on_disk) -> None:
    root = class_folders(number=6, mode="L")
    for path in root.rglob("*.png"):
        Image.open(path).convert("RGB").save(path)
    images = load(root)
    assert images.record.shape == (8, 8, 1)
    assert images.train.names is not None
    for name, image in zip(images.train.names, images.train.images_NHWC[:], strict=True):
        np.testing.assert_array_equal(image[..., 0], np.asarray(Image.open(root / name))[..., 0])


def test_unreadable_files_on_disk_are_left_out(class_folders, on_disk) -> None:
    root = class_folders(number=8)
    whole = (root / "dog" / "3.png").read_bytes()
    (root / "dog" / "3.png").write_bytes(whole[: len(whole) * 2 // 3])
    (root / "cat" / "5.png").write_bytes(b"")
    images = load(root, images=ImageOptions(skip_unreadable=True))
    assert set(images.record.check["unreadable"]) == {"dog/3.png", "cat/5.png"}
    assert images.train.names is not None
    assert len(images.train) + len(images.validation) + len(images.test) == 14
    for name, image in zip(images.train.names, images.train.images_NHWC[:], strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(root / name)))


def spoil_end(data: bytearray) -> None:
    del data[-1:]


def spoil_first(data: bytearray) -> None:
    data[200] ^= 255


def spoil_digest(data: bytearray) -> None:
    data[-1] ^= 1


@pytest.mark.parametrize("spoil", [spoil_end, spoil_first, spoil_digest])
def test_a_torn_cache_is_made_anew(class_folders, own_cache, on_disk, spoil: Callable[[bytearray], None]) -> None:
    root = class_folders()
    first = load(root).record.fingerprint
    (path,) = (own_cache / "decoded").glob("*.npy")
    whole = path.read_bytes()
    data = bytearray(whole)
    spoil(data)
    path.write_bytes(data)
    assert load(root).record.fingerprint == first
    assert path.read_bytes() == whole


def test_images_without_the_facts_beside_them_are_not_used(class_folders, own_cache) -> None:
    """A process that is killed between the two leaves no facts."""
    root = class_folders()
    first = load(root).record.fingerprint
    (facts,) = (own_cache / "decoded").glob("*.json")
    (path,) = (own_cache / "decoded").glob("*.npy")
    facts.unlink()
    path.write_bytes(bytes(path.stat().st_size))
    assert load(root).record.fingerprint == first


def test_a_full_disk_is_told_before_anything_is_decoded(class_folders, own_cache, monkeypatch, refusal) -> None:
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    monkeypatch.setattr(cache, "_decode_block", lambda *_: pytest.fail("decoded"))
    assert refusal(lambda: load(class_folders())).replace(str(own_cache), "CACHE") == (
        "CACHE/decoded: the decoded images cannot be written (No space left on device)\n  expected: room for them\n"
        "  to mend:  make room (linewise data cache), or name another folder with LINEWISE_CACHE"
    )
    assert not [path for path in (own_cache / "decoded").iterdir() if path.suffix not in (".lock", ".npz")]


def test_a_disk_that_fills_up_meanwhile(class_folders, own_cache, monkeypatch, refusal) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    root = class_folders()
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_decode_block", full)
        assert "cannot be written (No space left on device)" in refusal(lambda: load(root))
    assert not [path for path in (own_cache / "decoded").iterdir() if path.suffix not in (".lock", ".npz")]
    load(root)


def test_processes_that_decode_the_same_images_wait_for_one_another(class_folders, own_cache) -> None:
    root = class_folders(number=200)
    code = (
        "import sys\n"
        "from linewise.images import load\n"
        "from linewise.images.files import cache\n"
        "build, built = cache._build, []\n"
        "cache._build = lambda *a: (built.append(1), build(*a))\n"
        "sys.stdin.readline()\n"
        "print(load(sys.argv[1]).record.fingerprint, len(built))"
    )
    command = [sys.executable, "-c", code, str(root)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate("go\n", timeout=100)[0].split() for process in both]
    assert said[0][0] == said[1][0]
    assert sorted(number for _, number in said) == ["0", "1"]
    assert all(process.returncode == 0 for process in both)


def test_files_keep_every_name(tmp_path: Path) -> None:
    names = ["a.png", "b/ü 猫.png", os.fsdecode(b"b/\xff.png"), "c" * 200]
    files = Files()
    for i, name in enumerate(names):
        files.append(name, i * 10**10, -i)
    assert [entry.name for entry in files] == names
    assert [(entry.size, entry.changed_ns) for entry in files[1:3]] == [(10**10, -1), (2 * 10**10, -2)]
    shown = ["a.png", "b/ü 猫.png", "b/\ufffd.png", "c" * 200]
    assert list(Names(files)) == shown
    assert list(Names(files).take(np.array([3, 1])).take(np.array([1]))) == [shown[1]]
    assert [e.name for e in files.without(np.array([False, True, False, True]))] == [names[0], names[2]]
    assert files.digest() != files.without(np.zeros(4, bool)[:4] | [True, False, False, False]).digest()


def test_memory_grows_by_little_for_each_image(tmp_path: Path) -> None:
    """3,072 bytes of pixels each, and no more than a fraction of that may stay in memory."""
    head, rng = b"P6 32 32 255\n", np.random.default_rng(0)
    peaks = {}
    for number in (2500, 7500):
        root = tmp_path / str(number)
        for i in range(number):
            folder = root / "ab"[i % 2]
            if i < 2:
                folder.mkdir(parents=True)
            (folder / f"{i:06}.ppm").write_bytes(head + rng.bytes(3072))
        code = (
            "import sys\n"
            "from linewise.images import load\n"
            "from memory import peak\n"
            "images = load(sys.argv[1])\n"
            "assert len(images.train) == int(sys.argv[2]) * 0.64\n"
            "print(peak())"
        )
        environment = {
            **os.environ, "LINEWISE_IN_MEMORY": "0", "LINEWISE_CACHE": str(tmp_path / "cache"),
            "PYTHONPATH": os.pathsep.join([*sys.path[1:], str(Path(__file__).parents[2])]),
        }  # fmt: skip
        command = [sys.executable, "-c", code, str(root), str(number)]
        said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        peaks[number] = int(said.stdout)
    assert (peaks[7500] - peaks[2500]) / 5000 < 1000


def test_what_is_written_beside_the_images(class_folders, own_cache) -> None:
    root = class_folders()
    load(root)
    (facts,) = (own_cache / "decoded").glob("*.json")
    assert json.loads(facts.read_text()) == {
        "failed": {},
        "coloured": True,
        "source": str(root),
        "shape": [12, 8, 8, 3],
    }
