"""Killed launchers, torn journals, trials that diverge or fail: the count and the choice stay what they were."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import optuna
import pytest

import launchers
from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.folder import StudyFolder
from linewise.images import ImageSet
from linewise.study.comparison import run_study, run_tuning
from linewise.study.config import make_config
from linewise.study.events import Events
from linewise.study.executors import InProcess, WorkerProcesses
from linewise.study.tuning import trial as trial_module


def journal(study: Path) -> dict[str, list[optuna.trial.FrozenTrial]]:
    """Every network's trials as Optuna sees them."""
    path = study / "tuning" / "journal.log"
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    storage = optuna.storages.JournalStorage(backend)
    return {s.study_name.split("/")[2]: storage.get_all_trials(s._study_id) for s in storage.get_all_studies()}


def states(study: Path, state: optuna.trial.TrialState) -> int:
    if not (study / "tuning" / "journal.log").exists():
        return 0
    return sum(trial.state == state for trials in journal(study).values() for trial in trials)


def tune(digits: ImageSet, out: Path, executor: Any = None, **more: Any) -> tuple[dict[str, Any], list[str]]:
    """The tuning to its end; its outcome and what was warned about."""
    warned: list[str] = []
    dials = {**launchers.DIALS, **more}
    record = run_tuning(
        digits, make_config(**dials), out, executor or InProcess(), events=Events(warned=warned.append)
    )
    return launchers.ends(record), warned


def test_a_killed_launcher_leaves_nothing_running_and_changes_nothing(
    digits: ImageSet, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "s"
    launcher = launchers.start(out, "--jobs", "0", pause=("tell", 3))
    complete, running = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING
    launchers.wait_until_stopped(launcher)
    launchers.kill(launcher)
    assert states(out, complete) == 3
    before = {label: [t.number for t in trials if t.state == complete] for label, trials in journal(out).items()}
    assert states(out, running) > 0
    started: list[str] = []
    events = Events(tried=lambda label, trial: started.append(f"{label} {trial.number}"))
    record = run_tuning(digits, make_config(**launchers.DIALS), out, WorkerProcesses(2, 1), events=events)
    assert launchers.ends(record) == undisturbed
    assert len(started) == 2 * launchers.TRIALS - sum(map(len, before.values()))
    assert not {f"{label} {n}" for label, numbers in before.items() for n in numbers} & set(started)
    for trials in journal(out).values():
        assert [t.number for t in trials] == list(range(launchers.TRIALS))
        assert {t.state for t in trials} == {complete}


def test_a_torn_last_record_is_dropped_with_one_warning(
    digits: ImageSet, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "s"
    stop_after(digits, out, 5)
    path = out / "tuning" / "journal.log"
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:20])
    (out / "tuning" / "journal.log.lock").touch()  # of a launcher killed while it wrote
    started = time.monotonic()
    assert tune(digits, out) == (
        undisturbed,
        ["journal.log: its last record was torn when a process was killed; it is dropped"],
    )
    assert time.monotonic() - started < 25  # Optuna alone would wait half a minute for the lock
    assert path.read_bytes().startswith(whole)
    for line in path.read_bytes().splitlines():
        json.loads(line)


def test_a_damaged_record_in_the_middle_is_an_error(digits: ImageSet, tmp_path: Path) -> None:
    out = tmp_path / "s"
    stop_after(digits, out, 1)
    path = out / "tuning" / "journal.log"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"\x00\n", *lines[1:]]))
    with pytest.raises(DataError) as caught:
        tune(digits, out)
    assert str(caught.value) == (
        f"{path}: line 2 of {len(lines) + 1} is damaged\n  expected: one JSON object per line\n"
        "  to mend:  restore the file, or remove it: the trials are then run again"
    )


class Enough(BaseException):
    """Raised where a person would press Ctrl-C."""


def stop_after(digits: ImageSet, out: Path, number: int) -> None:
    """A tuning that is interrupted after some trials."""
    seen: list[int] = []

    def count(label: str, trial: Any) -> None:
        seen.append(trial.number)
        if len(seen) == number:
            raise Enough

    with pytest.raises(Enough):
        run_tuning(digits, make_config(**launchers.DIALS), out, InProcess(), events=Events(tried=count))


@pytest.mark.parametrize("number", [1, 4, 9])
def test_an_interrupt_gives_places_back(
    digits: ImageSet, undisturbed: dict[str, Any], tmp_path: Path, number: int
) -> None:
    out = tmp_path / "s"
    stop_after(digits, out, number)
    assert states(out, optuna.trial.TrialState.RUNNING) == 0
    assert states(out, optuna.trial.TrialState.COMPLETE) == number
    assert tune(digits, out) == (undisturbed, [])


