"""Launchers in processes of their own, stopped and killed at chosen moments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from linewise.foundations.folder import StudyFolder
from linewise.foundations.tuning import TuningRecord
from linewise.study.job import Job, run_job

TRIALS = 6
MODELS = ["linear", "lstm:hidden=4"]
DIALS: dict[str, Any] = {"models": MODELS, "match": "none", "epochs": 2, "seeds": 1, "tune": TRIALS}


def start(out: Path, *more: str) -> subprocess.Popen[bytes]:
    """`linewise tune` with the dials above, on 200 digits."""
    options = ["digits", "--images", "200", "--models", ",".join(MODELS), "--match", "none", "--epochs", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "linewise", "tune", *options, "--trials", str(TRIALS), "--out", str(out), *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@contextmanager
def stopped(launcher: subprocess.Popen[bytes], moment: Callable[[], bool]) -> Iterator[None]:
    """The launcher, stopped at a moment at which `moment` is true, and stays true."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert launcher.poll() is None, launcher.stderr and launcher.stderr.read()
        if moment():
            os.kill(launcher.pid, signal.SIGSTOP)
            time.sleep(0.02)
            if moment():
                yield
                return
            os.kill(launcher.pid, signal.SIGCONT)
        time.sleep(0.01)
    launcher.kill()
    raise AssertionError("the moment did not come")


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
