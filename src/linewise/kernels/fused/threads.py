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


def at_once(tasks: Sequence[Callable[[], None]]) -> None:
    """Do all; this thread takes the first. Denormals are treated there as here."""
    global _pool
    if len(tasks) > 1:
        if _pool is None:
            _pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="linewise-kernel")
        flush = bool(np.float32(1e-38) * np.float32(0.1) == 0)
        others = [_pool.submit(_one, task, flush) for task in tasks[1:]]
        tasks[0]()
        for other in others:
            other.result()
    else:
        for task in tasks:
            task()


def _one(task: Callable[[], None], flush: bool) -> None:
    torch.set_flush_denormal(flush)
    task()


def shares(rows: int, threads: int, least: int) -> list[tuple[int, int]]:
    """First and end row of each thread's share; none has fewer than `least` rows, unless there are no more.

    >>> shares(32, 2, 6), shares(7, 4, 6)
    ([(0, 16), (16, 32)], [(0, 7)])
    """
    count = max(1, min(threads, rows // least))
    ends = [rows * (i + 1) // count for i in range(count)]
    return list(zip([0, *ends[:-1]], ends, strict=True))
