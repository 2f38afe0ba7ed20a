"""Workers that hang or are killed: noticed, said, replaced, tried again a bounded number of times."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import workers
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import RunRecord
from linewise.images import SplitOptions, load
from linewise.study import comparison, executors
from linewise.study.comparison import run_study
from linewise.study.config import make_config
from linewise.study.events import Events
from linewise.study.executors import WorkerProcesses
from linewise.study.watch import ATTEMPTS, Retries, Vigil, Vitals, how_it_ended


def test_each_job_has_its_own_attempts_and_keeps_its_causes() -> None:
    a, b = [1], [1]  # equal, and not the same
    retries = Retries[list[int]](3)
    assert [retries.is_last(a), retries.again(a, "hung"), retries.is_last(a)] == [False, True, False]
    assert [retries.again(a, "killed"), retries.is_last(a), retries.again(a, "hung")] == [True, True, False]
    assert retries.reason(a) == "tried 3 times: hung; killed"
    assert (retries.causes(b), retries.is_last(b)) == ([], False)


@pytest.mark.parametrize(
    ("exitcode", "memory", "short", "told"),
    [
        (-9, 1_230_000_000, False, "was killed (SIGKILL) when it held 1.23 GB of memory, perhaps because memory was short"),
        (-9, None, True, "was killed (SIGKILL), because memory was short"),
        (-11, 52_000_000, True, "was ended by a signal (SIGSEGV) when it held 52 MB of memory"),
        (-200, None, False, "was ended by a signal (signal 200)"),
        (1, None, False, "ended by itself (exit code 1)"),
        (None, None, False, "was killed"),
    ],
)  # fmt: skip
def test_how_a_process_ended(exitcode: int | None, memory: int | None, short: bool, told: str) -> None:
    assert how_it_ended(exitcode, memory, short) == f"its worker process {told}"


class Story:
    """A worker's life by a clock of its own: what the launcher sees, second by second."""

    def __init__(self, folder: Path, limit_s: float) -> None:
        self.path, self.now, self.cpu_s = folder / "beat.json", 0.0, 0.0
        self.vigil = Vigil(limit_s, (self.path,))

    def beat(self, step: int, resting: bool = False) -> None:
        told = {"step": step, "steps": 1000, "epochs": [], "begun": 0, "warnings": [], "resting": resting}
        self.path.write_text(json.dumps(told))
        os.utime(self.path, (self.now + 1, self.now + 1))

    def passes(self, seconds: int, works: bool, by: float = 1.0) -> str:
        for _ in range(seconds):
            self.now += by
            self.cpu_s += works
            if why := self.vigil.hangs(self.now, Vitals(self.cpu_s, 0)):
                return why
        return ""


def test_one_that_does_nothing_at_all_hangs(tmp_path: Path) -> None:
    story = Story(tmp_path, 120)
    assert story.passes(500, works=True) == ""  # loading
    assert story.passes(119, works=False) == ""
    assert story.passes(2, works=False) == "its worker process hung: no sign of life for 120 s"


def test_one_that_works_without_steps_does_not_hang(tmp_path: Path) -> None:
    """Compiling and evaluating take as long as they take; so does a long validation between two epochs."""
    story = Story(tmp_path, 120)
    for step in range(1, 20):
        story.beat(step)
        assert story.passes(2, works=True) == ""
    story.beat(20, resting=True)
    assert story.passes(5000, works=True) == ""
    story.beat(1000)
    assert story.passes(5000, works=True) == ""


def test_one_that_comes_to_no_next_step_hangs_by_its_usual_step(tmp_path: Path) -> None:
    story = Story(tmp_path, 120)
    for step in range(1, 12):
        story.beat(step)
        assert story.passes(10, works=True) == ""
    assert story.passes(400, works=True) == ""  # a step is of 10 s, and may for once be of 500
    told = story.passes(200, works=True)
    assert told == "its worker process hung: no next step for 500 s after step 11"


def test_a_beat_that_finds_no_room_is_a_sign_of_life(tmp_path: Path) -> None:
    """On a full disk the file's content stays, and its time goes on."""
    story = Story(tmp_path, 120)
    for step in range(1, 12):
        story.beat(step)
        assert story.passes(1, works=True) == ""
    for _ in range(30):
        os.utime(story.path, (story.now + 1, story.now + 1))
        assert story.passes(20, works=True) == ""


def test_a_launcher_that_slept_blames_nobody_and_zero_sees_no_hang(tmp_path: Path) -> None:
    story = Story(tmp_path, 120)
    story.passes(3, works=True)
    assert story.passes(20, works=False, by=3600) == ""
    never = Story(tmp_path, 0)
    assert never.passes(9000, works=False) == ""


