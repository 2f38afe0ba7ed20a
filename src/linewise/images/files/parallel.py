"""Many files at once: threads for few of them, processes for many, a bar on a terminal."""

from __future__ import annotations

import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

MANY = 4_000
"""From this number of files on, processes pay: small images spend their time in Python, not in the decoder."""
BLOCK = 250
FEW = 16
"""Up to so many files, nothing is started for them."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def by_blocks(
    work: Callable[[int, list[Item]], Result],
    items: Sequence[Item],
    title: str,
    progress: bool,
    largest: int = BLOCK,
) -> Iterator[Result]:
    """`work(start, items)` for all blocks of the items, in parallel; the answers in order.

    Only a few blocks are under way or wait to be taken: memory does not grow with the number of items.

    Args:
        work: can be pickled; it is told where its block starts.
        progress: show a bar, on a terminal only.
        largest: items of a block at most.
    """
    block = max(1, min(largest, BLOCK if len(items) >= MANY else FEW))
    starts = range(0, len(items), block)
    ahead: deque[Future[Result]] = deque()
    with _quiet(), bar(title, len(items), progress) as advance:
        if len(items) <= FEW:
            for start in starts:
                yield work(start, list(items[start : start + block]))
            return
        with _executor(len(items)) as pool:
            try:
                for start in starts:
                    ahead.append(pool.submit(work, start, list(items[start : start + block])))
                    if len(ahead) > 2 * _cores():
                        yield ahead.popleft().result()
                        advance(block)
                while ahead:
                    yield ahead.popleft().result()
                    advance(block)
            finally:  # nobody wants the rest, where somebody stopped asking
                _cancel(ahead)


def streamed(
    work: Callable[[list[Item]], list[Result]], items: Sequence[Item], largest: int = BLOCK
) -> Iterator[Result]:
    """`work` on all items, in blocks and in parallel; what it makes of them one by one, in order.

    Args:
        work: can be pickled.
        largest: items of a block at most.
    """
    for results in by_blocks(partial(_regardless, work), items, "", progress=False, largest=largest):
        yield from results


def _regardless(work: Callable[[list[Item]], Result], start: int, items: list[Item]) -> Result:
    """`work`, which does not ask where its block starts."""
    return work(items)


def _cancel(futures: Iterable[Future[Any]]) -> None:
    for future in futures:
        future.cancel()


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings from Pillow about odd metadata; set around the threads, as all threads share the filters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, cores)


def _executor(total: int) -> Executor:
    cores = _cores()
    if total < MANY or cores == 1:
        return ThreadPoolExecutor(cores)
    from loky import ProcessPoolExecutor

    return ProcessPoolExecutor(max_workers=cores, initializer=warnings.simplefilter, initargs=("ignore",))


@contextmanager
def bar(title: str, total: int, wanted: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal; what is printed meanwhile stays where it goes."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda number: None
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as shown:
        task = shown.add_task(title, total=total)
        yield lambda number: shown.advance(task, number)