def test_further_networks_get_as_many_trials_and_others_keep_theirs(
    digits: ImageSet, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    tune(digits, tmp_path / "s", models=["lstm:hidden=4"])
    began = (tmp_path / "s" / "tuning" / "journal.log").read_bytes()
    later, _ = tune(digits, tmp_path / "s")
    assert later == undisturbed
    assert list(later) == ["lstm,hidden=4", "linear"]
    assert (tmp_path / "s" / "tuning" / "journal.log").read_bytes().startswith(began)


def test_without_the_journal_choices_stand(digits: ImageSet, undisturbed: dict[str, Any], tmp_path: Path) -> None:
    tune(digits, tmp_path / "s")
    (tmp_path / "s" / "tuning" / "journal.log").unlink()
    assert tune(digits, tmp_path / "s") == (undisturbed, [])
    assert not (tmp_path / "s" / "tuning" / "journal.log").exists()


def test_diverged_trials_count_and_the_recipe_stays_where_none_finished(digits: ImageSet, tmp_path: Path) -> None:
    preprocessing = digits.preprocessing.model_copy(update={"std": [1e-38]})
    record = digits.record.model_copy(update={"preprocessing": preprocessing.model_dump()})
    wild = dataclasses.replace(digits, preprocessing=preprocessing, record=record)
    warned: list[str] = []
    dials = {**launchers.DIALS, "models": ["linear"]}
    folder = run_study(
        wild, make_config(**dials), tmp_path / "s", InProcess(), events=Events(warned=warned.append)
    )
    tuning = folder.tuning()
    assert tuning is not None
    (network,) = tuning.networks
    assert [t.status for t in network.trials] == ["diverged"] * launchers.TRIALS
    assert all(t.reason.startswith("loss nan at step 1 of ") for t in network.trials)
    assert (network.chosen, network.importance) == (None, None)
    assert network.settings == network.trials[0].settings
    assert warned == ["no trial of linear finished; its final runs have the study's recipe"]
    assert folder.runs()[0].record.recipe == folder.spec().recipe
    (trials,) = journal(tmp_path / "s").values()
    assert {t.state for t in trials} == {optuna.trial.TrialState.FAIL}


def test_failed_trials_count_and_keep_their_reason(
    digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = trial_module.train

    def broken(network: Any, training: Any, validation: Any, recipe: Any, seed: int, **more: Any) -> Any:
        if seed in (1_000_000, 1_000_002):
            raise MemoryError("no room")
        return real(network, training, validation, recipe, seed, **more)

    monkeypatch.setattr(trial_module, "train", broken)
    found, _ = tune(digits, tmp_path / "s", models=["linear"])
    trials = found["linear"].trials
    assert [t.status for t in trials] == ["failed", "finished", "failed", "finished", "finished", "finished"]
    assert trials[0].reason.startswith("MemoryError: no room (test_interrupted.py:")
    assert found["linear"].chosen in (1, 3, 4, 5)
    monkeypatch.undo()
    assert tune(digits, tmp_path / "s", models=["linear"])[0] == found  # a failed trial is spent


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tune": 7}, "tuning: 6 trials of 2 epochs on all images → 7 trials of 2 epochs on all images"),
        ({"tune_images": 150}, "tuning: 6 trials of 2 epochs on all images → 6 trials of 2 epochs on 150 images"),
        ({"tune": None}, "tuning: 6 trials of 2 epochs on all images → none"),
    ],
)
def test_a_study_keeps_its_plan(digits: ImageSet, tmp_path: Path, change: dict[str, Any], told: str) -> None:
    stop_after(digits, tmp_path / "s", 1)
    with pytest.raises(ConfigError) as caught:
        run_study(digits, make_config(**{**launchers.DIALS, **change}), tmp_path / "s", InProcess())
    assert f"a study with other settings is here: {told}\n" in str(caught.value)


def test_one_tuning_keeps_one_storage(digits: ImageSet, tmp_path: Path) -> None:
    stop_after(digits, tmp_path / "s", 1)
    with pytest.raises(ConfigError) as caught:
        run_tuning(
            digits, make_config(**launchers.DIALS), tmp_path / "s", InProcess(),
            storage=f"sqlite:///{tmp_path}/trials.db",
        )  # fmt: skip
    assert str(caught.value) == (
        f"--storage: the tuning of this study keeps its trials in journal.log, not in sqlite:///{tmp_path}/trials.db\n"
        "  to mend:  give the same --storage as before, or choose another --out"
    )


def test_tuning_alone_opens_no_test_and_trains_no_final_run(digits: ImageSet, tmp_path: Path) -> None:
    tune(digits, tmp_path / "s")
    folder = StudyFolder.open(tmp_path / "s")
    assert (folder.openings(), folder.runs(), folder.spec().seeds) == ([], [], [])
    run_study(digits, make_config(**launchers.DIALS), tmp_path / "s", InProcess())
    assert [run.path.name for run in folder.runs()] == ["linear-0", "lstm,hidden=4-0"]
    assert len(folder.openings()) == 1
