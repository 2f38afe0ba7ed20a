"""NumPy archives against numpy's own, and each way in which one is refused."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from linewise.foundations import npz
from linewise.foundations.npz import NpzError, open_npz

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "whole": RANDOM.integers(0, 9, (3, 4), np.uint8), "by_column": np.asfortranarray(RANDOM.normal(size=(3, 4, 2))),
    "big_endian": np.arange(5, dtype=">i4"), "texts": np.array(["a", "猫", "𝄞"]), "bytes": np.array([b"ab", b"c"]),
    "flags": np.array([True, False]), "single": np.array(3.5, np.float16), "none": np.zeros((0, 3)),
    "complex": np.array([1 + 2j]), "dates": np.array(["2026-01-01"], "M8[D]"), "spans": np.array([3], "m8[s]"),
}  # fmt: skip


def npy(
    array: np.ndarray | None = None,
    *,
    descr: str = "|u1",
    shape: tuple[int, ...] = (4,),
    body: bytes = b"1234",
    version: int = 1,
) -> bytes:
    """An array as numpy writes it, or one whose header says something else."""
    if array is not None:
        file = io.BytesIO()
        np.save(file, array)
        return file.getvalue()
    head = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return (
        b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(head)) + head + body
    )


def packed(path: Path, member: bytes, packing: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("a.npy", member)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_numpys(tmp_path: Path, save) -> None:
    path = tmp_path / "x.npz"
    save(path, **ARRAYS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.txt", "no array")
    with open_npz(path) as archive:
        assert archive.names == list(ARRAYS)
        for name, array in ARRAYS.items():
            found = archive.read(name)
            assert (found.dtype, found.shape) == (array.dtype, array.shape), name
            np.testing.assert_array_equal(found, array)
            assert found.flags.f_contiguous == array.flags.f_contiguous


def test_an_array_of_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "BLOCK", 7)
    array = RANDOM.integers(0, 256, 100, np.uint8)
    with open_npz(packed(tmp_path / "x.npz", npy(array))) as archive:
        np.testing.assert_array_equal(archive.read("a"), array)


def test_version_2_has_long_headers(tmp_path: Path) -> None:
    with open_npz(packed(tmp_path / "x.npz", npy(version=2))) as archive:
        assert archive.read("a").tobytes() == b"1234"


def test_a_flag_is_0_or_1_whatever_its_byte(tmp_path: Path) -> None:
    with open_npz(packed(tmp_path / "x.npz", npy(descr="|b1", body=b"\0\1\2\xff"))) as archive:
        assert archive.read("a").view(np.uint8).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (npy(shape=(5,)), "declares 5 bytes and holds 4"),
        (npy(shape=(2**40, 2)), "declares 2,199,023,255,552 bytes and holds 4"),
        (npy(shape=(1,), descr="<i2"), "declares 2 bytes and holds 4"),
        (npy(version=3), "is in version 3.0 of numpy's format"),
        (npy(descr="|V4", shape=(1,)), "is of type |V4 and shape (1,)"),
        (npy(descr="|S0"), "is of type |S0 and shape (4,)"),
        (npy(shape=(-4,)), "is of type uint8 and shape (-4,)"),
        (npy(descr="<U1", shape=(1,), body=struct.pack("<I", 0x110000)), "holds texts that are no Unicode"),
        (npy(descr="<U1", shape=(1,), body=struct.pack("<I", 0xD800)), "holds texts that are no Unicode"),
        (npy(descr=">U1", shape=(1,), body=struct.pack(">I", 0xDFFF)), "holds texts that are no Unicode"),
        (b"no array", "the magic string is not correct; expected b'\\x93NUMPY', got b'no arr'"),
    ],
)
def test_what_is_refused(tmp_path: Path, member: bytes, reason: str) -> None:
    with open_npz(packed(tmp_path / "x.npz", member)) as archive, pytest.raises(NpzError) as refused:
        archive.read("a")
    assert (refused.value.reason, refused.value.array, refused.value.pickled) == (reason, "a", False)
    assert str(refused.value) == f"a: {reason}"


@pytest.mark.parametrize("point", [0xD7FF, 0xE000, 0x10FFFF])
def test_characters_beside_those_that_are_none(tmp_path: Path, point: int) -> None:
    member = npy(descr="<U1", shape=(1,), body=struct.pack("<I", point))
    with open_npz(packed(tmp_path / "x.npz", member)) as archive:
        assert archive.read("a").tolist() == [chr(point)]


def test_objects_are_never_read(tmp_path: Path) -> None:
    with open_npz(packed(tmp_path / "x.npz", npy(descr="|O"))) as archive, pytest.raises(NpzError) as refused:
        archive.read("a")
    assert (str(refused.value), refused.value.pickled) == ("a: holds pickled objects", True)


def test_a_packing_that_numpy_does_not_use(tmp_path: Path) -> None:
    with (
        open_npz(packed(tmp_path / "x.npz", npy(), zipfile.ZIP_BZIP2)) as archive,
        pytest.raises(NpzError, match=r"^a: is packed in a way that numpy does not use$"),
    ):
        archive.read("a")


def test_it_may_unpack_to_what_is_free_or_to_200_times_its_size(tmp_path: Path) -> None:
    array = np.zeros(300_000, np.uint8)
    path = packed(tmp_path / "x.npz", npy(array), zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("a.npy")
    assert info.file_size > 200 * path.stat().st_size
    with open_npz(path) as archive:
        assert archive.read("a").size == 300_000
    with open_npz(path, info.file_size) as archive:
        assert archive.read("a").size == 300_000
        with pytest.raises(NpzError):  # the same once more is more than may be
            archive.read("a")
    with open_npz(path, info.file_size - 1) as archive, pytest.raises(NpzError) as refused:
        archive.read("a")
    assert refused.value.reason == f"unpacks from {info.compress_size:,} to {info.file_size:,} bytes"
    bulky = packed(tmp_path / "y.npz", npy(np.arange(2000)), zipfile.ZIP_DEFLATED)
    with open_npz(bulky, 0) as archive:
        assert archive.read("a").size == 2000


def test_a_declared_size_that_no_packing_reaches(tmp_path: Path) -> None:
    """Both tables of the archive say 1,033 times as much as is there."""
    path = packed(tmp_path / "x.npz", npy())
    size = len(npy())
    data = path.read_bytes().replace(
        struct.pack("<II", size, size), struct.pack("<II", size, 1032 * (size + 1) + 1)
    )
    path.write_bytes(data)
    with open_npz(path) as archive, pytest.raises(NpzError, match=r"^a: is damaged$"):
        archive.read("a")


def test_a_wrong_checksum(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.npz", npy())
    path.write_bytes(path.read_bytes().replace(b"1234", b"1235"))
    with open_npz(path) as archive, pytest.raises(NpzError, match=r"^a: Bad CRC-32 for file 'a\.npy'$"):
        archive.read("a")


def test_no_archive_at_all(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no archive")
    with pytest.raises(NpzError) as refused, open_npz(tmp_path / "x.npz"):
        pass
    assert (str(refused.value), refused.value.array, refused.value.pickled) == (
        "File is not a zip file",
        "",
        False,
    )
    with pytest.raises(FileNotFoundError), open_npz(tmp_path / "y.npz"):
        pass
