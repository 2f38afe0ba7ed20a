"""One worker process: a loky pool of one, so that its death is nobody else's."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, final

import psutil

from linewise.foundations.interrupts import STOP
from linewise.foundations.orphans import end_with
from linewise.study.watch import Vitals

IDLE_S = 60
CODE_S = 1.0


@final
class Worker:
    """A process that is begun with the first task, and again with a later one where it has ended for want of work.

    Args:
        threads: processor threads that it may use.
        marks: a folder where the process says that it can be sent signals.

    Attributes:
        memory: bytes resident when it was last seen.
    """

    def __init__(self, threads: int, marks: Path) -> None:
        from loky.process_executor import ProcessPoolExecutor

        self.memory: int | None = None
        self._marks = marks
        self._pool = ProcessPoolExecutor(
            max_workers=1, env=pinned(threads), initializer=_serve, initargs=(marks, os.getpid()), timeout=IDLE_S
        )
        self._process: Any = None
        self._seen: psutil.Process | None = None

    def submit(self, function: Callable[..., None], *arguments: Any) -> Future[None]:
        future = self._pool.submit(function, *arguments)
        self._note()
        return future

    def _note(self) -> None:
        for process in list(self._pool._processes.values()):
            self._process = process

    def vitals(self) -> Vitals | None:
        """Processor time and memory now; None where there is no process."""
        self._note()
        if self._process is None or self._process.pid is None:
            return None
        try:
            if self._seen is None or self._seen.pid != self._process.pid:
                self._seen = psutil.Process(self._process.pid)
            times, self.memory = self._seen.cpu_times(), self._seen.memory_info().rss or self.memory
        except psutil.Error:
            return None
        cpu_s = times.user + times.system + times.children_user + times.children_system
        return Vitals(cpu_s, self.memory or 0)

    def exitcode(self) -> int | None:
        """Of a process that has ended."""
        deadline = time.monotonic() + CODE_S  # the system tells with a delay
        while self._process is not None and time.monotonic() < deadline:
            if self._process.exitcode is not None:
                return self._process.exitcode
            time.sleep(0.02)
        return None

    def ask_to_stop(self) -> None:
        """Let it leave a checkpoint. One that is still loading would be killed by the signal, and has nothing."""
        self._note()
        if self._process is not None and (self._marks / str(self._process.pid)).exists():
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)

    def let_go(self, at_once: bool) -> None:
        """Let it end after its tasks, or kill it."""
        self._pool.shutdown(wait=at_once, kill_workers=at_once)


def pinned(threads: int) -> dict[str, str]:
    """Environment variables that keep libraries to so many threads, set before they are loaded."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return dict.fromkeys(names, str(threads))


def _serve(marks: Path, launcher: int) -> None:
    STOP.serve(marks)
    end_with(launcher)  # a new one may be at work already
