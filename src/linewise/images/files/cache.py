"""Image files decoded once, in parallel, into a uint8 memory map in the cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from linewise.foundations.atomic import write_json
from linewise.foundations.errors import DataError
from linewise.foundations.paths import cache_dir
from linewise.images.files.decode import Decoded, Header, decode_quietly, read_header
from linewise.images.files.listing import Entry
from linewise.images.preprocessing import Geometry

VERSION = 1
"""Raised when decoding changes, so that older caches are not used."""
BLOCK = 64
Item = TypeVar("Item")
Result = TypeVar("Result")


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
    """Headers of all files, or what is wrong with them."""
    paths = [root / entry.name for entry in entries]
    return _parallel(lambda path: read_header(path, max_megapixels), paths, "looking at images", progress)


def decoded(root: Path, entries: list[Entry], geometry: Geometry, max_megapixels: float, progress: bool) -> Store:
    """All files brought to one shape; from the cache when they were decoded before.

    Files are known by name, size and time of change: a file that is changed is decoded again.

    Raises:
        DataError: not enough room in the cache folder.
    """
    folder = cache_dir() / "decoded"
    key = _key(root, entries, geometry, max_megapixels)
    data_path, facts_path = folder / f"{key}.npy", folder / f"{key}.json"
    shape = (len(entries), geometry.height, geometry.width, geometry.channels)
    if (store := _load(data_path, facts_path, shape)) is not None:
        return store
    _make_room(folder, shape)
    partial = folder / f".{key}.{os.getpid()}.partial"
    failed: dict[int, str] = {}
    coloured = False
    try:
        images_NHWC = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)

        def one(i: int) -> bool | str:
            outcome = decode_quietly(root / entries[i].name, geometry, max_megapixels)
            if isinstance(outcome, Decoded):
                images_NHWC[i] = outcome.image_HWC
                return outcome.coloured
            return outcome

        for i, outcome in enumerate(_parallel(one, range(len(entries)), "decoding images", progress)):
            if isinstance(outcome, str):
                failed[i] = outcome
            else:
                coloured = coloured or outcome
        images_NHWC.flush()
        write_json(facts_path, {"failed": {str(i): text for i, text in failed.items()}, "coloured": coloured})
        os.replace(partial, data_path)
    finally:
        partial.unlink(missing_ok=True)
    return Store(np.load(data_path, mmap_mode="r"), failed, coloured)


def _load(data_path: Path, facts_path: Path, shape: tuple[int, ...]) -> Store | None:
    try:
        facts = json.loads(facts_path.read_text(encoding="utf-8"))
        images_NHWC = np.load(data_path, mmap_mode="r", allow_pickle=False)
        failed = {int(i): str(text) for i, text in facts["failed"].items()}
        coloured = bool(facts["coloured"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Store(images_NHWC, failed, coloured) if images_NHWC.shape == shape else None


def _key(root: Path, entries: list[Entry], geometry: Geometry, max_megapixels: float) -> str:
    from PIL import __version__ as pillow

    digest = hashlib.sha256(
        f"{VERSION} {pillow} {os.path.realpath(root)} {max_megapixels}\n".encode(errors="replace")
    )
    digest.update(geometry.model_dump_json(include={"height", "width", "channels", "fit"}).encode())
    for entry in entries:
        digest.update(f"\n{entry.name}\0{entry.size}\0{entry.changed_ns}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _make_room(folder: Path, shape: tuple[int, ...]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        for leftover in folder.glob(".*.partial"):
            if time.time() - leftover.stat().st_mtime > 86_400:
                leftover.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"the cache folder cannot be written ({error.strerror})",
            where=str(folder),
            mend="name another with LINEWISE_CACHE",
        ) from None
    needed = int(np.prod(shape, dtype=np.int64))
    if needed > 0.9 * free:
        raise DataError(
            f"{shape[0]:,} images of {shape[1]}×{shape[2]} need {needed / 1e9:.1f} GB, {free / 1e9:.1f} are free",
            where=str(folder),
            mend="choose smaller images with --size, or another folder with LINEWISE_CACHE",
        )


def _parallel(work: Callable[[Item], Result], items: Iterable[Item], title: str, progress: bool) -> list[Result]:
    """`map` over threads (Pillow decodes outside Python's lock), with a bar on a terminal.

    Warnings are silenced here, not in the threads: Python keeps them for all threads at once.
    """
    items = list(items)
    blocks = [items[start : start + BLOCK] for start in range(0, len(items), BLOCK)]
    results: list[Result] = []
    with warnings.catch_warnings(), ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")
        done = pool.map(lambda block: [work(item) for item in block], blocks)
        with _bar(title, len(items), progress) as advance:
            try:
                for block in done:
                    results += block
                    advance(len(block))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return results


@contextmanager
def _bar(title: str, total: int, wanted: bool) -> Iterator[Callable[[int], None]]:
    if not (wanted and sys.stderr.isatty()):
        yield lambda number: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda number: bar.advance(task, number)
