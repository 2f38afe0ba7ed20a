"""Studies whose seeds are trained at once: the same folders, records and resume as one by one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewise.analysis.summary import summarise
from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import StudyFolder
from linewise.images import ImageSet, SplitOptions, load
from linewise.models.saved import load_model
from linewise.study.comparison import Events, run_study
from linewise.study.config import make_config
from linewise.study.executors import InProcess, WorkerProcesses
from linewise.study.job import Arrays, Job
from linewise.study.together import Group, grouped, run_group

DIALS: dict[str, Any] = {"models": ["lstm", "rnn:dropout=0.2", "cnn"], "seeds": 3, "epochs": 2, "budget": 3000}


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("digits", splits=SplitOptions(images=200))


@pytest.fixture(scope="module")
def apart(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    path = tmp_path_factory.mktemp("studies") / "apart"
    return run_study(digits, make_config(**DIALS), path, InProcess(), command="apart")


@pytest.fixture(scope="module")
def at_once(
    digits: ImageSet, tmp_path_factory: pytest.TempPathFactory
) -> tuple[StudyFolder, list[str], list[tuple[str, str]]]:
    path, warned, ended = tmp_path_factory.mktemp("studies") / "at-once", [], []
    events = Events(warned=warned.append, ended=lambda key, failure: ended.append((key, failure)))
    executor = WorkerProcesses(1, 1)
    folder = run_study(digits, make_config(**DIALS), path, executor, events=events, seeds_at_once=3)
    return folder, warned, ended


def test_runs_are_those_of_seeds_trained_one_by_one(
    apart: StudyFolder, at_once: tuple[StudyFolder, list[str], list[tuple[str, str]]]
) -> None:
    folder = at_once[0]
    assert [r.path.name for r in folder.runs()] == [r.path.name for r in apart.runs()]
    assert len(folder.runs()) == 9
    for alone, stacked in zip(apart.runs(), folder.runs(), strict=True):
        assert {p.name for p in alone.path.iterdir()} == {p.name for p in stacked.path.iterdir()}
        a, b = alone.record, stacked.record
        assert (a.model, a.seed, a.status, a.recipe) == (b.model, b.seed, b.status, b.recipe)
        for one, other in zip(alone.epochs(), stacked.epochs(), strict=True):
            assert (one.epoch, one.step) == (other.epoch, other.step)
            assert one.train_loss == pytest.approx(other.train_loss, rel=1e-2)
            assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-2)
        for split in ("validation", "test"):
            mine, theirs = alone.predictions(split), stacked.predictions(split)
            assert mine is not None
            assert theirs is not None
            np.testing.assert_allclose(mine.probabilities_NK, theirs.probabilities_NK, atol=2e-2)
        weights = [load_model(run.path).network.state_dict().values() for run in (alone, stacked)]
        for p, q in zip(*weights, strict=True):
            np.testing.assert_allclose(p.numpy(), q.numpy(), atol=1e-2)


def test_records_say_what_was_stacked_and_summaries_show_no_time_of_it(
    apart: StudyFolder, at_once: tuple[StudyFolder, list[str], list[tuple[str, str]]]
) -> None:
    folder, warned, ended = at_once
    assert warned == [
        "--seeds-at-once does not act on cnn: only rnn, birnn, lstm, bilstm, gru, bigru can be trained many at once"
    ]
    assert sorted(ended[:9]) == [(run.path.name, "") for run in sorted(folder.runs(), key=lambda r: r.path.name)]
    for run in folder.runs():
        times, machine = run.record.times, run.record.environment
        assert times is not None
        assert times.seeds_at_once == (1 if run.label == "cnn" else 3)
        assert times.train_s == pytest.approx(sum(e.train_s for e in run.epochs()))
        assert machine.device == "cpu"
        assert (
            machine.kernels.endswith("; 3 seeds at once")
            == ("within rounding" in machine.guarantee)
            == (run.label != "cnn")
        )
    of_lstm = [r.record.times.train_s for r in folder.runs() if r.label == "lstm" and r.record.times]
    assert len(set(of_lstm)) == 1
    summary = summarise(folder)
    shown = {n.label: n for n in summary.networks}
    assert shown["lstm"].train_s is None
    assert shown["lstm"].images_per_s is None
    assert shown["cnn"].train_s is not None
    assert summary.seeds_at_once == 3
    assert summarise(apart).seeds_at_once == 1
    assert {row["seeds_at_once"] for row in summary.run_rows()} == {1, 3}
    assert summary.speeds is not None  # measured one network at a time, whatever the training was
    assert [n.label for n in summary.speeds.networks] == ["lstm", "rnn,dropout=0.2", "cnn"]


def test_a_study_of_stacked_seeds_goes_on(
    digits: ImageSet, at_once: tuple[StudyFolder, list[str], list[tuple[str, str]]], tmp_path: Path
) -> None:
    path = tmp_path / "study"
    shutil.copytree(at_once[0].path, path)
    for name in ("lstm-0", "lstm-2"):
        shutil.rmtree(path / "runs" / name)
    planned: list[str] = []
    events = Events(planned=lambda spec, missing: planned.extend(missing))
    folder = run_study(digits, make_config(**DIALS), path, InProcess(), events=events, seeds_at_once=8)
    assert planned == ["lstm-0", "lstm-2"]
    by_name = {run.path.name: run.record for run in folder.runs()}
    assert len(by_name) == 9
    for name, size in {"lstm-0": 2, "lstm-1": 3, "lstm-2": 2}.items():
        times = by_name[name].times
        assert times is not None
        assert times.seeds_at_once == size


def jobs(digits: ImageSet, tmp_path: Path, labels: list[str], seeds: int) -> list[Job]:
    from linewise.study.config import make_spec

    spec = make_spec(make_config(**{**DIALS, "models": labels}), digits.record, "")
    arrays = Arrays(tmp_path / "x.npy", tmp_path / "y.npy")
    return [
        Job(
            model,
            seed,
            spec.recipe,
            spec.data,
            arrays,
            arrays,
            1,
            tmp_path / f"{model.label}-{seed}",
            tmp_path / "b",
        )
        for seed in range(seeds)
        for model in spec.models
    ]


def test_groups_are_seeds_of_one_network_in_the_order_of_their_first(digits: ImageSet, tmp_path: Path) -> None:
    told: list[str] = []
    made = jobs(digits, tmp_path, ["gru", "cnn", "lstm"], 5)
    groups = grouped(made, 2, told.append)
    names = [[job.key for job in group.jobs] for group in groups]
    assert names[:4] == [["gru-0", "gru-1"], ["cnn-0"], ["lstm-0", "lstm-1"], ["cnn-1"]]
    assert sorted(name for group in names for name in group) == sorted(job.key for job in made)
    assert [len(g.jobs) for g in grouped(made, 1, told.append)] == [1] * 15
    assert len(told) == 1


def test_a_group_that_fails_leaves_what_was_whole(digits: ImageSet, tmp_path: Path) -> None:
    made = jobs(digits, tmp_path, ["gru"], 3)
    group = Group(tuple(made))
    with pytest.raises(FileNotFoundError):
        run_group(group)  # there are no images
    assert group.left_undone() == made
    for job, status in zip(made, ("finished", "failed"), strict=False):
        job.path.mkdir()
        job.record(status=status, started="now").save(job.path / "run.json")
    assert group.left_undone() == made[1:]


def test_a_run_that_fails_within_a_group_is_told_alone(
    digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linewise.study import together

    written = together.write_run

    def full(job: Job, *arguments: Any, **named: Any) -> None:
        if job.seed == 1:
            raise OSError(28, "No space left on device")
        written(job, *arguments, **named)

    monkeypatch.setattr(together, "write_run", full)
    ended: list[tuple[str, str]] = []
    events = Events(ended=lambda key, failure: ended.append((key, failure)))
    config = make_config(**{**DIALS, "models": ["rnn"], "epochs": 1})
    folder = run_study(digits, config, tmp_path / "s", InProcess(), events=events, seeds_at_once=3)
    told = dict(ended)
    assert told["rnn-0"] == ""
    assert told["rnn-1"].startswith("No space left on device")
    assert [run.record.status for run in folder.runs()] == ["finished", "failed", "failed"]


def test_numbers_and_devices_that_make_no_sense_are_refused(digits: ImageSet, tmp_path: Path) -> None:
    import torch

    with pytest.raises(ConfigError) as refused:
        run_study(digits, make_config(**DIALS), tmp_path / "s", InProcess(), seeds_at_once=0)
    assert refused.value.where == "--seeds-at-once"
    assert not (tmp_path / "s").exists()
    with pytest.raises(ConfigError):
        make_config(**DIALS, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError) as refused:
            make_config(**DIALS, device="cuda")
        assert refused.value.where == "--device"
        assert "sees no such device" in refused.value.found


@pytest.mark.skipif("not __import__('torch').cuda.is_available()", reason="CUDA tests left out: no CUDA device")
def test_cuda_a_study_on_the_device(digits: ImageSet, tmp_path: Path) -> None:
    config = make_config(**DIALS, device="cuda")
    folder = run_study(digits, config, tmp_path / "s", WorkerProcesses(1, 1), seeds_at_once=3)
    for run in folder.runs():
        assert run.record.status == "finished"
        assert run.record.environment.device.startswith("cuda (")
