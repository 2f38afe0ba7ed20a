"""Runs and studies that are stopped, interrupted or killed go on to the bits of those that never were."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

import workers
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import RunRecord
from linewise.images import ImageSet, SplitOptions, load
from linewise.study import comparison, heartbeat, job
from linewise.study.comparison import run_study
from linewise.study.config import make_config, make_spec
from linewise.study.events import Events
from linewise.study.executors import InProcess, WorkerProcesses
from linewise.study.job import Job, run_job, share
from linewise.study.keeping import CHECKPOINT

DIALS: dict[str, Any] = {
    "models": ["gru:hidden=6:dropout=0.2"], "match": "none", "seeds": 1, "epochs": 2, "batch_size": 40,
    "augment": {"shift": 1.0},
}  # fmt: skip
LABEL = "gru,hidden=6,dropout=0.2"


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("digits", splits=SplitOptions(images=200))


def bits(run: Path) -> dict[str, Any]:
    """All that must repeat: every file but the record, and of the epoch table all but the seconds."""
    found: dict[str, Any] = {}
    for name in ("model.safetensors", "predictions.npz", "steps.npz"):
        found[name] = (run / name).read_bytes()
    with (run / "epochs.csv").open(newline="") as file:
        found["epochs.csv"] = [{k: v for k, v in row.items() if k != "train_s"} for row in csv.DictReader(file)]
    assert not (run / CHECKPOINT).exists()
    return found


@pytest.fixture(scope="module")
def make(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Job]:
    """One run of a study, without the rest of it."""
    place = tmp_path_factory.mktemp("work")
    parts = share(digits.train, place, "train"), share(digits.validation, place, "val")

    def job(folder: Path, seed: int = 0, epochs: int = 2, **more: Any) -> Job:
        spec = make_spec(make_config(**{**DIALS, "epochs": epochs}), digits.record, "")
        beat = folder.with_suffix(".beat")
        return Job(spec.models[0], seed, spec.recipe, spec.data, *parts, 1, folder, beat, **more)

    return job


@pytest.fixture(scope="module")
def undisturbed(make: Callable[..., Job], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    whole = make(tmp_path_factory.mktemp("whole") / "run")
    assert work(whole) == [""]
    return bits(whole.path)


@pytest.fixture(scope="module")
def long_one(make: Callable[..., Job], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    whole = make(tmp_path_factory.mktemp("long") / "run", epochs=60)
    assert work(whole) == [""]
    return bits(whole.path)


def work(*jobs: Job) -> list[str]:
    """In this process; why each failed."""
    ends: list[str] = []
    InProcess().run(run_job, jobs, lambda job, failure: ends.append(failure))
    return ends


def signal_at(step: int, signum: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is sent a signal while it takes a step."""
    real = heartbeat.Heartbeat.step

    def step_and_signal(self: heartbeat.Heartbeat, at: int, steps: int) -> None:
        real(self, at, steps)
        if at == step:
            signal.raise_signal(signum)

    monkeypatch.setattr(heartbeat.Heartbeat, "step", step_and_signal)


