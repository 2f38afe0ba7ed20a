"""Launchers, workers and writers killed at random moments of a study, and the same command until it ends."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import workers
from torture import bits


@dataclass(frozen=True)
class Study:
    """A study to be killed: networks by their labels, two seeds each, a checkpoint after each step."""

    models: tuple[str, ...] = ("gru,hidden=4", "linear")
    epochs: int = 20

    @property
    def runs(self) -> set[str]:
        return {f"{label}-{seed}" for label in self.models for seed in (0, 1)}

    def command(self, out: Path, jobs: int = 2) -> list[str]:
        models = ",".join(label.replace(",", ":") for label in self.models)
        return [
            "compare", "digits", "--images", "100", "--models", models, "--match", "none", "--seeds", "2",
            "--epochs", str(self.epochs), "--batch-size", "40", "--jobs", str(jobs), "--checkpoint-every", "0",
            "--no-report", "--out", str(out),
        ]  # fmt: skip


VICTIMS = ("launcher", "worker", "writer")
LIMIT_S = 600
"""A launch that lasts longer is stuck; undisturbed it takes some ten seconds of a quiet machine."""
ORPHAN_S = 60
WRITER = re.compile(r"\.(\d+)\.partial$")


@dataclass
class Account:
    """What was done and what came of it.

    Attributes:
        kills: by victim.
        wrong: what went wrong.
    """

    kills: Counter[str] = field(default_factory=Counter)
    launches: int = 0
    wrong: list[str] = field(default_factory=list)


def play(what: Study, folder: Path, seed: int, kills: int, wanted: dict[str, Any]) -> Account:
    """One study, killed so many times, then left to end.

    Args:
        seed: decides whom, and at which moment.
        wanted: what the undisturbed study came to.
    """
    rng, account, out = random.Random(seed), Account(), folder / "s"
    finished: dict[str, tuple[int, int]] = {}
    while True:
        left = kills - account.kills.total()
        before = account.kills.total()
        account.launches += 1
        with launched(what, out, folder / "told") as launcher:
            deadline = time.monotonic() + LIMIT_S
            family: dict[int, psutil.Process] = {}
            while left > 0 and launcher.poll() is None:
                victim = rng.choice(VICTIMS)
                if _kill(victim, launcher, out, rng, family, deadline):
                    account.kills[victim] += 1
                    left -= 1
            try:
                code = launcher.wait(max(1.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                account.wrong.append(f"stuck for {LIMIT_S} s: {_said(folder)}")
                return account
        at_once = code == -signal.SIGKILL and rng.random() < 0.5  # its workers may not have noticed yet
        if not at_once and (alive := _still_alive(family)):
            account.wrong.append(f"{alive} workers live on without their launcher")
            return account
        if not at_once:
            account.wrong += _lost(what.runs, finished, out)
        if code == 0:
            break
        if code not in (1, 2, -signal.SIGKILL) or (
            code == 2 and "the test was not completed" not in _said(folder)
        ):
            account.wrong.append(f"exit code {code}: {_said(folder)}")
            return account
        if account.kills.total() == before and code != -signal.SIGKILL:
            account.wrong.append(f"not killed, and exit code {code}: {_said(folder)}")
            return account
    names = {path.name for path in (out / "runs").iterdir()}
    if names != what.runs:
        account.wrong.append(f"runs are {sorted(names)}")
    account.wrong += bits.differences(bits.of_study(out), wanted)
    account.wrong += [f"left behind: {name}" for name in bits.leftovers(out)]
    if (out / ".work").exists():
        account.wrong.append("left behind: .work")
    return account


@contextmanager
def launched(what: Study, out: Path, told: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`linewise compare` in a process of its own, what it says in a file."""
    with told.open("wb") as stderr:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "linewise", *what.command(out)],
            stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
        )  # fmt: skip
        try:
            yield launcher
        finally:
            if launcher.poll() is None:
                for process in psutil.Process(launcher.pid).children(recursive=True):
                    with suppress(psutil.Error):
                        process.kill()
                launcher.kill()
            launcher.wait()


def _kill(
    victim: str,
    launcher: subprocess.Popen[bytes],
    out: Path,
    rng: random.Random,
    family: dict[int, psutil.Process],
    deadline: float,
) -> bool:
    """Wait for the moment and kill; whether there was somebody to kill."""
    delay_s, which, drafts = rng.uniform(0, 4), rng.random(), rng.randint(1, 60)
    if victim != "writer" and not _wait(launcher, deadline, lambda: out.joinpath(".work").exists()):
        return False
    if victim == "writer":
        return _kill_writer(launcher, out, drafts, family, deadline)
    end = time.monotonic() + delay_s
    _wait(launcher, min(end, deadline), lambda: False)
    if launcher.poll() is not None:
        return False
    workers = _workers(launcher, family)
    if victim == "launcher":
        launcher.kill()
        launcher.wait()
        return True
    if not workers:
        return False
    with suppress(psutil.Error):
        workers[int(which * len(workers))].kill()
        return True
    return False


def _kill_writer(
    launcher: subprocess.Popen[bytes], out: Path, drafts: int, family: dict[int, psutil.Process], deadline: float
) -> bool:
    """Kill who writes the so-manieth draft that is seen, while it is there."""
    seen, before = 0, ""
    while launcher.poll() is None and time.monotonic() < deadline:
        for draft in _drafts(out):
            seen += draft != before
            before = draft
            found = WRITER.search(draft)
            if seen >= drafts and found:
                _workers(launcher, family)
                with suppress(ProcessLookupError):
                    os.kill(int(found[1]), signal.SIGKILL)
                    return True
    return False


def _drafts(out: Path) -> Iterator[str]:
    places = [out, out / "runs"]
    with suppress(OSError):
        for run in os.listdir(out / "runs"):
            places += [out / "runs" / run, out / "runs" / run / "checkpoint"]
    for place in places:
        with suppress(OSError):
            yield from (str(place / name) for name in os.listdir(place) if name.endswith(".partial"))


def _workers(launcher: subprocess.Popen[bytes], family: dict[int, psutil.Process]) -> list[psutil.Process]:
    """Alive now; all that ever were are noted."""
    found = workers.of(launcher.pid)
    family.update({process.pid: process for process in found})
    return found


def _still_alive(family: dict[int, psutil.Process]) -> int:
    _, alive = psutil.wait_procs(list(family.values()), timeout=ORPHAN_S)
    return len([process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE])


def _wait(launcher: subprocess.Popen[bytes], until: float, true: Any) -> bool:
    while launcher.poll() is None and time.monotonic() < until:
        if true():
            return True
        time.sleep(0.005)
    return False


def _lost(runs: set[str], finished: dict[str, tuple[int, int]], out: Path) -> list[str]:
    """Runs that had finished and are gone or were done again; notes those that have finished since."""
    wrong = []
    for name in sorted(runs):
        weights = out / "runs" / name / "model.safetensors"
        record = out / "runs" / name / "run.json"
        now = (weights.stat().st_ino, weights.stat().st_mtime_ns) if weights.exists() and record.exists() else None
        if name in finished and now != finished[name]:
            wrong.append(f"{name} had finished and was {'done again' if now else 'lost'}")
        if now:
            finished[name] = now
    return wrong


def _said(folder: Path) -> str:
    return (folder / "told").read_text(errors="replace")[-600:]
