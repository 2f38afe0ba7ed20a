"""Tasks for worker processes that load next to nothing."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil


def stay(told: Path) -> None:
    """Add this process's number to a file, then work until `told` with the ending `.go` is there."""
    with told.open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not told.with_suffix(".go").exists():
        sum(range(20_000))  # works, for who looks whether it does
        time.sleep(0.01)


def pids(told: Path) -> list[int]:
    """Of the processes that began a task, in order."""
    return [int(line) for line in told.read_text().splitlines()] if told.exists() else []


def of(launcher: int | None = None) -> list[psutil.Process]:
    """Worker processes that were begun by this process, or another, and have not ended."""
    found = []
    with suppress(psutil.Error):
        for child in psutil.Process(launcher).children(recursive=True):
            with suppress(psutil.Error):  # ended meanwhile, though its parent has not looked
                if "popen_loky" in " ".join(child.cmdline()):
                    found.append(child)
    return found