@pytest.mark.parametrize(("signum", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
@pytest.mark.parametrize("step", [1, 4, 5, 7, 10])
def test_in_this_process_it_stops_with_a_checkpoint_and_goes_on(
    step: int,
    signum: int,
    raised: type[BaseException],
    make: Callable[..., Job],
    undisturbed: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    run = make(tmp_path / "run")
    with monkeypatch.context() as patch, pytest.raises(raised):
        signal_at(step, signum, patch)
        work(run)
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert [p.name for p in run.path.iterdir()] == [CHECKPOINT]
    assert steps(run.path) == step
    assert work(run) == [""]
    beat = heartbeat.read(run.heartbeat)
    assert (beat.begun, beat.warnings, len(beat.epochs)) == (step, [], 2)
    assert bits(run.path) == undisturbed


def test_stopped_while_the_trained_network_is_evaluated(
    make: Callable[..., Job], undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, run = job.correctness_and_loss, make(tmp_path / "run")

    def signalled(*args: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return real(*args)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(job, "correctness_and_loss", signalled)
        work(run)
    with monkeypatch.context() as patch:
        patch.setattr(heartbeat.Heartbeat, "step", None)  # no step is left to take
        assert work(run) == [""]
    assert bits(run.path) == undisturbed


def test_a_run_that_failed_keeps_its_checkpoint(
    digits: ImageSet, undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = heartbeat.Heartbeat.step

    def failing(self: heartbeat.Heartbeat, at: int, steps: int) -> None:
        real(self, at, steps)
        if at == 8:
            raise RuntimeError("out of something")

    with monkeypatch.context() as patch:
        patch.setattr(heartbeat.Heartbeat, "step", failing)
        run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess(), checkpoint_s=0)
    run = StudyFolder(tmp_path / "s").run_path(LABEL, 0)
    assert RunRecord.load(run / "run.json").reason.startswith("RuntimeError: out of something")
    begun: set[int] = set()
    events = Events(progress=lambda beats: begun.update(beat.begun for beat in beats.values()))
    run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess(), events=events)
    assert max(begun) == 7
    record = StudyFolder(tmp_path / "s").runs()[0].record
    assert (record.status, record.environment.guarantee) == ("finished", job.GUARANTEE)
    assert bits(run)["model.safetensors"] == undisturbed["model.safetensors"]


def test_the_checkpoint_of_another_seed_is_passed_over(
    make: Callable[..., Job], undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make(tmp_path / "run-0"), make(tmp_path / "run-1", seed=1)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        signal_at(6, signal.SIGTERM, patch)
        work(first)
    shutil.copytree(first.path, second.path)
    assert work(first, second) == ["", ""]
    warned: list[str] = []
    listener = heartbeat.Listener({"run-1": second.heartbeat}, Events(warned=warned.append))
    listener.listen()
    listener.listen()
    assert warned == ["run-1: passed over checkpoint 000001 (of another run); the run begins anew"]
    assert bits(first.path) == undisturbed
    assert bits(second.path) != undisturbed


def test_another_environment_is_written_down(
    make: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path / "run")
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        signal_at(6, signal.SIGTERM, patch)
        work(run)
    assert work(dataclasses.replace(run, threads=2)) == [""]
    torch.set_num_threads(1)
    assert heartbeat.read(run.heartbeat).warnings == [
        "not bit-exact: threads 1 → 2 since the checkpoint it goes on from"
    ]
    told = RunRecord.load(run.path / "run.json").environment.guarantee
    assert told == "not bit-exact: it was stopped and went on where threads 1 → 2"


def test_seeds_trained_at_once_begin_anew(
    digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dials = {**DIALS, "seeds": 2}
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        signal_at(6, signal.SIGTERM, patch)
        run_study(digits, make_config(**dials), tmp_path / "s", InProcess(), seeds_at_once=2)
    assert not list(tmp_path.glob("s/runs/*"))
    folder = run_study(digits, make_config(**dials), tmp_path / "s", InProcess(), seeds_at_once=2)
    assert [run.record.status for run in folder.runs()] == ["finished"] * 2


def test_a_folder_that_was_being_replaced_comes_back(digits: ImageSet, tmp_path: Path) -> None:
    """Killed between the two renames that put a whole run in the place of its checkpoints."""
    folder = run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess())
    run = folder.run_path(LABEL, 0)
    run.rename(run.with_name(f".{run.name}.replaced.partial"))
    run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess())
    assert [p.name for p in (folder.path / "runs").iterdir()] == [run.name]
    assert len(folder.openings()) == 1


def test_a_heartbeat_that_cannot_be_written_ends_no_run(tmp_path: Path) -> None:
    beating = heartbeat.Heartbeat(tmp_path / "no-folder" / "beat.json", os.getpid())
    beating.warn("the disk is full")
    beating.step(1, 2)
    (tmp_path / "no-folder").mkdir()
    beating.next = 0
    beating.step(2, 2)
    assert heartbeat.read(beating.path) == heartbeat.Beat(2, 2, [], 0, ["the disk is full"])


# From here on with processes of their own.

OPTIONS = [
    "digits", "--images", "200", "--epochs", "60", "--batch-size", "40", "--augment", "shift=1", "--checkpoint-every",
    "0.2",
]  # fmt: skip


@contextmanager
def launched(*arguments: object, told: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`linewise` in a process of its own, what it says in a file."""
    with told.open("wb") as stderr:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "linewise", *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            yield launcher
        finally:
            launcher.kill()
            launcher.wait()


def wait_for(true: Callable[[], bool], launcher: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert launcher.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def steps(run: Path) -> int:
    """Of the newest checkpoint."""
    cards = sorted((run / CHECKPOINT).glob("[0-9]*.json"))
    return json.loads(cards[-1].read_text())["position"]["step"] if cards else 0


def test_train_is_terminated_then_interrupted_twice_then_goes_on(
    long_one: dict[str, Any], tmp_path: Path, linewise
) -> None:
    run, told = tmp_path / "run", tmp_path / "told"
    with launched("train", *OPTIONS, "--model", DIALS["models"][0], "--out", run, told=told) as launcher:
        wait_for(lambda: steps(run) > 0, launcher)
        begun = workers.of(launcher.pid)
        launcher.terminate()
        asked = time.monotonic()
        assert begun
        assert psutil.wait_procs(begun, timeout=10)[1] == []
        assert time.monotonic() - asked <= 10.5
        assert launcher.wait(30) == 143
    assert f"interrupted; it goes on with: linewise train --resume {run}\n" in told.read_text()
    first = steps(run)

    with launched("train", "--resume", run, told=told) as launcher:
        wait_for(lambda: "goes on after step" in told.read_text(), launcher)
        said = linewise("train", "--resume", run)
        assert said.code == 2
        assert f"error: {run}: in use by another `linewise train` (process {launcher.pid} on " in said.err
        os.killpg(launcher.pid, signal.SIGINT)
        time.sleep(0.3)
        os.killpg(launcher.pid, signal.SIGINT)
        assert launcher.wait(30) == 130
    second = steps(run)
    assert second >= first

    said = linewise("train", "--resume", run)
    assert said.code == 0, said.err
    assert f"run: goes on after step {second:,} of 300\n" in said.err
    assert "passed over" not in said.err
    assert bits(run) == long_one
    said = linewise("train", "--resume", run)
    assert (said.code, said.err) == (
        2,
        f"error: {run}: has ended already\n  to mend:  for further epochs: linewise extend {run} --epochs N\n",
    )


def test_a_study_is_terminated_and_goes_on(
    digits: ImageSet, long_one: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, told = tmp_path / "s", tmp_path / "told"
    options = ["--models", DIALS["models"][0], "--match", "none", "--seeds", 2, "--jobs", 2, "--no-report"]
    runs = [out / "runs" / f"{LABEL}-{seed}" for seed in (0, 1)]
    with launched("compare", *OPTIONS, *options, "--out", out, told=told) as launcher:
        wait_for(lambda: all(steps(run) > 0 for run in runs), launcher)
        before = [steps(run) for run in runs]
        launcher.terminate()
        assert launcher.wait(30) == 143
    assert "interrupted; 0 finished runs kept, and 2 not finished, up to a checkpoint. " in told.read_text()
    assert all(steps(run) >= step for run, step in zip(runs, before, strict=True))
    monkeypatch.setattr(comparison, "_test", lambda *args: None)  # not what is shown here
    run_study(digits, make_config(**{**DIALS, "epochs": 60, "seeds": 2}), out, InProcess())
    assert bits(runs[0]) == long_one


def test_a_killed_worker_goes_on_from_its_checkpoint(
    make: Callable[..., Job], long_one: dict[str, Any], tmp_path: Path
) -> None:
    run, killed, ends = make(tmp_path / "run", epochs=60, checkpoint_s=0.2), list[int](), list[str]()

    def kill() -> None:
        if not killed and steps(run.path):
            (worker,) = workers.of()
            killed.append(steps(run.path))
            worker.kill()

    with WorkerProcesses(1, 1) as executor:
        executor.run(run_job, [run], lambda job, failure: ends.append(failure), kill)
    assert (len(killed), ends) == (1, [""])
    assert heartbeat.read(run.heartbeat).begun >= killed[0]
    assert bits(run.path) == long_one


def test_what_train_refuses(tmp_path: Path, linewise) -> None:
    run = tmp_path / "run"
    said = linewise("train", "--resume", run)
    assert (said.code, said.err) == (
        2,
        f"error: {run}: no run to go on with\n"
        "  expected: a folder that `linewise train` left, with checkpoint/plan.json\n"
        "  to mend:  a study goes on with the same command and --out\n",
    )
    said = linewise("train", "digits", "--resume", run, "--epochs", 3)
    assert (said.code, said.err) == (
        2,
        "error: --resume: --epochs, data together with --resume\n"
        "  expected: nothing but --data-dir, --threads, --device, --checkpoint-every, --hang-limit and --log: the run knows the rest\n",
    )
    told = tmp_path / "told"
    with launched("train", *OPTIONS, "--model", DIALS["models"][0], "--out", run, told=told) as launcher:
        wait_for(lambda: (run / CHECKPOINT / "plan.json").exists(), launcher)
    said = linewise("train", "digits", "--out", run)
    assert (said.code, said.err.splitlines()[-2:]) == (
        2,
        [
            f"error: {run}: is there already, a run that was stopped",
            f"  to mend:  go on with it: linewise train --resume {run}; or choose another --out",
        ],
    )
    said = linewise("train", "--resume", run, "--threads", 0)
    assert (said.code, said.err.splitlines()[-2:]) == (
        2,
        [
            "error: configuration: threads = 0",
            "  expected: Input should be greater than or equal to 1",
        ],
    )
    plan = run / CHECKPOINT / "plan.json"
    fields = json.loads(plan.read_text())
    fields["study"]["data"]["fingerprint"] = "0" * 64
    plan.write_text(json.dumps(fields))
    said = linewise("train", "--resume", run)
    assert said.code == 3
    assert "the images changed since this run began (fingerprint " in said.err
