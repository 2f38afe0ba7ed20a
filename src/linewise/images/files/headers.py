"""What a million image files say about themselves, in a few bytes each."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from linewise.foundations.atomic import replace_file
from linewise.foundations.npz import open_npz
from linewise.images.files.decode import Header, read_header
from linewise.images.files.entries import Entry, Files
from linewise.images.files.parallel import by_blocks


@dataclass(frozen=True, eq=False)
class Headers:
    """Of all files, in order.

    Attributes:
        sizes_N2: height and width; 0 where a file cannot be used.
        mode_N: number of the kind of pixels in `modes`.
        frames_N: images in the file.
        failed: file number → what is wrong.
    """

    sizes_N2: np.ndarray
    mode_N: np.ndarray
    frames_N: np.ndarray
    modes: list[str]
    failed: dict[int, str]

    def __len__(self) -> int:
        return len(self.mode_N)

    def without(self, left_out_N: np.ndarray) -> Headers:
        """Those of the other files, which can all be used."""
        kept_N = ~left_out_N
        return Headers(self.sizes_N2[kept_N], self.mode_N[kept_N], self.frames_N[kept_N], self.modes, {})

    def counted_modes(self) -> Counter[str]:
        """Files per kind of pixels, in the order in which they first appear."""
        numbers, first, counts = np.unique(self.mode_N, return_index=True, return_counts=True)
        order = np.argsort(first)
        return Counter({self.modes[numbers[i]]: int(counts[i]) for i in order})

    def counted_sizes(self, some: slice = slice(None)) -> Counter[tuple[int, int]]:
        """Files per height and width, in the order in which they first appear."""
        joint = self.sizes_N2[some].astype(np.int64) @ np.array([1 << 32, 1])
        values, first, counts = np.unique(joint, return_index=True, return_counts=True)
        order = np.argsort(first)
        return Counter({(int(values[i] >> 32), int(values[i] & 0xFFFFFFFF)): int(counts[i]) for i in order})


def scan(root: Path, files: Files, kept_at: Path, max_megapixels: float, progress: bool) -> Headers:
    """Headers of all files, or what is wrong with them; kept in the file `kept_at`."""
    if (kept := _read(kept_at)) is not None and len(kept) == len(files):
        return kept
    work = partial(_scan_block, str(root), max_megapixels)
    blocks = by_blocks(work, files, "looking at images", progress)
    headers = _gathered((header for block in blocks for header in block), len(files))
    with replace_file(kept_at) as file:
        text = np.frombuffer(json.dumps([headers.modes, list(headers.failed.items())]).encode(), np.uint8)
        np.savez(
            file,
            sizes=headers.sizes_N2,
            modes=headers.mode_N,
            frames=headers.frames_N,
            text=text,
            allow_pickle=False,
        )
    return headers


def _scan_block(root: str, max_megapixels: float, start: int, entries: list[Entry]) -> list[Header | str]:
    return [read_header(os.path.join(root, entry.name), max_megapixels) for entry in entries]


def _gathered(found: Iterable[Header | str], number: int) -> Headers:
    sizes_N2, mode_N, frames_N = (
        np.zeros((number, 2), np.uint32),
        np.zeros(number, np.uint8),
        np.ones(number, np.uint32),
    )
    modes: dict[str, int] = {}
    failed: dict[int, str] = {}
    for i, header in enumerate(found):
        if isinstance(header, str):
            failed[i] = header
        else:
            sizes_N2[i] = header.height, header.width
            mode_N[i], frames_N[i] = modes.setdefault(header.mode, len(modes)), min(header.frames, 2**32 - 1)
    return Headers(sizes_N2, mode_N, frames_N, list(modes), failed)


def _read(path: Path) -> Headers | None:
    """What an earlier call left; None where it is missing or of no use."""
    try:
        with open_npz(path) as archive:
            sizes_N2, mode_N, frames_N, text = map(archive.read, ("sizes", "modes", "frames", "text"))
        modes, failed = json.loads(text.tobytes())
        headers = Headers(sizes_N2, mode_N, frames_N, list(map(str, modes)), {int(i): str(t) for i, t in failed})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    fits = sizes_N2.shape == (len(headers), 2) and frames_N.shape == (len(headers),)
    return headers if fits and mode_N.max(initial=0) < max(1, len(modes)) else None
