"""Pieces of one pass on several threads: rows of the batch do not wait for one another."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

_pool: ThreadPoolExecutor | None = None


def _forget() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_forget)


BLOCK = 96 * 1024
"""Bytes that a step may write for the rows of a block."""
LEAST_ROWS = 6
"""Of a share: a tile."""


def at_once(shares: Sequence[Sequence[Callable[[], None]]]) -> None:
    """Each share on a thread of its own, its tasks in turn; this thread takes the first."""
    global _pool
    if len(shares) > 1:
        if _pool is None:
            _pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="linewise-kernel")
        flush = bool(np.float32(1e-38) * np.float32(0.1) == 0)
        others = [_pool.submit(_in_turn, share, flush) for share in shares[1:]]
        _in_turn(shares[0], flush)
        for other in others:
            other.result()
    else:
        _in_turn(shares[0], None)


def _in_turn(tasks: Sequence[Callable[[], None]], flush: bool | None) -> None:
    if flush is not None:  # denormals are treated as on the thread that asks
        torch.set_flush_denormal(flush)
    for task in tasks:
        task()


def shares(rows: int) -> list[tuple[int, int]]:
    """First and end row for each of torch's threads; none has fewer than a tile, unless there are no more."""
    count = max(1, min(torch.get_num_threads(), rows // LEAST_ROWS))
    ends = [rows * (i + 1) // count for i in range(count)]
    return list(zip([0, *ends[:-1]], ends, strict=True))