def sender(told: Path, signum: int) -> Callable[[], None]:
    """Sends each worker that begins a task a signal."""
    sent: list[int] = []

    def send() -> None:
        for pid in workers.pids(told):
            if pid not in sent:
                sent.append(pid)
                os.kill(pid, signum)

    return send


@pytest.mark.parametrize(
    ("signum", "cause"),
    [
        (signal.SIGSTOP, r"its worker process hung: no sign of life for \d s"),
        (signal.SIGKILL, r"its worker process was killed \(SIGKILL\)( when it held [\d.]+ [MG]B of memory)?, .*short"),
    ],
)  # fmt: skip
def test_the_neighbour_of_one_that_always_hangs_or_dies_goes_on(signum: int, cause: str, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    ends: dict[str, str] = {}
    again: list[tuple[str, str]] = []
    send = sender(bad, signum)

    def poll() -> None:
        send()
        if len(again) == ATTEMPTS - 1:  # the last attempt waits until there is nothing beside it
            good.with_suffix(".go").touch()

    with WorkerProcesses(2, 1, hang_s=3 if signum == signal.SIGSTOP else 60) as executor:
        executor.run(
            workers.stay, [bad, good], lambda job, why: ends.update({job.name: why}), poll,
            lambda job, why: again.append((job.name, why)),
        )  # fmt: skip
    assert ends["good"] == ""
    assert len(workers.pids(good)) == 1
    assert len(set(workers.pids(bad))) == ATTEMPTS
    assert [name for name, _ in again] == ["bad"] * (ATTEMPTS - 1)
    assert all(re.fullmatch(cause, why) for _, why in again)
    assert re.fullmatch(rf"tried 3 times: {cause}(; {cause})*", ends["bad"])


def test_a_worker_that_dies_while_it_has_nothing_to_do_is_nobodys_fault(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for told in (first, second):
        told.with_suffix(".go").touch()
    ends: list[str] = []
    with WorkerProcesses(1, 1) as executor:
        executor.run(workers.stay, [first], lambda job, why: ends.append(why))
        os.kill(workers.pids(first)[0], signal.SIGKILL)
        executor.run(workers.stay, [second], lambda job, why: ends.append(why))
    assert ends == ["", ""]


def test_a_worker_killed_at_the_very_end_of_a_run_leaves_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by torture: the run was whole, what it had replaced was not yet removed, and the job was tried again."""
    real, tried = executors.WorkerProcesses.run, list[int]()

    def killed_once(self: Any, function: Any, jobs: Any, *more: Any) -> None:
        for group in jobs if function is comparison.run_group else ():
            function(group)
            (job,) = group.jobs
            tried.append((job.path / "model.safetensors").stat().st_mtime_ns)
            (job.path.with_name(f".{job.path.name}.replaced.partial") / "checkpoint").mkdir(parents=True)
            (job.path / ".run.json.1.partial").touch()
        real(self, function, jobs, *more)

    monkeypatch.setattr(executors.WorkerProcesses, "run", killed_once)
    monkeypatch.setattr(comparison, "_test", lambda *args: None)  # not what is shown here
    dials = {"models": ["linear"], "seeds": 1, "epochs": 1}
    folder = run_study(
        load("digits", splits=SplitOptions(images=100)),
        make_config(**dials),
        tmp_path / "s",
        WorkerProcesses(1, 1),
    )
    run = folder.run_path("linear", 0)
    assert tried == [(run / "model.safetensors").stat().st_mtime_ns]
    assert [path.name for path in run.parent.iterdir()] == ["linear-0"]
    assert not list(run.glob(".*"))


def test_a_run_that_hung_once_is_finished_and_its_record_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[int] = []

    def stop(beats: dict) -> None:
        if not stopped and any(beat.step > 3 for beat in beats.values()):
            for worker in workers.of():
                worker.suspend()
                stopped.append(worker.pid)

    said: list[str] = []
    monkeypatch.setattr(comparison, "_test", lambda *args: None)  # not what is shown here
    dials = {"models": ["gru:hidden=6"], "match": "none", "seeds": 1, "epochs": 12, "batch_size": 20}
    folder = run_study(
        load("digits", splits=SplitOptions(images=200)), make_config(**dials), tmp_path / "s",
        WorkerProcesses(1, 1, hang_s=5), events=Events(progress=stop, warned=said.append), checkpoint_s=0.2,
    )  # fmt: skip
    run = StudyFolder(folder.path).run_path("gru,hidden=6", 0)
    record = RunRecord.load(run / "run.json")
    assert stopped
    assert record.status == "finished"
    assert record.retried
    for cause in record.retried:  # on a machine that is never still, one more than was stopped
        assert cause.startswith("its worker process hung: no sign of life for ")
        assert f"{run.name}: {cause}; tried again" in said
