"""Kills, torn lines and failures at the worst moments: nothing finished is lost, and it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import workers
from linewise.foundations.disk import DiskError
from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.folder import StudyFolder
from linewise.images import ImageSet, SplitOptions, load
from linewise.study.comparison import Events, run_study
from linewise.study.config import make_config
from linewise.study.executors import InProcess, WorkerProcesses
from linewise.study.heartbeat import Beat
from linewise.study.single import resume, train_one

DIALS: dict[str, Any] = {"models": ["linear"], "seeds": 1, "epochs": 1}


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("digits", splits=SplitOptions(images=200))


@pytest.mark.long  # as tests/faults/test_kills.py, which kills launchers, workers and writers
def test_a_killed_launcher_takes_its_workers_with_it_and_the_study_goes_on(tmp_path: Path, linewise) -> None:
    study = tmp_path / "s"
    options = [
        "digits",
        "--images=200",
        "--models",
        "lstm,linear",
        "--seeds",
        "1",
        "--epochs",
        "100",
        "--no-report",
        "--out",
        str(study),
    ]
    launcher = subprocess.Popen(
        [sys.executable, "-m", "linewise", "compare", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list(study.glob(".work/lstm-0.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    begun = workers.of(launcher.pid)
    os.kill(launcher.pid, signal.SIGKILL)
    launcher.wait()
    _, alive = psutil.wait_procs(begun, timeout=30)
    assert begun
    assert not alive
    before = StudyFolder.open(study).runs()
    with (study / "study.json").open() as file:
        assert '"epochs": 100' in file.read()
    said = linewise("compare", *options[:3], "linear", *options[4:], "--jobs", "0")
    assert said.code == 0, said.err
    assert {r.path.name for r in StudyFolder.open(study).runs()} >= {r.path.name for r in before} | {"linear-0"}


def test_a_torn_last_opening_is_dropped(digits: ImageSet, tmp_path: Path) -> None:
    folder = run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess())
    with folder.openings_path.open("a") as file:
        file.write('{"time": "2026-01-01", "rea')
    assert len(folder.openings()) == 1
    run_study(digits, make_config(**{**DIALS, "seeds": 2}), tmp_path / "s", InProcess())
    assert [opening.runs for opening in folder.openings()] == [["linear-0"], ["linear-1"]]


def test_a_damaged_opening_in_the_middle_is_an_error(digits: ImageSet, tmp_path: Path) -> None:
    folder = run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess())
    folder.openings_path.write_text("{}\n" + folder.openings_path.read_text())
    with pytest.raises(DataError, match=r"openings.jsonl: time = "):
        folder.openings()


def test_what_a_killed_writer_left_is_swept_away(digits: ImageSet, tmp_path: Path) -> None:
    folder = run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess())
    half = folder.path / "runs" / ".lstm-9.partial"
    half.mkdir()
    (half / "run.json").write_text("{")
    (folder.path / "runs" / "linear-0" / ".run.json.123.partial").write_text("{")
    run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess())
    assert sorted(p.name for p in folder.path.rglob("*.partial")) == []
    assert len(folder.runs()) == 1


def test_a_test_that_fails_is_said_and_done_again(
    digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linewise.study import examination

    def broken(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(examination, "write_answers", broken)
        with pytest.raises(DiskError, match=r"the test was not completed: No space left on device"):
            run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess())
    (run,) = StudyFolder.open(tmp_path / "s").runs()
    assert run.record.test_accuracy is None
    again = run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess())
    assert again.runs()[0].record.test_accuracy is not None
    assert len(again.openings()) == 2


def test_a_study_that_is_moved_while_it_runs_is_told_as_that_and_goes_on_there(
    digits: ImageSet, tmp_path: Path
) -> None:
    config, study, elsewhere = make_config(**{**DIALS, "seeds": 3}), tmp_path / "s", tmp_path / "elsewhere"
    with pytest.raises(DiskError) as caught:
        run_study(digits, config, study, InProcess(), events=Events(ended=lambda *_: move(study, elsewhere)))
    assert str(caught.value) == (
        f"{study}: it was moved or removed in the meantime: no study.json there now\n"
        "  to mend:  move it back; finished runs and trials are kept, and the same command with --out "
        f"{study} goes on"
    )
    kept = StudyFolder.open(elsewhere).runs()
    assert [run.path.name for run in kept] == ["linear-0"]
    assert len(run_study(digits, config, elsewhere, InProcess()).runs()) == 3


def test_a_study_that_is_moved_while_runs_are_trained_is_not_made_anew(digits: ImageSet, tmp_path: Path) -> None:
    config, study, elsewhere = make_config(**{**DIALS, "epochs": 1000}), tmp_path / "s", tmp_path / "elsewhere"

    def look(beats: dict[str, Beat]) -> None:
        if any(beat.step for beat in beats.values()):
            move(study, elsewhere)

    with (
        pytest.raises(DiskError, match="it was moved or removed in the meantime"),
        WorkerProcesses(1, 1) as executor,
    ):
        run_study(digits, config, study, executor, events=Events(progress=look), checkpoint_s=0.2)
    assert not study.exists()
    assert (elsewhere / "study.json").is_file()


def test_a_run_that_is_moved_while_it_trains_is_told_as_that_and_goes_on_there(
    digits: ImageSet, tmp_path: Path
) -> None:
    config, run, elsewhere = make_config(**{**DIALS, "epochs": 300}), tmp_path / "run", tmp_path / "elsewhere"

    def look(beats: dict[str, Beat]) -> None:
        if any(beat.step for beat in beats.values()):
            move(run, elsewhere)

    with pytest.raises(DiskError) as caught:
        train_one(digits, config, 0, run, events=Events(progress=look))
    assert str(caught.value) == (
        f"{run}: it was moved or removed in the meantime: no checkpoint/plan.json there now\n"
        f"  to mend:  move it back; linewise train --resume {run} goes on from its last checkpoint"
    )
    assert not run.exists()
    elsewhere.rename(run)
    assert len(resume(run).epochs()) == 300


def move(study: Path, elsewhere: Path) -> None:
    if not elsewhere.exists():
        study.rename(elsewhere)


def test_a_flipped_bit_in_a_finished_model_is_noticed_before_the_test(digits: ImageSet, tmp_path: Path) -> None:
    folder = run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess())
    weights = folder.path / "runs" / "linear-0" / "model.safetensors"
    payload = bytearray(weights.read_bytes())
    payload[-3] ^= 8
    weights.write_bytes(payload)
    record = folder.runs()[0].record.model_copy(update={"test_accuracy": None})
    record.save(folder.path / "runs" / "linear-0" / "run.json")
    with pytest.raises(ConfigError, match="the checksum differs"):
        run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess())


@pytest.mark.parametrize("text", ["", "{", "null", '{"schema_version": 2}', "[" * 50_000])
def test_a_study_file_that_is_none(tmp_path: Path, text: str, linewise) -> None:
    (tmp_path / "study.json").write_text(text)
    said = linewise("report", tmp_path)
    assert said.code == 3
    assert said.err.startswith(f"error: {tmp_path / 'study.json'}: ")
    assert "Traceback" not in said.err
