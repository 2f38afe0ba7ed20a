"""Where runs are computed: in this process, or in worker processes that are each pinned to their threads.

A small network does not use two threads well, so as many single-threaded runs go side by side as there are cores.
A worker takes a second or two to load torch, so workers are begun early and kept from one task to the next.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar, final

from linewise.foundations.errors import LinewiseError
from linewise.foundations.interrupts import STOP, Stopped

J = TypeVar("J")
POLL_S = 0.1
ATTEMPTS = 2
GRACE_S = 10

OnEnd = Callable[[J, str], None]
"""Called with a job and why it failed; an empty reason means that it ended well."""


class Executor(ABC):
    """Runs jobs and reports each end. As a context manager it lets its workers go at the end.

    Attributes:
        width: how many jobs run side by side.
    """

    width: int = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.close(at_once=kind is not None)

    def begin(self, prepare: Callable[[], None], jobs: int) -> None:  # noqa: B027
        """Get workers ready for so many jobs while the caller prepares them; each calls `prepare`."""

    def close(self, at_once: bool = False) -> None:  # noqa: B027
        """Let the workers go; later jobs get new ones."""

    @abstractmethod
    def run(
        self,
        function: Callable[[J], None],
        jobs: Sequence[J],
        on_end: OnEnd[J],
        on_poll: Callable[[], None] = lambda: None,
    ) -> None:
        """Run `function(job)` for all jobs; `on_poll` is called several times a second meanwhile."""


@final
class InProcess(Executor):
    """One job after another, here."""

    def run(
        self,
        function: Callable[[J], None],
        jobs: Sequence[J],
        on_end: OnEnd[J],
        on_poll: Callable[[], None] = lambda: None,
    ) -> None:
        for job in jobs:
            try:
                with STOP.heeded():
                    function(job)
            except Exception as error:
                on_end(job, reason(error))
            else:
                on_end(job, "")
            on_poll()


@final
class WorkerProcesses(Executor):
    """Worker processes (loky), kept until `close`.

    A worker that is killed takes its pool with it; unfinished jobs are tried once more in a new pool.
    On an interrupt the workers are asked to stop, and have ten seconds to leave a checkpoint; a second interrupt
    stops them at once. The interrupt goes on.

    Args:
        workers: processes side by side.
        threads: processor threads of each.
    """

    def __init__(self, workers: int, threads: int) -> None:
        self.workers, self.threads = workers, threads
        self.width = workers
        self._pool: Any = None
        self._size = 0
        self._ready_marks: Path | None = None

    def begin(self, prepare: Callable[[], None], jobs: int) -> None:
        pool = self._ready(jobs)
        for _ in range(self._size):
            pool.submit(prepare)

    def close(self, at_once: bool = False) -> None:
        pool, self._pool, self._size = self._pool, None, 0
        if pool is not None:
            pool.shutdown(wait=at_once, kill_workers=at_once)
        if self._ready_marks:
            shutil.rmtree(self._ready_marks, ignore_errors=True)

    def _dismiss(self, waiting: Iterable[Any], on_poll: Callable[[], None]) -> None:
        """Ask the workers to stop, and wait until they have, though not for long."""
        for future in waiting:
            future.cancel()
        for pid in list(self._pool._processes) if self._pool else []:
            # One that is still loading would be killed by the signal, and take the others with it.
            if self._ready_marks and (self._ready_marks / str(pid)).exists():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and not all(future.done() for future in waiting):
            time.sleep(POLL_S)
        on_poll()

    def run(
        self,
        function: Callable[[J], None],
        jobs: Sequence[J],
        on_end: OnEnd[J],
        on_poll: Callable[[], None] = lambda: None,
    ) -> None:
        waiting = list(jobs)
        for attempt in range(1, ATTEMPTS + 1):
            waiting = self._one_pool(function, waiting, on_end, on_poll)
            if not waiting:
                return
            # Which job the dead worker had is not known: give each a pool of its own the last time.
            if attempt == ATTEMPTS - 1:
                break
        for job in waiting:
            if self._one_pool(function, [job], on_end, on_poll):
                on_end(job, "its worker process was killed, perhaps for want of memory")

    def _one_pool(
        self, function: Callable[[J], None], jobs: Sequence[J], on_end: OnEnd[J], on_poll: Callable[[], None]
    ) -> list[J]:
        """Jobs that a broken pool left undone."""
        from loky.process_executor import BrokenProcessPool

        ended, waiting = False, dict[Any, J]()
        try:
            pool = self._ready(len(jobs))
            waiting = {pool.submit(_heeding, function, job): job for job in jobs}
            undone: list[J] = []
            while waiting:
                for future in [f for f in waiting if f.done()]:
                    job = waiting.pop(future)
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool | Stopped):
                        undone.append(job)
                    else:
                        on_end(job, reason(error) if error else "")
                on_poll()
                time.sleep(POLL_S if waiting else 0)
            ended = not undone
            return undone
        except (KeyboardInterrupt, SystemExit):
            self._dismiss(waiting, on_poll)
            raise
        finally:
            if not ended:
                self.close(at_once=True)

    def _ready(self, jobs: int) -> Any:
        """The pool, with as many workers as so many jobs can use."""
        from loky.process_executor import ProcessPoolExecutor

        size = max(1, min(self.workers, jobs))
        if self._pool is None or self._size < size:
            self.close()
            self._ready_marks = Path(tempfile.mkdtemp(prefix="linewise-workers-"))
            self._pool = ProcessPoolExecutor(
                max_workers=size,
                env=_pinned(self.threads),
                initializer=_serve,
                initargs=(self._ready_marks,),
                timeout=60,
            )
            self._size = size
        return self._pool


def load_parts() -> None:
    """Import what training needs, in a worker that has nothing to do yet."""
    import linewise.study.examination  # noqa: F401


def _pinned(threads: int) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return dict.fromkeys(names, str(threads))


def _serve(ready: Path) -> None:
    STOP.serve(ready)


def _heeding(function: Callable[[J], None], job: J) -> None:
    """In a worker: a job that can be stopped."""
    with STOP.heeded():
        function(job)


def reason(error: BaseException) -> str:
    """Why a job failed, in one line for our own errors and with the place for others."""
    if isinstance(error, LinewiseError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1:] if error.__traceback__ else []
    place = f" ({os.path.basename(last[0].filename)}:{last[0].lineno})" if last else ""
    return f"{type(error).__name__}: {error}{place}"


def make_executor(jobs: int | None, threads: int) -> Executor:
    """The executor for `--jobs`: 0 is this process, None as many workers as the cores have threads to give."""
    if jobs == 0:
        return InProcess()
    return WorkerProcesses(jobs or max(1, usable_cores() // threads), threads)


def usable_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
