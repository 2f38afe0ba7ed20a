"""Image files decoded once, in parallel, into a uint8 memory map in the cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from linewise.foundations.atomic import write_json
from linewise.foundations.errors import DataError
from linewise.foundations.paths import cache_dir
from linewise.images.files.decode import Decoded, Header, decode_quietly, read_header
from linewise.images.files.listing import Entry
from linewise.images.files.parallel import by_blocks
from linewise.images.preprocessing import Geometry

VERSION = 1
"""Raised when decoding changes, so that older caches are not used."""
DAY_S = 86_400
Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Store:
    """Decoded images.

    Attributes:
        images_NHWC: uint8, one row per file; rows of failed files are black.
        failed: file number → what is wrong.
        coloured: whether any image has colour.
    """

    images_NHWC: np.ndarray
    failed: dict[int, str]
    coloured: bool


def scan(root: Path, entries: list[Entry], max_megapixels: float, progress: bool) -> list[Header | str]:
    """Headers of all files, or what is wrong with them; kept in the cache."""
    path = _folder() / f"{_key(root, entries, 'headers', max_megapixels)}.json"
    kept = _facts(path, lambda facts: [Header(*fact) if isinstance(fact, list) else str(fact) for fact in facts])
    if kept is not None and len(kept) == len(entries):
        return kept
    work = partial(_scan_block, str(root), [entry.name for entry in entries], max_megapixels)
    headers = [
        header for block in by_blocks(work, len(entries), "looking at images", progress) for header in block
    ]
    write_json(path, [list(astuple(header)) if isinstance(header, Header) else header for header in headers])
    return headers


def decoded(root: Path, entries: list[Entry], geometry: Geometry, max_megapixels: float, progress: bool) -> Store:
    """All files brought to one shape; from the cache when they were decoded before.

    Files are known by name, size and time of change: a file that is changed is decoded again.

    Raises:
        DataError: not enough room in the cache folder.
    """
    shape_said = geometry.model_dump_json(include={"height", "width", "channels", "fit"})
    key = _key(root, entries, shape_said, max_megapixels)
    folder = _folder()
    data_path, facts_path = folder / f"{key}.npy", folder / f"{key}.json"
    shape = (len(entries), geometry.height, geometry.width, geometry.channels)
    if (store := _facts(facts_path, partial(_store, data_path))) is not None and store.images_NHWC.shape == shape:
        return store
    _make_room(folder, shape)
    growing = folder / f".{key}.{os.getpid()}.partial"
    failed: dict[str, str] = {}
    coloured = False
    try:
        np.lib.format.open_memmap(growing, "w+", np.uint8, shape)
        names = [entry.name for entry in entries]
        work = partial(_decode_block, str(root), names, str(growing), geometry, max_megapixels)
        for wrong, any_colour in by_blocks(work, len(entries), "decoding images", progress):
            failed |= {str(i): text for i, text in wrong.items()}
            coloured = coloured or any_colour
        write_json(facts_path, {"failed": failed, "coloured": coloured})
        os.replace(growing, data_path)
    finally:
        growing.unlink(missing_ok=True)
    return _store(data_path, {"failed": failed, "coloured": coloured})


def _scan_block(root: str, names: list[str], max_megapixels: float, start: int, stop: int) -> list[Header | str]:
    return [read_header(os.path.join(root, name), max_megapixels) for name in names[start:stop]]


def _decode_block(
    root: str, names: list[str], path: str, geometry: Geometry, max_megapixels: float, start: int, stop: int
) -> tuple[dict[int, str], bool]:
    """Decode some files into the memory map at `path`; what failed, and whether any image has colour."""
    images_NHWC = np.lib.format.open_memmap(path, "r+")
    failed, coloured = {}, False
    for i in range(start, stop):
        outcome = decode_quietly(os.path.join(root, names[i]), geometry, max_megapixels)
        if isinstance(outcome, Decoded):
            images_NHWC[i] = outcome.image_HWC
            coloured = coloured or outcome.coloured
        else:
            failed[i] = outcome
    images_NHWC.flush()
    return failed, coloured


def _facts(path: Path, make: Callable[[Any], Kept]) -> Kept | None:
    """What an earlier call left; None where it is missing or of no use."""
    try:
        return make(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _store(data_path: Path, facts: dict[str, Any]) -> Store:
    images_NHWC = np.load(data_path, mmap_mode="r", allow_pickle=False)
    return Store(images_NHWC, {int(i): str(text) for i, text in facts["failed"].items()}, bool(facts["coloured"]))


def _key(root: Path, entries: list[Entry], said: str, max_megapixels: float) -> str:
    from PIL import __version__ as pillow

    digest = hashlib.sha256(f"{VERSION} {pillow} {max_megapixels} {said}\n".encode())
    digest.update(os.fsencode(os.path.realpath(root)))
    for entry in entries:
        digest.update(b"\n" + os.fsencode(entry.name) + f"\0{entry.size}\0{entry.changed_ns}".encode())
    return digest.hexdigest()[:32]


def _folder() -> Path:
    folder = cache_dir() / "decoded"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*.partial"):  # of processes that were killed
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


def _make_room(folder: Path, shape: tuple[int, ...]) -> None:
    free, needed = shutil.disk_usage(folder).free, int(np.prod(shape, dtype=np.int64))
    if needed > 0.9 * free:
        raise DataError(
            f"{shape[0]:,} images of {shape[1]}×{shape[2]} need {needed / 1e9:.1f} GB, {free / 1e9:.1f} are free",
            where=str(folder),
            mend="choose smaller images with --size, or another folder with LINEWISE_CACHE",
        )
