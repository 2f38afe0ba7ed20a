"""Caches for tests: each decodes into one of its own; what is the same for all is made once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MADE_ONCE = ("kernels", "scripts")
"""Folders whose files take seconds to make, and have their names from what they are made of."""


def begin(factory: pytest.TempPathFactory, cold: bool = False) -> Path:
    """A new cache, for `LINEWISE_CACHE`.

    Args:
        cold: nothing is compiled or bundled.
    """
    cache = factory.mktemp("cache")
    session = factory.getbasetemp()
    session = session.parent if "PYTEST_XDIST_WORKER" in os.environ else session
    for name in () if cold else MADE_ONCE:
        (made := session / "made-once" / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(made)
    return cache
