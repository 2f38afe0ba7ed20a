"""As a user whom permissions bind; tests often run as one whom they do not."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def without_rights() -> Iterator[None]:
    """While it lasts, root is nobody. What other tests left is cleared away as root: nobody may not unlink a
    semaphore of root's, and an error in a finalizer would be blamed on the test that happens to run."""
    if os.geteuid() != 0:
        yield
        return
    gc.collect()
    gc.disable()
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        gc.enable()


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that everybody may reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)
