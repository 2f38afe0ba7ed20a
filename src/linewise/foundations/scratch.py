"""A temporary folder for what one process works with, which the next one removes where this one was killed.

A file in it is locked while it is in use. The system frees that lock when the process ends, however it ends, so an
unlocked one is nobody's.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX, HELD = "linewise-work-", ".held"
YOUNG_S = 60.0
"""A lock younger than that may be on its way."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder in the system's temporary one, gone at the end; those of killed processes are removed first.

    Raises:
        OSError: it cannot be made.
    """
    remove_left()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = FileLock(folder / HELD)
    try:
        with suppress(NotImplementedError, OSError):  # a file system without locks: then nobody can take it either
            lock.acquire()
        yield folder
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def remove_left() -> None:
    """Remove what killed processes left; what is in use, another user's or too young to tell stays."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(NotImplementedError, OSError, Timeout):
            if time.time() - (folder / HELD).stat().st_mtime < YOUNG_S:
                continue
            with FileLock(folder / HELD, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
