"""Image files decoded once, in parallel, into one uncompressed file in the cache folder.

`KEY.npy` holds the images, and after them 16 bytes for each that tell equal images from others; `KEY.json` is
written last and says that it is whole. A process that decodes holds `KEY.lock`; others wait for it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from linewise.foundations.atomic import sync_folder, write_json
from linewise.foundations.errors import DataError
from linewise.foundations.memory import in_memory_limit
from linewise.foundations.paths import cache_dir
from linewise.images.files.decode import Decoded, decode_quietly
from linewise.images.files.entries import Entry, Files, shown
from linewise.images.files.parallel import bar, by_blocks
from linewise.images.mapped import Images, Mapped
from linewise.images.preprocessing import Geometry

VERSION = 2
"""Raised when decoding or the files change, so that older caches are not used."""
DAY_S = 86_400
DIGEST = 16
BLOCK_BYTES = 16 << 20
"""Decoded images that a worker holds before it writes them."""
LOOKED_AT = 16
"""Images that are compared with their digests when a cache is opened."""


@dataclass(frozen=True)
class Store:
    """Decoded images.

    Attributes:
        images_NHWC: uint8, one row per file; rows of failed files are black.
        failed: file number → what is wrong.
        coloured: whether any image has colour.
    """

    images_NHWC: Images
    failed: dict[int, str]
    coloured: bool


def decoded(root: Path, files: Files, geometry: Geometry, max_megapixels: float, progress: bool) -> Store:
    """All files brought to one shape; from the cache when they were decoded before.

    Files are known by name, size and time of change: a file that is changed is decoded again. Sets up to
    `foundations.memory.in_memory_limit` are mapped into memory, larger ones read from disk.

    Raises:
        DataError: not enough room in the cache folder.
    """
    shape_said = geometry.model_dump_json(include={"height", "width", "channels", "fit"})
    folder, key = cache_folder(), key_of(root, files, shape_said, max_megapixels)
    path = folder / f"{key}.npy"
    shape = (len(files), geometry.height, geometry.width, geometry.channels)
    if (store := _open(path, shape)) is not None:
        return store
    with _alone(folder / f".{key}.lock", progress) as alone:
        if (store := _open(path, shape)) is not None:  # another process decoded them meanwhile
            return store
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        for leftover in folder.glob(f".{key}.*.partial") if alone else ():  # of a process that was killed
            leftover.unlink(missing_ok=True)
        _make_room(folder, shape)
        _build(root, files, geometry, max_megapixels, progress, path)
    store = _open(path, shape)
    if store is None:
        raise DataError(
            "the decoded images are not what was written", where=str(path), expected="a disk that keeps files",
            mend="try another folder with LINEWISE_CACHE",
        )  # fmt: skip
    return store


def digests_of(images_NHWC: Mapped) -> np.ndarray:
    """What tells equal images from others, `void128`, for images of this cache; read from the end of its file."""
    with open(images_NHWC.path, "rb") as file:
        file.seek(-DIGEST * images_NHWC.stored, os.SEEK_END)
        digests_N = np.fromfile(file, f"V{DIGEST}", images_NHWC.stored)
    return digests_N if images_NHWC.rows_N is None else digests_N[images_NHWC.rows_N]


def digest_of(image_HWC: np.ndarray) -> bytes:
    return blake2b(np.ascontiguousarray(image_HWC).data, digest_size=DIGEST).digest()


def _build(
    root: Path, files: Files, geometry: Geometry, max_megapixels: float, progress: bool, path: Path
) -> None:
    growing = path.with_name(f".{path.stem}.{os.getpid()}.partial")
    row_bytes = geometry.height * geometry.width * geometry.channels
    failed: dict[str, str] = {}
    coloured = False
    try:
        with open(growing, "wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), *geometry.shape)}
            np.lib.format.write_array_header_1_0(file, header)
            start = file.tell()
            _reserve(file.fileno(), start + len(files) * (row_bytes + DIGEST), path.parent)
        work = partial(_decode_block, str(root), str(growing), start, len(files), geometry, max_megapixels)
        largest = max(1, BLOCK_BYTES // row_bytes)
        for wrong, any_colour in by_blocks(work, files, "decoding images", progress, largest):
            failed |= {str(i): text for i, text in wrong.items()}
            coloured = coloured or any_colour
        with open(growing, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(growing, path)
        sync_folder(path.parent)
        facts = {"failed": failed, "coloured": coloured, "source": shown(os.path.realpath(root))}
        write_json(path.with_suffix(".json"), {**facts, "shape": [len(files), *geometry.shape]})
    except OSError as error:
        raise _full(path.parent, error) from None
    finally:
        growing.unlink(missing_ok=True)


def _reserve(descriptor: int, size: int, folder: Path) -> None:
    """Take the room on disk now: a full disk says so before anything is decoded."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
            return
        except OSError as error:
            if error.errno in (28, 122):  # ENOSPC, EDQUOT; other errors say that the file system cannot reserve
                raise
    os.truncate(descriptor, size)


