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
        at_once: a signal that is not held ends what is going on; ranks, which have to agree, have another answer.
        signum: the signal that asked; 0 where none did.
        held: a step is being taken: a signal is noted, and `check` obeys it. A second Ctrl-C does not wait.
    """

    at_once = True

    def __init__(self) -> None:
        self.signum, self.held, self._remembers, self._leaving = 0, False, False, False

    def check(self) -> None:
        """Obey a signal that was noted."""
        if self.signum:
            raise Stopped(self.signum)

    def hold(self) -> None:
        """Note signals from now on."""
        self.held = True

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """While a task goes on, signals raise `Stopped` in it; to the caller this is KeyboardInterrupt or
        SystemExit, with the error as its cause that the task had then. Only the main thread hears signals; in
        others nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        found = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
        before = {s: handler for s, handler in found.items() if handler not in (None, signal.SIG_IGN)}
        asked, error = 0, None
        try:
            try:
                self.held = self._leaving = False
                for signum in before:
                    signal.signal(signum, self._hear)
                self.check()
                yield
            finally:
                self.held = self._leaving = True  # while handlers go back it is noted, and obeyed after that
        except Stopped as stopped:
            if self._remembers:
                raise
            asked = stopped.signum
        except Exception as raised:
            error = raised
            raise
        finally:
            for signum, handler in reversed(before.items()):  # Ctrl-C last: its own handler raises
                signal.signal(signum, handler)
            self.held = self._leaving = False
            if not self._remembers:
                asked, self.signum = asked or self.signum, 0
                if asked:
                    raise _for_callers(asked) from error

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
        if self._leaving:
            return
        if again:  # what was begun by the first is being done, such as a checkpoint
            if signum == signal.SIGINT:
                raise Stopped(signum)
        elif not self.held:
            raise Stopped(signum)


def _for_callers(signum: int) -> BaseException:
    return KeyboardInterrupt() if signum == signal.SIGINT else SystemExit(128 + signum)


STOP = Stop()
"""Of this process: signals come to a process, not to an object."""
