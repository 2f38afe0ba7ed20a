"""Places that another launcher took over belong to it: a launcher that wakes up late leaves them alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from linewise.foundations.records import TuningPlan
from linewise.foundations.tuning import Dial, TrialRecord
from linewise.study.tuning import ledger as ledger_module
from linewise.study.tuning.ledger import BEAT, LAUNCHER, Ledger
from linewise.study.tuning.storage import Storage, open_storage

SPACE = [Dial(name="lr", low=0.001, high=0.1, log=True, default=0.01)]
PLAN, SETTINGS = TuningPlan(trials=3, epochs=1), {"lr": 0.01}
State = optuna.trial.TrialState


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with closing(open_storage(tmp_path / "journal.log", f"sqlite:///{tmp_path}/t.db", print)) as opened:
        yield opened


@pytest.fixture
def both(storage: Storage) -> tuple[Ledger, Ledger]:
    """The ledgers of two launchers."""
    first, second = (Ledger(replace(storage, launcher=name), "net", PLAN) for name in ("first", "second"))
    return first, second


def place(storage: Storage, number: int) -> Any:
    (study,) = storage.optuna.get_all_studies()
    return storage.optuna.get_all_trials(study._study_id)[number]


def let_silence_be_noticed(by: Ledger, patch: pytest.MonkeyPatch) -> None:
    by.free()  # sees the sign
    with patch.context() as now:
        now.setattr(ledger_module, "GRACE_S", -1.0)
        by.free()  # sees the same sign, too old


def test_what_another_took_over_is_neither_given_back_nor_kept_alive(
    storage: Storage, both: tuple[Ledger, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep, heir = both
    assert asleep.take(0, SETTINGS, SPACE)
    assert asleep.take(1, SETTINGS, SPACE)
    let_silence_be_noticed(heir, monkeypatch)
    assert heir.take(0, SETTINGS, SPACE)
    before = place(storage, 0)
    assert (before.state, before.user_attrs[LAUNCHER]) == (State.RUNNING, "second")
    asleep.beat()
    asleep.give_back()
    after = place(storage, 0)
    assert (after.state, after.user_attrs) == (before.state, before.user_attrs)
    assert heir.open()[0] == [1, 2]  # freed, taken by nobody yet
    heir.beat()
    assert place(storage, 0).user_attrs[BEAT] > before.user_attrs.get(BEAT, 0)
    heir.give_back()
    assert place(storage, 0).state == State.WAITING


def test_between_taking_and_signing_a_place_is_nobody_s(
    storage: Storage, both: tuple[Ledger, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep, heir = both
    assert asleep.take(0, SETTINGS, SPACE)
    let_silence_be_noticed(heir, monkeypatch)
    assert storage.optuna.set_trial_state_values(place(storage, 0)._trial_id, State.RUNNING)  # by the heir
    asleep.beat()
    asleep.give_back()
    assert place(storage, 0).state == State.RUNNING
    assert BEAT not in place(storage, 0).user_attrs


def test_one_s_own_places_are_kept_alive_and_given_back(storage: Storage, both: tuple[Ledger, Ledger]) -> None:
    first, _ = both
    assert first.take(0, SETTINGS, SPACE)
    first.beat()
    assert BEAT in place(storage, 0).user_attrs
    first.give_back()
    assert place(storage, 0).state == State.WAITING
    assert first.take(0, SETTINGS, SPACE)


def test_the_first_outcome_of_a_place_run_twice_stands(
    both: tuple[Ledger, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep, heir = both
    assert asleep.take(0, SETTINGS, SPACE)
    let_silence_be_noticed(heir, monkeypatch)
    assert heir.take(0, SETTINGS, SPACE)
    outcome = TrialRecord(number=0, seed=1, settings=SETTINGS, status="finished", validation_accuracy=0.5)
    asleep.tell(outcome)
    heir.beat()
    heir.give_back()
    heir.tell(outcome.model_copy(update={"validation_accuracy": 0.25}))
    assert heir.ended() == asleep.ended() == [outcome]