def _decode_block(
    root: str, path: str, data_at: int, total: int, geometry: Geometry, max_megapixels: float,
    start: int, entries: list[Entry],
) -> tuple[dict[int, str], bool]:  # fmt: skip
    """Decode some files into their place in the file at `path`; what failed, and whether any image has colour."""
    images_BHWC = np.zeros((len(entries), *geometry.shape), np.uint8)
    failed, coloured = {}, False
    for i, entry in enumerate(entries):
        outcome = decode_quietly(os.path.join(root, entry.name), geometry, max_megapixels)
        if isinstance(outcome, Decoded):
            images_BHWC[i] = outcome.image_HWC
            coloured = coloured or outcome.coloured
        else:
            failed[start + i] = outcome
    row_bytes = images_BHWC[0].nbytes
    with open(path, "r+b") as file:
        file.seek(data_at + start * row_bytes)
        file.write(images_BHWC.data)
        file.seek(data_at + total * row_bytes + start * DIGEST)
        file.write(b"".join(map(digest_of, images_BHWC)))
    return failed, coloured


def _open(path: Path, shape: tuple[int, ...]) -> Store | None:
    """What an earlier call left; None where it is missing, torn or damaged."""
    facts, limit = path.with_suffix(".json"), in_memory_limit()
    try:
        said: Any = json.loads(facts.read_text(encoding="utf-8"))
        failed = {int(i): str(text) for i, text in said["failed"].items()}
        images = Mapped(path)
        whole = images.start + images.nbytes + DIGEST * len(images)
        if images.shape != shape or path.stat().st_size != whole or not _as_written(images):
            return None
        os.utime(facts)  # so that `linewise data cache` knows when it was used
        fits = images.nbytes <= limit
        in_memory = np.load(path, mmap_mode="r", allow_pickle=False) if fits else images
        return Store(in_memory, failed, bool(said["coloured"]))
    except (OSError, DataError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _as_written(images: Mapped) -> bool:
    """Whether a few images, the first and the last among them, have their digests."""
    places = np.unique(np.linspace(0, len(images) - 1, LOOKED_AT).astype(np.int64))
    digests = digests_of(images.take(places))
    return all(digest_of(images[int(i)]) == digest.tobytes() for i, digest in zip(places, digests, strict=True))


def key_of(root: Path, files: Files, said: str, max_megapixels: float) -> str:
    """The name of what is kept about these files."""
    from PIL import __version__ as pillow

    digest = sha256(f"{VERSION} {pillow} {max_megapixels} {said}\n".encode())
    digest.update(os.fsencode(os.path.realpath(root)) + b"\0" + files.digest())
    return digest.hexdigest()[:32]


def cache_folder() -> Path:
    """The folder for decoded images, made if it is not there, and swept of what killed processes left.

    Raises:
        DataError: it cannot be written.
    """
    folder = cache_dir() / "decoded"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*.partial"):
            if time.time() - leftover.stat().st_mtime > DAY_S:
                leftover.unlink(missing_ok=True)
        if os.access(folder, os.W_OK):
            return folder
        reason = "permission denied"
    except OSError as error:
        reason = error.strerror
    raise DataError(
        f"the cache folder cannot be written ({reason})",
        where=str(folder),
        mend="name another with LINEWISE_CACHE",
    )


@contextmanager
def _alone(path: Path, progress: bool) -> Iterator[bool]:
    """One process at a time decodes the same images; the system frees the lock of one that is killed.

    Yields:
        Whether no other is at it. Where the file system has no locks both may be, and the later one's file stays.
    """
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            with bar("another process decodes these images: waiting", 1, progress):
                lock.acquire()
    except (OSError, NotImplementedError):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _make_room(folder: Path, shape: tuple[int, ...]) -> None:
    free, needed = shutil.disk_usage(folder).free, int(np.prod(shape, dtype=np.int64)) + DIGEST * shape[0]
    if needed > 0.9 * free:
        raise DataError(
            f"{shape[0]:,} images of {shape[1]}×{shape[2]} need {needed / 1e9:.1f} GB, {free / 1e9:.1f} are free",
            where=str(folder),
            mend="choose smaller images with --size, another folder with LINEWISE_CACHE, or make room: "
            "linewise data cache",
        )


def _full(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"the decoded images cannot be written ({error.strerror or type(error).__name__})",
        where=str(folder),
        expected="room for them",
        mend="make room (linewise data cache), or name another folder with LINEWISE_CACHE",
    )
