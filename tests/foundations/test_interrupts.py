"""Signals in the middle of a task: obeyed at once, or when a step has ended."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

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


@pytest.mark.parametrize("first", [False, True], ids=["alone", "second"])
@pytest.mark.parametrize(("signum", "raised"), BOTH)
def test_a_signal_between_any_two_statements_is_heard_once_and_handlers_go_back(
    signum: int, raised: type[BaseException], first: bool
) -> None:
    """Sent before each line of `heeded` in turn; before and after it others hear it. Or as the second one."""
    code = Stop.heeded.__wrapped__.__code__  # type: ignore[attr-defined]
    heard: list[int] = []
    before, traced = signal.signal(signum, lambda signum, frame: heard.append(signum)), sys.gettrace()
    outer, at, line, stopped = handlers(), 0, 0, 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal line
        if frame.f_code is code and event == "line":
            line += 1
            if line == at:
                signal.raise_signal(signum)
        return trace if frame.f_code is code else None

    try:
        while line >= at:  # at the end there are no more lines
            stop, at, line = Stop(), at + 1, 0
            sys.settrace(trace)
            try:
                with stop.heeded():
                    if first:
                        signal.raise_signal(signum)
            except raised:
                stopped += 1
            finally:
                sys.settrace(traced)
            assert (handlers(), stop.signum, stop.held) == (outer, 0, False), at
            assert first or stopped + len(heard) == (at if line >= at else at - 1), at
            assert not first or stopped == at, at
    finally:
        signal.signal(signum, before)
    assert at > 15


@pytest.mark.parametrize(("signum", "raised"), BOTH)
def test_an_error_does_not_hide_that_it_was_asked_to_stop(signum: int, raised: type[BaseException]) -> None:
    stop, error = Stop(), ValueError("a step that failed")
    with pytest.raises(raised) as caught, stop.heeded():
        stop.hold()
        signal.raise_signal(signum)
        raise error
    assert caught.value.__cause__ is error
    assert stop.signum == 0


def test_stopped_because_another_process_was_asked() -> None:
    with pytest.raises(SystemExit) as caught, Stop().heeded():
        raise Stopped
    assert caught.value.code == 143


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
