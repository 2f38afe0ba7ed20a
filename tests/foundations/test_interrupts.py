"""Signals in the middle of a task: obeyed at once, or when a step has ended."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from linewise.foundations.interrupts import Stop, Stopped

BOTH = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]


def handlers() -> list[object]:
    return [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize(("signum", "raised"), BOTH)
def test_a_signal_is_obeyed_at_once(signum: int, raised: type[BaseException]) -> None:
    stop, before, came_by = Stop(), handlers(), False
    with pytest.raises(raised) as caught, stop.heeded():
        signal.raise_signal(signum)
        came_by = True
    assert not came_by
    assert handlers() == before
    assert stop.signum == 0
    if isinstance(caught.value, SystemExit):
        assert caught.value.code == 143


@pytest.mark.parametrize(("signum", "raised"), BOTH)
def test_while_it_is_held_a_signal_waits(signum: int, raised: type[BaseException]) -> None:
    stop, steps = Stop(), 0
    with pytest.raises(raised), stop.heeded():
        stop.held = True
        for steps in range(1, 10):
            if steps == 3:
                signal.raise_signal(signum)
            if steps > 3:
                pytest.fail("another step was begun")
            stop.check()
    assert steps == 3
    assert not stop.held


def test_a_second_ctrl_c_does_not_wait_and_a_second_sigterm_changes_nothing() -> None:
    stop = Stop()
    with pytest.raises(KeyboardInterrupt), stop.heeded():
        stop.held = True
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.signum == signal.SIGTERM
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second was not heard")


def test_what_was_noted_and_not_obeyed_is_obeyed_at_the_end() -> None:
    stop = Stop()
    with pytest.raises(SystemExit), stop.heeded():
        stop.held = True
        signal.raise_signal(signal.SIGTERM)


def test_a_worker_that_was_told_begins_nothing_any_more(tmp_path: Path) -> None:
    stop, before = Stop(), handlers()
    try:
        stop.serve(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [str(os.getpid())]
        signal.raise_signal(signal.SIGINT)  # for the launcher alone
        with stop.heeded():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        for _ in range(2):
            with pytest.raises(Stopped), stop.heeded():
                pytest.fail("a task was begun")
    finally:
        for signum, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(signum, handler)  # type: ignore[arg-type]


def test_in_other_threads_nothing_changes() -> None:
    stop, before, seen = Stop(), handlers(), list[object]()

    def task() -> None:
        with stop.heeded():
            seen.extend(handlers())

    thread = threading.Thread(target=task)
    thread.start()
    thread.join()
    assert seen == before
