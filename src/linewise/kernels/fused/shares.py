"""How the sequences of a unit are divided among threads, and into blocks that fit a core's cache."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from linewise.kernels.fused.sweeps import Unit

LEAST_ROWS = 6
"""Sequences of a thread: a tile."""
LEAST_BLOCK = 24
"""Sequences of a block: with fewer, the weights are read too often."""
FLOAT = 4  # bytes
Range = tuple[int, int]


@cache
def core_cache() -> int:
    """Bytes of the second cache of a core, 1 MiB where it is not told; a block may fill it."""
    try:
        size = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text(encoding="ascii").strip()
        return 1024 * int(size.removesuffix("K"))
    except (OSError, ValueError):
        return 1024 * 1024


def threads_for(unit: Unit, threads: int) -> int:
    """Threads that get enough to do."""
    return max(1, min(threads, unit.groups, unit.rows // LEAST_ROWS))


def divided(count: int, parts: int) -> list[Range]:
    """First and end of each part of `count`."""
    ends = [count * (i + 1) // parts for i in range(parts)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def blocks(unit: Unit, threads: int, floats: int) -> list[list[Range]]:
    """Groups of each block, by thread; one block for each thread where blocks would be too small.

    Args:
        floats: float32 of a group in all sweeps and steps.
    """
    shares = divided(unit.groups, threads_for(unit, threads))
    at_once = core_cache() // (FLOAT * floats)
    if at_once * min(s.group for s in unit.sweeps) < LEAST_BLOCK:
        return [[share] for share in shares]
    found: list[list[Range]] = []
    for first, end in shares:
        parts = divided(end - first, -(-(end - first) // at_once))
        found.append([(first + a, first + b) for a, b in parts])
    return found
