"""Many files at once: threads for few of them, processes for many, a bar on a terminal."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

MANY = 4_000
"""From this number of files on, processes pay: small images spend their time in Python, not in the decoder."""
BLOCK = 250
Result = TypeVar("Result")


def by_blocks(work: Callable[[int, int], Result], total: int, title: str, progress: bool) -> list[Result]:
    """`work(start, stop)` for all blocks of `total` items, in parallel; the answers in order.

    Args:
        work: can be pickled.
        progress: show a bar, on a terminal only.
    """
    block = BLOCK if total >= MANY else 16
    starts = range(0, total, block)
    stops = [min(start + block, total) for start in starts]
    results: list[Result] = []
    with _quiet(), _executor(total) as pool, _bar(title, total, progress) as advance:
        futures = [pool.submit(work, start, stop) for start, stop in zip(starts, stops, strict=True)]
        try:
            for future, start, stop in zip(futures, starts, stops, strict=True):
                results.append(future.result())
                advance(stop - start)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return results


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings from Pillow about odd metadata; set around the threads, as all threads share the filters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _executor(total: int) -> Executor:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if total < MANY or cores == 1:
        return ThreadPoolExecutor(min(16, cores))
    from loky import ProcessPoolExecutor

    return ProcessPoolExecutor(max_workers=min(16, cores), initializer=warnings.simplefilter, initargs=("ignore",))


@contextmanager
def _bar(title: str, total: int, wanted: bool) -> Iterator[Callable[[int], None]]:
    if not (wanted and sys.stderr.isatty()):
        yield lambda number: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda number: bar.advance(task, number)
