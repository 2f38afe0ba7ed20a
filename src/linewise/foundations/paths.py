"""Where data and caches live on the user's machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The folder for decoded images and downloads: `LINEWISE_CACHE`, else the system's cache folder."""
    if chosen := os.environ.get("LINEWISE_CACHE"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("linewise", appauthor=False)


def data_dirs(data_dir: Path | None = None) -> list[Path]:
    """Folders searched for data sets by name, in order: `--data-dir`, `LINEWISE_DATA`, the user's cache."""
    found = [data_dir] if data_dir else []
    if chosen := os.environ.get("LINEWISE_DATA"):
        found.append(Path(chosen))
    return [*found, cache_dir() / "data"]
