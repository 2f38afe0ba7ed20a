"""Where runs are computed: in this process, or in worker processes that are each pinned to their threads.

A small network does not use two threads well, so as many single-threaded runs go side by side as there are cores.
A worker takes a second or two to load torch, so workers are begun early and kept from one task to the next.
"""

from __future__ import annotations

import os
import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, final

from linewise.foundations.disk import DiskFailure, in_words, is_of_disk
from linewise.foundations.errors import ConfigError, LinewiseError
from linewise.foundations.interrupts import STOP, Stopped
from linewise.foundations.scratch import scratch
from linewise.study.watch import HANG_S, Retries, Vigil, Watched, how_it_ended, memory_kills
from linewise.study.worker import Worker

J = TypeVar("J")
POLL_S = 0.1
GRACE_S = 10

OnEnd = Callable[[J, str], None]
"""Called with a job and why it failed (a `DiskFailure` where the disk is to blame); empty: it ended well."""


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
        on_again: OnEnd[J] = lambda job, cause: None,
    ) -> None:
        """Run `function(job)` for all jobs.

        Args:
            on_poll: called several times a second meanwhile.
            on_again: called with a job that is tried again, and why: its process was killed, or hung.
        """


@final
class InProcess(Executor):
    """One job after another, here."""

    def run(
        self,
        function: Callable[[J], None],
        jobs: Sequence[J],
        on_end: OnEnd[J],
        on_poll: Callable[[], None] = lambda: None,
        on_again: OnEnd[J] = lambda job, cause: None,
    ) -> None:
        for job in jobs:
            try:
                with STOP.heeded():
                    function(job)
            except Exception as error:
                on_end(job, reason(error))
            except (KeyboardInterrupt, SystemExit) as stop:
                if isinstance(stop.__cause__, Exception):  # it had failed by then
                    on_end(job, reason(stop.__cause__))
                raise
            else:
                on_end(job, "")
            on_poll()


@final
class WorkerProcesses(Executor):
    """Worker processes (loky), kept until `close`.

    A worker that is killed or hangs is replaced, and its job tried again, a bounded number of times; the others go
    on. A job's last attempt has nothing beside it. On an interrupt the workers are asked to stop, and have ten
    seconds to leave a checkpoint; a second interrupt stops them at once. The interrupt goes on.

    Args:
        workers: processes side by side.
        threads: processor threads of each.
        hang_s: seconds without a sign of life after which a worker counts as hung; 0: never.
    """

    def __init__(self, workers: int, threads: int, hang_s: float = HANG_S) -> None:
        self.workers, self.threads, self.hang_s = workers, threads, hang_s
        self.width = workers
        self._alive: list[Worker] = []
        self._marks: Path | None = None
        self._kept = ExitStack()

    def begin(self, prepare: Callable[[], None], jobs: int) -> None:
        while len(self._alive) < min(self.workers, jobs):
            self._new()
        for worker in self._alive:
            worker.submit(prepare)

    def close(self, at_once: bool = False) -> None:
        alive, self._alive = self._alive, []
        for worker in alive:
            worker.let_go(at_once)
        self._kept.close()
        self._marks = None

    def _new(self) -> Worker:
        self._marks = self._marks or self._kept.enter_context(scratch())
        worker = Worker(self.threads, self._marks)
        self._alive.append(worker)
        return worker

    def _idle(self, running: Iterable[_Task[Any]]) -> Worker:
        busy = {id(task.worker) for task in running}
        return next((worker for worker in self._alive if id(worker) not in busy), None) or self._new()

    def run(
        self,
        function: Callable[[J], None],
        jobs: Sequence[J],
        on_end: OnEnd[J],
        on_poll: Callable[[], None] = lambda: None,
        on_again: OnEnd[J] = lambda job, cause: None,
    ) -> None:
        running: dict[Future[None], _Task[J]] = {}
        waiting, alone, retries, kills = deque(jobs), deque[J](), Retries[J](), memory_kills()

        def start(job: J) -> None:
            beats = job.beats if isinstance(job, Watched) else ()
            worker = self._idle(running.values())
            try:
                future = worker.submit(_heeding, function, job)
            except BrokenExecutor:  # it died while it had nothing to do
                self._alive.remove(worker)
                worker.let_go(at_once=True)
                start(job)
            else:
                running[future] = _Task(job, worker, Vigil(self.hang_s, beats))

        def over(future: Future[None], task: _Task[J], cause: str) -> None:
            del running[future]
            if not cause:
                error = future.exception()
                on_end(task.job, reason(error) if error else "")
                return
            self._alive.remove(task.worker)
            task.worker.let_go(at_once=True)
            if not retries.again(task.job, cause):
                on_end(task.job, retries.reason(task.job))
                return
            (alone if retries.is_last(task.job) else waiting).append(task.job)
            on_again(task.job, cause)

        ended = False
        try:
            while waiting or alone or running:
                while waiting and len(running) < self.workers:
                    start(waiting.popleft())
                if alone and not running:
                    start(alone.popleft())
                wait(running, POLL_S, FIRST_COMPLETED)
                for future, task in list(running.items()):
                    done = future.done()  # asked once: it may end between two questions
                    cause = task.failure(future, kills) if done else task.hangs()
                    if cause or done:
                        over(future, task, cause)
                on_poll()
            ended = True
        except (KeyboardInterrupt, SystemExit):
            _dismiss(running, on_poll)
            raise
        finally:
            if not ended:
                self.close(at_once=True)


