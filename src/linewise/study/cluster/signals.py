"""Signals while Ray is at work: it takes them for itself, and makes other exit codes of them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self


@contextmanager
def own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself and ends with another exit code; it is given back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            if handler is not None:
                signal.signal(signum, handler)


class Noted:
    """Signals wait until no call of Ray's is going on.

    An exception in the middle of one leaves its client waiting for ever, or becomes another exit code.
    """

    def __init__(self) -> None:
        self.signum = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            found = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}
            self._before = {s: handler for s, handler in found.items() if callable(handler)}
            for signum in self._before:
                signal.signal(signum, self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum

    def obey(self) -> None:
        """Do what the signal asks for, if one came."""
        if self.signum:
            signum, self.signum = self.signum, 0
            self._before[signum](signum, None)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C is passed over once: where it breaks Ray's leave-taking off, Ray ends the process with exit code 1.

    Pressed once more it ends this process at once, with the exit code of an interrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = 0

    def hear(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed += 1
        if pressed > 1:
            os._exit(128 + signum)

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
