"""What the cache folder holds of decoded images and unpacked archives, and how it is cleared."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from linewise.foundations.errors import DataError
from linewise.foundations.paths import cache_dir

OTHER = "of another version, or unfinished"


@dataclass(frozen=True)
class Kept:
    """One thing in the cache.

    Attributes:
        paths: all that belongs to it.
        what: for people.
        source: the folder that it was made from; empty where that is not known.
        size: bytes on disk.
        used: when it was last used.
    """

    paths: tuple[Path, ...]
    what: str
    source: str
    size: int
    used: datetime


def kept() -> list[Kept]:
    """All of it, the largest first; nothing where there is no cache.

    Raises:
        DataError: the folder cannot be read.
    """
    decoded, unpacked = cache_dir() / "decoded", cache_dir() / "unpacked"
    try:
        by_key: dict[str, list[Path]] = {}
        for path in sorted(decoded.iterdir()) if decoded.is_dir() else []:
            by_key.setdefault(path.name.lstrip(".").split(".")[0], []).append(path)
        found = [_decoded(paths) for paths in by_key.values()]
        archives = unpacked.iterdir() if unpacked.is_dir() else []
        found += [_kept((path,), "unpacked archive", path.name.lstrip(".")) for path in archives]
    except OSError as error:
        raise DataError(f"cannot be listed ({error.strerror})", where=str(error.filename or cache_dir())) from None
    return sorted((each for each in found if each.size), key=lambda each: -each.size)


def clear(what: list[Kept]) -> list[Kept]:
    """Remove these, and return those that stayed because a process is writing them.

    Images that a process is reading stay readable for it.

    Raises:
        DataError: something cannot be removed.
    """
    busy = []
    for each in what:
        folder, key = each.paths[0].parent, each.paths[0].name.lstrip(".").split(".")[0]
        lock = folder / f".{key}.lock"
        try:
            with FileLock(lock).acquire(timeout=0):
                # What says that the rest is whole goes first.
                for path in sorted({*each.paths} - {lock}, key=lambda path: path.suffix != ".json"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                with suppress(PermissionError):  # Windows keeps a file that is open
                    lock.unlink(missing_ok=True)  # while it is held: once free, it is the next process's
        except Timeout:
            busy.append(each)
        except OSError as error:
            raise DataError(f"cannot be removed ({error.strerror})", where=str(error.filename)) from None
    return busy


def _decoded(paths: list[Path]) -> Kept:
    facts: dict[str, Any] = {}
    for path in paths:
        if path.suffix == ".json":
            try:
                facts = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                continue
    try:
        number, height, width, channels = map(int, facts["shape"])
        what = f"{number:,} images, {height}×{width}, {'grey' if channels == 1 else 'colour'}"
        return _kept(tuple(paths), what, str(facts["source"]))
    except (KeyError, ValueError, TypeError):
        headers = all(path.suffix in (".npz", ".lock") for path in paths)
        return _kept(tuple(paths), "sizes and kinds of files" if headers else OTHER, "")


def _kept(paths: tuple[Path, ...], what: str, source: str) -> Kept:
    files = [
        Path(folder, name)
        for path in paths
        if path.is_dir()
        for folder, _, names in os.walk(path)
        for name in names
    ]
    status = [path.stat() for path in (*files, *(path for path in paths if path.is_file()))]
    used = max((each.st_mtime for each in status), default=0.0)
    return Kept(paths, what, source, sum(each.st_size for each in status), datetime.fromtimestamp(used, UTC))