@final
@dataclass(frozen=True, eq=False)
class _Task(Generic[J]):
    """A job, and the worker that has it."""

    job: J
    worker: Worker
    vigil: Vigil

    def hangs(self) -> str:
        """Why it counts as hung; empty where it works."""
        return self.vigil.hangs(time.monotonic(), self.worker.vitals())

    def failure(self, future: Future[None], kills: int) -> str:
        """Why the worker came to nothing with it; empty where it ended the job, well or badly.

        Args:
            future: done.
            kills: processes that the system had killed for want of memory before.
        """
        error = future.exception()
        if isinstance(error, BrokenExecutor):
            return how_it_ended(self.worker.exitcode(), self.worker.memory, memory_kills() > kills)
        return "its worker process was asked to stop (SIGTERM)" if isinstance(error, Stopped) else ""


def _dismiss(running: dict[Future[None], _Task[J]], on_poll: Callable[[], None]) -> None:
    """Ask workers to stop, and wait until they have, though not for long."""
    for future, task in running.items():
        future.cancel()
        task.worker.ask_to_stop()
    wait(running, GRACE_S)
    on_poll()


def load_parts() -> None:
    """Import what training needs, in a worker that has nothing to do yet."""
    import linewise.study.examination  # noqa: F401


def _heeding(function: Callable[[J], None], job: J) -> None:
    """In a worker: a job that can be stopped."""
    with STOP.heeded():
        function(job)


def reason(error: BaseException) -> str:
    """Why a job failed, in one line for our own errors and with the place for others."""
    if isinstance(error, LinewiseError):
        return str(error)
    if isinstance(error, OSError) and is_of_disk(error):
        return DiskFailure(in_words(error))
    last = traceback.extract_tb(error.__traceback__)[-1:] if error.__traceback__ else []
    place = f" ({os.path.basename(last[0].filename)}:{last[0].lineno})" if last else ""
    return f"{type(error).__name__}: {error}{place}"


def make_executor(jobs: int | None, threads: int, hang_s: float = HANG_S, on: str | None = None) -> Executor:
    """The executor for `--jobs` and `--on`.

    Args:
        jobs: 0 is this process, None as many workers as the cores have threads to give.
        hang_s: seconds without a sign of life after which a worker counts as hung; 0: never.
        on: a Ray cluster; see docs/cluster.md.

    Raises:
        ConfigError: `on` names none, or Ray is not installed.
    """
    if on is not None:
        return _on_cluster(on, jobs, threads, hang_s)
    if jobs == 0:
        return InProcess()
    return WorkerProcesses(jobs or max(1, usable_cores() // threads), threads, hang_s)


def _on_cluster(on: str, jobs: int | None, threads: int, hang_s: float) -> Executor:
    from linewise.study.cluster.connecting import require_ray
    from linewise.study.cluster.executor import RayTasks
    from linewise.study.cluster.place import parse_place

    place = parse_place(on)
    if jobs == 0:
        raise ConfigError("trains in this process, not on a cluster", where="--jobs 0", mend="leave out --on")
    require_ray()
    return RayTasks(place, threads, jobs, hang_s)


def usable_cores() -> int:
    """Processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
