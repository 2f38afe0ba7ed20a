"""CIFAR-10 (Krizhevsky 2009) in the forms it is found in; never its pickled one.

A folder `train/CLASS/*.jpg`; an archive `cifar10-images.tar.xz` of such a folder; the authors' binary version, as
a folder `cifar-10-batches-bin` or packed as `cifar-10-binary.tar.gz`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from linewise.foundations.errors import DataError
from linewise.foundations.paths import cache_dir
from linewise.images.sources.base import Found, RawPart, Request, Source, names_of
from linewise.images.sources.folder import ClassFolders

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
ROW = 1 + 3 * 32 * 32
MAX_FILES, MAX_UNPACKED = 200_000, 2 * 2**30


class CifarFolder(Source):
    """Any of the forms of CIFAR-10."""

    kind = "cifar10"
    about = "CIFAR-10 as images or in its binary version"

    def recognises(self, path: Path) -> bool:
        if path.is_file():
            return path.name.endswith((".tar.gz", ".tar.xz"))
        return (path / "train").is_dir() or (path / "test_batch.bin").is_file() or _archive_in(path) is not None

    def read(self, path: Path, request: Request, classes: Sequence[str] | None = None) -> Found:
        if path.is_dir() and (archive := _archive_in(path)) and not (path / "train").is_dir():
            path = archive
        if path.is_file() and path.name.endswith(".tar.xz"):
            path = unpacked(path)
        if (path / "train").is_dir():
            return ClassFolders().read(path, request)
        findings = request.findings
        parts = {}
        with _opener(path) as read:
            for split, names in BATCHES.items():
                rows = np.concatenate([_rows(read(name), f"{path}, {name}") for name in names])
                images_NHWC = np.ascontiguousarray(rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
                parts[split] = RawPart(images_NHWC, names_of(rows[:, 0], str(path), CLASSES))
                findings.sizes[32, 32] += len(rows)
                findings.modes["colour"] += len(rows)
        return Found(parts, coloured=True)


def _archive_in(path: Path) -> Path | None:
    candidates = (path / "cifar-10-binary.tar.gz", path / "cifar10-images.tar.xz")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@contextmanager
def _opener(path: Path) -> Iterator:
    """A function from a file's name to its bytes, at most a little more than a whole batch of them."""
    most = 10_000 * ROW + 1
    if path.is_dir():
        folder = path

        def from_folder(name: str) -> bytes:
            if not (folder / name).is_file():
                raise DataError(
                    "there is no such file", where=str(folder / name), expected="the batches of CIFAR-10"
                )
            with open(folder / name, "rb") as file:
                return file.read(most)

        yield from_folder
        return
    try:
        with tarfile.open(path) as archive:

            def from_archive(name: str) -> bytes:
                try:
                    file = archive.extractfile(f"cifar-10-batches-bin/{name}")
                except KeyError:
                    file = None
                if file is None:
                    raise DataError(f"does not hold {name}", where=str(path), expected="cifar-10-batches-bin/")
                return file.read(most)

            yield from_archive
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _damaged(path, error) from None


def _rows(data: bytes, where: str) -> np.ndarray:
    if len(data) % ROW or not data or len(data) > 10_000 * ROW:
        raise DataError(
            f"{len(data):,} bytes", where=where, expected=f"whole images of {ROW:,} bytes each, at most 10,000"
        )
    return np.frombuffer(data, np.uint8).reshape(-1, ROW)


def unpacked(archive: Path) -> Path:
    """The folder that `archive` was unpacked into, in the cache; unpacked now if it was not before.

    Only plain files and folders are unpacked, none outside the folder, and no more than a bounded number and size.
    """
    status = archive.stat()
    key = hashlib.sha256(f"{archive.resolve()} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]
    folder = cache_dir() / "unpacked" / f"{archive.name.split('.')[0]}-{key}"
    if not folder.is_dir():
        partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            _unpack(archive, partial)
            os.rename(partial, folder)
        except (tarfile.TarError, EOFError) as error:
            raise _damaged(archive, error) from None
        except OSError as error:
            if not folder.is_dir():  # else another process was first
                raise _damaged(archive, error) from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    inner = [p for p in folder.iterdir() if p.is_dir()]
    return inner[0] if len(inner) == 1 and inner[0].name != "train" else folder


def _unpack(archive: Path, folder: Path) -> None:
    number = size = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            number, size = number + 1, size + member.size
            if number > MAX_FILES or size > MAX_UNPACKED:
                raise DataError(
                    f"unpacks to more than {MAX_FILES:,} files or {MAX_UNPACKED / 2**30:g} GiB",
                    where=str(archive),
                    expected="60,000 small images",
                )
            if member.isfile() or member.isdir():
                tar.extract(member, folder, filter="data")


def _damaged(archive: Path, error: BaseException) -> DataError:
    return DataError(
        f"cannot be unpacked ({str(error) or type(error).__name__})",
        where=str(archive),
        expected="a whole archive",
        mend="download or copy it again",
    )
