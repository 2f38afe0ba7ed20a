"""Studies on real digits: whole, interrupted, resumed, killed; and what the folder holds afterwards."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.folder import StudyFolder
from linewise.images import ImageSet, SplitOptions, load
from linewise.study.comparison import Events, run_study
from linewise.study.config import make_config
from linewise.study.executors import InProcess, WorkerProcesses

DIALS: dict[str, Any] = {"models": ["lstm", "cnn", "majority"], "seeds": 2, "epochs": 2, "budget": 3000}


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("digits", splits=SplitOptions(images=300))


@pytest.fixture(scope="module")
def finished(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    path = tmp_path_factory.mktemp("studies") / "digits"
    return run_study(digits, make_config(**DIALS), path, WorkerProcesses(2, 1), command="for a test")


def bits(folder: StudyFolder) -> dict[str, bytes]:
    """What must repeat to the bit: weights, epoch figures and answers."""
    found = {}
    for run in folder.runs():
        weights = run.path / "model.safetensors"
        found[f"{run.path.name}/weights"] = weights.read_bytes() if weights.exists() else b""
        found[f"{run.path.name}/epochs"] = repr([e.model_dump(exclude={"train_s"}) for e in run.epochs()]).encode()
        for split in ("validation", "test"):
            answers = run.predictions(split)
            found[f"{run.path.name}/{split}"] = answers.probabilities_NK.tobytes() if answers else b""
    return found


def test_every_run_is_there_whole(finished: StudyFolder, digits: ImageSet) -> None:
    spec, runs = finished.spec(), finished.runs()
    assert [(r.label, r.seed) for r in runs] == [(m, s) for m in ("lstm", "cnn", "majority") for s in (0, 1)]
    for run in runs:
        names = {p.name for p in run.path.iterdir()}
        assert names == {
            "run.json",
            "epochs.csv",
            "predictions.npz",
            "model.safetensors",
            "model.json",
            "README.md",
        } | ({"steps.npz"} if run.label == "lstm" else set())
        record = run.record
        assert record.status == "finished"
        assert record.data_fingerprint == spec.data.fingerprint == digits.record.fingerprint
        assert [e.epoch for e in run.epochs()] == [1, 2]
        assert record.times is not None
        assert [latency.batch_size for latency in record.times.latency] == [1, 1000]
        assert all(0 < latency.low_ms <= latency.median_ms <= latency.high_ms for latency in record.times.latency)
        assert record.environment.threads == 1
        for split in ("validation", "test"):
            answers = run.predictions(split)
            assert answers is not None
            assert answers.correct_N.mean() == getattr(record, f"{split}_accuracy")
            np.testing.assert_allclose(answers.probabilities_NK.sum(1), 1, atol=2e-3)
    trained = [r.record.validation_accuracy for r in runs if r.label != "majority"]
    assert min(a for a in trained if a is not None) > 0.3
    assert not (finished.path / ".work").exists()


def test_the_answers_in_the_folder_are_those_of_the_saved_network(finished: StudyFolder, digits: ImageSet) -> None:
    from linewise.models.saved import load_model
    from linewise.study.prediction import answers_of

    test = digits.test.open("a test of the records", lambda reason: None)
    for run in finished.runs():
        answers = run.predictions("test")
        assert answers is not None
        again_NK = answers_of(load_model(run.path), np.asarray(test.images_NHWC))
        np.testing.assert_array_equal(again_NK.argmax(1), answers.predicted_N)
        np.testing.assert_array_equal(test.labels_N, answers.labels_N)


def test_what_was_recognised_after_each_epoch_is_kept(finished: StudyFolder) -> None:
    for run in finished.runs():
        right_EN, answers = run.learning(), run.predictions("validation")
        assert right_EN is not None
        assert answers is not None
        np.testing.assert_array_equal(right_EN[-1], answers.correct_N)
        np.testing.assert_allclose(right_EN.mean(axis=1), [e.validation_accuracy for e in run.epochs()])


def test_the_test_set_is_opened_once_and_the_opening_is_logged(finished: StudyFolder) -> None:
    (opening,) = finished.openings()
    assert opening.reason == "all runs have ended; 6 answer the test images"
    assert opening.runs == [run.path.name for run in finished.runs()]
    assert opening.command == "for a test"


def test_the_gallery_shows_every_image_that_some_network_got_wrong(
    finished: StudyFolder, digits: ImageSet
) -> None:
    gallery = finished.gallery()
    assert gallery is not None
    wrong: set[int] = set()
    for run in finished.runs():
        if run.label != "majority":
            answers = run.predictions("test")
            assert answers is not None
            wrong |= set(np.flatnonzero(~answers.correct_N).tolist())
    assert wrong <= set(gallery.indices_G.tolist())
    test = digits.test.open("a test of the gallery", lambda reason: None)
    np.testing.assert_array_equal(gallery.images_GHWC, test.images_NHWC[gallery.indices_G])


def test_calling_again_does_nothing(finished: StudyFolder, digits: ImageSet) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.path.rglob("run.json")}
    planned: list[list[str]] = []
    events = Events(planned=lambda spec, missing: planned.append(missing))
    run_study(digits, make_config(**DIALS), finished.path, InProcess(), events=events)
    assert planned == [[]]
    assert before == {p: p.stat().st_mtime_ns for p in finished.path.rglob("run.json")}
    assert len(finished.openings()) == 1


def test_one_process_or_two_the_same_bits(finished: StudyFolder, digits: ImageSet, tmp_path: Path) -> None:
    again = run_study(digits, make_config(**DIALS), tmp_path / "again", WorkerProcesses(1, 1))
    assert bits(again) == bits(finished)


def test_more_seeds_are_added_to_what_is_there(digits: ImageSet, tmp_path: Path) -> None:
    dials = {**DIALS, "models": ["linear"], "seeds": 1}
    first = run_study(digits, make_config(**dials), tmp_path / "s", InProcess(), command="the first")
    kept = bits(first)
    grown = make_config(**{**dials, "models": ["linear", "mlp"], "seeds": 2})
    more = run_study(digits, grown, tmp_path / "s", InProcess(), command="the second")
    assert more.spec().command == "the second"  # which makes all of it from the images
    again = run_study(digits, grown, tmp_path / "s", InProcess(), command="the third")
    assert again.spec().command == "the second"
    assert [r.path.name for r in more.runs()] == ["linear-0", "linear-1", "mlp-0", "mlp-1"]
    assert kept.items() <= bits(more).items()
    assert [o.runs for o in more.openings()] == [["linear-0"], ["linear-1", "mlp-0", "mlp-1"]]


def test_interrupted_and_gone_on_with_is_the_same_as_never_stopped(
    finished: StudyFolder, digits: ImageSet, tmp_path: Path
) -> None:
    ended: list[str] = []

    def stop(key: str, failure: str) -> None:
        ended.append(key)
        if len(ended) == 3:
            raise KeyboardInterrupt

    path = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        run_study(digits, make_config(**DIALS), path, WorkerProcesses(1, 1), events=Events(ended=stop))
    there = {r.path.name for r in StudyFolder.open(path).runs()}
    assert set(ended) <= there
    assert StudyFolder.open(path).openings() == []
    planned: list[list[str]] = []
    events = Events(planned=lambda spec, missing: planned.append(missing))
    again = run_study(digits, make_config(**DIALS), path, WorkerProcesses(2, 1), events=events)
    assert set(planned[0]).isdisjoint(there)
    assert bits(again) == bits(finished)


def test_a_killed_worker_is_replaced_and_nothing_is_lost(digits: ImageSet, tmp_path: Path) -> None:
    import psutil

    killed: list[int] = []

    def kill_one(beats: dict) -> None:
        if not killed and any(beat.step > 3 for beat in beats.values()):
            workers = [
                child
                for child in psutil.Process().children(recursive=True)
                if child.cpu_times().user > 0.5 and "resource_tracker" not in " ".join(child.cmdline())
            ]
            if workers:
                os.kill(workers[0].pid, signal.SIGKILL)
                killed.append(workers[0].pid)

    dials = {**DIALS, "models": ["lstm", "linear"], "seeds": 2, "epochs": 15}
    folder = run_study(
        digits, make_config(**dials), tmp_path / "s", WorkerProcesses(2, 1), events=Events(progress=kill_one)
    )
    assert killed
    assert [r.record.status for r in folder.runs()] == ["finished"] * 4


def test_a_diverged_run_stays_in_the_results(digits: ImageSet, tmp_path: Path) -> None:
    dials = {**DIALS, "models": ["mlp", "linear"], "seeds": 1, "lr": 10.0, "clip": 0.0, "epochs": 3}
    wild = dataclasses.replace(digits, preprocessing=digits.preprocessing.model_copy(update={"std": [1e-38]}))
    record = digits.record.model_copy(update={"preprocessing": wild.preprocessing.model_dump()})
    folder = run_study(dataclasses.replace(wild, record=record), make_config(**dials), tmp_path / "s", InProcess())
    runs = folder.runs()
    assert [r.record.status for r in runs] == ["diverged", "diverged"]
    assert "learning rate" in runs[0].record.reason
    assert "step" in runs[0].record.reason
    assert runs[0].record.test_accuracy is None
    assert folder.openings() == []


def test_changed_images_are_refused(finished: StudyFolder) -> None:
    with pytest.raises(DataError, match="the images changed since this study began") as caught:
        other = load("digits", splits=SplitOptions(images=299))
        run_study(other, make_config(**DIALS), finished.path, InProcess())
    assert caught.value.exit_code == 3


def test_other_settings_are_refused_by_name(finished: StudyFolder, digits: ImageSet) -> None:
    with pytest.raises(ConfigError, match=r"a study with other settings is here: .*budget 3000 → 4000") as caught:
        run_study(digits, make_config(**{**DIALS, "budget": 4000}), finished.path, InProcess())
    assert caught.value.exit_code == 2


def test_a_folder_with_something_else_is_left_alone(digits: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(ConfigError) as caught:
        run_study(digits, make_config(**DIALS), tmp_path, InProcess())
    assert str(caught.value) == (
        f"{tmp_path}: exists and is not a study\n  to mend:  choose another --out, or an empty folder"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_two_launchers_the_second_is_refused_and_told_who_is_first(digits: ImageSet, tmp_path: Path) -> None:
    second: list[str] = []

    def launch_again(spec: object, missing: list[str]) -> None:
        with pytest.raises(ConfigError) as caught:
            run_study(digits, make_config(**dials), tmp_path / "s", InProcess())
        second.append(str(caught.value))

    dials = {**DIALS, "models": ["linear"], "seeds": 1}
    run_study(digits, make_config(**dials), tmp_path / "s", InProcess(), events=Events(planned=launch_again))
    assert f"in use by a running study (process {os.getpid()} on " in second[0]
    assert not (tmp_path / "s" / ".lock.json").exists()


def test_a_lock_of_a_dead_process_does_not_hold(digits: ImageSet, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.mkdir()
    (path / ".lock").touch()
    (path / ".lock.json").write_text(json.dumps({"pid": 999999, "host": "here", "since": "yesterday"}))
    (path / ".work").mkdir()
    (path / ".work" / "left-over").touch()
    folder = run_study(digits, make_config(**{**DIALS, "models": ["linear"], "seeds": 1}), path, InProcess())
    assert len(folder.runs()) == 1


def test_a_failing_run_is_recorded_and_tried_again_on_resume(
    digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linewise.study import job

    def broken(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    dials = {**DIALS, "models": ["linear"], "seeds": 1}
    with monkeypatch.context() as patch:
        patch.setattr(job, "save_model", broken)
        folder = run_study(digits, make_config(**dials), tmp_path / "s", InProcess())
    (run,) = folder.runs()
    assert run.record.status == "failed"
    assert "No space left on device" in run.record.reason
    assert not list((tmp_path / "s" / "runs").glob(".*"))
    again = run_study(digits, make_config(**dials), tmp_path / "s", InProcess())
    assert [r.record.status for r in again.runs()] == ["finished"]


def test_every_network_is_timed_once_in_alternation(finished: StudyFolder) -> None:
    speed, spec = finished.speed(), finished.spec()
    assert speed is not None
    assert {work: (len(turns), {len(t.seconds) for t in turns}) for work, turns in speed.work.items()} == {
        work: (len(spec.models), {rounds}) for work, rounds in {"train": 9, "1": 15, "1000": 9}.items()
    }
    assert {t.images for t in speed.work["1000"]} == {1000}
    for run in finished.runs():
        times = run.record.times
        assert times is not None
        turns = speed.turns("1", run.label)
        assert turns is not None
        assert times.latency[0].median_ms == pytest.approx(1e3 * float(np.median(turns.seconds)))


def test_training_time_is_the_sum_over_epochs(finished: StudyFolder) -> None:
    for run in finished.runs():
        assert run.record.times is not None
        assert run.record.times.train_s == pytest.approx(sum(e.train_s for e in run.epochs()))
