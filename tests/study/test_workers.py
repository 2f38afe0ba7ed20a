"""What a worker process loads, and that workers are kept from one task to the next."""

from __future__ import annotations

import json
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

import launchers
from linewise.foundations.interrupts import STOP
from linewise.foundations.records import RunRecord
from linewise.images import SplitOptions, load
from linewise.study.config import make_config, make_spec
from linewise.study.executors import InProcess, WorkerProcesses, load_parts
from linewise.study.job import Job, share
from linewise.study.watch import Vitals
from linewise.study.worker import Worker

HEAVY = {
    "torch._dynamo", "torch._inductor", "sympy", "scipy", "sklearn", "pandas", "matplotlib", "altair", "vl_convert",
    "jinja2", "optuna", "sqlalchemy", "typer", "rich", "numba",
}  # fmt: skip


def test_a_worker_loads_nothing_that_training_has_no_need_of(tmp_path: Path) -> None:
    digits = load("digits", splits=SplitOptions(images=150))
    spec = make_spec(
        make_config(models=["lstm", "cnn"], seeds=1, epochs=1, augment={"shift": 1}), digits.record, ""
    )
    parts = share(digits.train, tmp_path, "train"), share(digits.validation, tmp_path, "val")
    jobs = [
        Job(model, 0, spec.recipe, spec.data, *parts, 1, tmp_path / model.label, tmp_path / f"{model.label}.json")
        for model in spec.models
    ]
    ends: list[str] = []
    with WorkerProcesses(1, 1) as executor:
        executor.begin(load_parts, len(jobs))
        executor.run(partial(launchers.train_and_list_modules, told=tmp_path / "modules"), jobs,
                     lambda job, failure: ends.append(failure))  # fmt: skip
    assert ends == ["", ""]
    assert all(RunRecord.load(job.path / "run.json").status == "finished" for job in jobs)
    loaded = set(json.loads((tmp_path / "modules").read_text()))
    assert "torch" in loaded
    assert not HEAVY & loaded


def test_the_same_workers_serve_one_task_after_another_until_they_are_let_go(tmp_path: Path) -> None:
    def pids(executor: WorkerProcesses, task: str, jobs: int) -> set[str]:
        folder = tmp_path / task
        folder.mkdir()
        executor.run(launchers.leave_pid, [folder / str(i) for i in range(jobs)], lambda job, failure: None)
        return {path.read_text() for path in folder.iterdir()}

    with WorkerProcesses(1, 1) as executor:
        first = pids(executor, "a", 3)
        assert len(first) == 1
        assert pids(executor, "b", 2) == first
    assert pids(executor, "c", 1) != first
    executor.close()


def test_a_job_that_fails_leaves_the_workers_as_they_are(tmp_path: Path) -> None:
    failures: list[str] = []
    with WorkerProcesses(1, 1) as executor:
        executor.run(
            launchers.leave_pid, [tmp_path / "no" / "folder"], lambda job, failure: failures.append(failure)
        )
        assert failures[0].startswith("FileNotFoundError: ")
        executor.run(launchers.leave_pid, [tmp_path / "there"], lambda job, failure: failures.append(failure))
    assert failures[1:] == [""]


def test_a_worker_that_dies_while_it_is_looked_at_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths: list[int] = []
    real = Worker.vitals

    def look_and_kill(worker: Worker) -> Vitals | None:
        vitals = real(worker)
        if not deaths and worker._process is not None:
            deaths.append(worker._process.pid)
            os.kill(worker._process.pid, signal.SIGKILL)
            while worker._pool._pending_work_items:  # loky gives up what the process had
                time.sleep(0.01)
        return vitals

    monkeypatch.setattr(Worker, "vitals", look_and_kill)
    ends, again = list[str](), list[str]()
    with WorkerProcesses(1, 1) as executor:
        executor.run(
            launchers.leave_pid_slowly, [tmp_path / "pid"],
            lambda job, failure: ends.append(failure), on_again=lambda job, cause: again.append(cause),
        )  # fmt: skip
    assert ends == [""]
    assert len(again) == 1
    assert again[0].startswith("its worker process was killed (SIGKILL)")
    assert int((tmp_path / "pid").read_text()) not in deaths


def test_here_a_job_that_fails_when_it_was_asked_to_stop_is_told_and_the_next_not_begun() -> None:
    ends: list[tuple[str, str]] = []

    def job(name: str) -> None:
        STOP.hold()
        signal.raise_signal(signal.SIGTERM)
        raise ValueError(name)

    with pytest.raises(SystemExit):
        InProcess().run(job, ["first", "second"], lambda job, failure: ends.append((job, failure)))
    assert [(name, failure.partition(" (")[0]) for name, failure in ends] == [("first", "ValueError: first")]
