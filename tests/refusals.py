"""What a user reads when something is refused: typed as a command, the whole message, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def refused(linewise: Callable, folder: Path, code: int, *arguments: object) -> str:
    """What a command says before it ends with `code`; `folder` is called DIR.

    Nothing may be printed to standard output, no traceback shown, no file made or changed.
    """
    before = _files(folder)
    said = linewise(*arguments)
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.code == code, said.err
    assert said.err.startswith("error: ")
    assert said.err.endswith("\n")
    assert _files(folder) == before
    return said.err.removeprefix("error: ").removesuffix("\n").replace(str(folder), "DIR")


def _files(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def class_folders(root: Path, classes: tuple[str, ...] = ("cat", "dog"), number: int = 6, seed: int = 0) -> Path:
    """`number` different grey 8×8 images per class."""
    rng = np.random.default_rng(seed)
    for label in classes:
        (root / label).mkdir(parents=True)
        for i in range(number):
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(root / label / f"{i}.png")
    return root
