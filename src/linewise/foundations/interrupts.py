"""Being asked to stop: by SIGTERM, by Ctrl-C, in the middle of a run."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import final


class Stopped(BaseException):
    """Raised in a run whose process was asked to stop.

    Args:
        signum: the signal that asked.
    """

    def __init__(self, signum: int = signal.SIGTERM) -> None:
        super().__init__(signum)
        self.signum = signum


@final
class Stop:
    """Whether this process was asked to stop, and whether it may stop at once.

    Attributes:
        signum: the signal that asked; 0 where none did.
        held: a step is being taken: a signal is noted, and `check` obeys it. A second Ctrl-C does not wait.
    """

    def __init__(self) -> None:
        self.signum, self.held, self._remembers = 0, False, False

    def check(self) -> None:
        """Obey a signal that was noted."""
        if self.signum:
            raise Stopped(self.signum)

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """While a task goes on, signals raise `Stopped` in it; to the caller this is KeyboardInterrupt or
        SystemExit. Only the main thread hears signals; in others nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        found = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
        before = {s: handler for s, handler in found.items() if handler not in (None, signal.SIG_IGN)}
        try:
            for signum in before:
                signal.signal(signum, self._hear)
            self.check()
            yield
            if not self._remembers:
                self.check()
        except Stopped as stopped:
            if self._remembers:
                raise
            if stopped.signum == signal.SIGINT:
                raise KeyboardInterrupt from None
            raise SystemExit(128 + stopped.signum) from None
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)
            self.held = False
            if not self._remembers:
                self.signum = 0

    def serve(self, ready: Path) -> None:
        """Become a worker: Ctrl-C is for the launcher alone, which sends SIGTERM; once sent, no task is begun.

        Args:
            ready: a folder in which a file with this process's number says that it can be sent.
        """
        self._remembers = True
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._note)
        with suppress(OSError):  # let go already
            (ready / str(os.getpid())).touch()

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        again, self.signum = bool(self.signum), self.signum or signum
        if again:  # what was begun by the first is being done, such as a checkpoint
            if signum == signal.SIGINT:
                raise Stopped(signum)
        elif not self.held:
            raise Stopped(signum)


STOP = Stop()
"""Of this process: signals come to a process, not to an object."""
