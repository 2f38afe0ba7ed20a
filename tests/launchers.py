"""Launchers in processes of their own, stopped and killed at chosen moments."""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from linewise.foundations.folder import StudyFolder
from linewise.foundations.tuning import TuningRecord
from linewise.study.job import Job, run_job

TRIALS = 6
MODELS = ["linear", "lstm:hidden=4"]
DIALS: dict[str, Any] = {"models": MODELS, "match": "none", "epochs": 2, "seeds": 1, "tune": TRIALS}


def start(out: Path, *more: str, pause: tuple[str, int] | None = None) -> subprocess.Popen[bytes]:
    """`linewise tune` with the dials above, on 200 digits.

    Args:
        pause: a step, of `STEPS`, and the how manieth of its kind the launcher stops itself (SIGSTOP) after.
    """
    options = ["digits", "--images", "200", "--models", ",".join(MODELS), "--match", "none", "--epochs", "2"]
    begin = ["-m", "linewise"]
    if pause:
        begin = ["-c", f"import launchers; launchers.pausing{pause}"]
    return subprocess.Popen(
        [sys.executable, *begin, "tune", *options, "--trials", str(TRIALS), "--out", str(out), *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )


STEPS = {
    "take": ("linewise.study.tuning.ledger", "Ledger", "take"),
    "tell": ("linewise.study.tuning.ledger", "Ledger", "tell"),
    "submit": ("linewise.study.worker", "Worker", "submit"),
}


def pausing(step: str, number: int) -> None:
    """For a launcher's process: Linewise, which stops itself after a step."""
    module, owner, name = STEPS[step]
    taker, seen = getattr(importlib.import_module(module), owner), 0
    real = getattr(taker, name)

    def step_and_stop(*arguments: Any) -> Any:
        nonlocal seen
        outcome = real(*arguments)
        seen += outcome is not False
        if seen == number:
            seen += 1
            os.kill(os.getpid(), signal.SIGSTOP)
        return outcome

    setattr(taker, name, step_and_stop)
    runpy.run_module("linewise", run_name="__main__")


def wait_until_stopped(launcher: subprocess.Popen[bytes]) -> None:
    """Until a launcher that was started with a pause is there."""
    deadline = time.monotonic() + 120
    while psutil.Process(launcher.pid).status() != psutil.STATUS_STOPPED:
        assert launcher.poll() is None, launcher.stderr and launcher.stderr.read()
        if time.monotonic() > deadline:
            kill(launcher)
            raise AssertionError("the launcher did not come to its pause")
        time.sleep(0.05)


def kill(launcher: subprocess.Popen[bytes]) -> None:
    """As a failing power supply does it."""
    launcher.kill()
    launcher.communicate()


def ends(record: TuningRecord | None) -> dict[str, Any]:
    """What must repeat to the bit: all but the time taken."""
    assert record is not None
    return {
        n.label: n.model_copy(update={"trials": [t.model_copy(update={"seconds": 0}) for t in n.trials]})
        for n in record.networks
    }


def ends_of(folder: Path) -> dict[str, Any]:
    return ends(StudyFolder.open(folder).tuning())


def train_and_list_modules(job: Job, told: Path) -> None:
    """For a worker process: a run, and the names of all modules that it has loaded by then."""
    run_job(job)
    told.write_text(json.dumps(sorted(sys.modules)))


def leave_pid(path: Path) -> None:
    """For a worker process: its number in a file."""
    path.write_text(str(os.getpid()))


def leave_pid_slowly(path: Path) -> None:
    """The same, with time for something to happen before."""
    time.sleep(1)
    leave_pid(path)
