"""Trials in a real PostgreSQL server, shared by launchers that are killed."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

import launchers
import postgres
import workers
from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import TuningPlan
from linewise.foundations.tuning import Dial, TrialRecord
from linewise.images import ImageSet
from linewise.study.comparison import run_tuning
from linewise.study.config import make_config
from linewise.study.events import Events
from linewise.study.executors import InProcess
from linewise.study.tuning import ledger as ledger_module
from linewise.study.tuning.ledger import Ledger
from linewise.study.tuning.storage import Storage, open_storage

pytestmark = pytest.mark.skipif(bool(postgres.reason_for_none()), reason=postgres.reason_for_none())
COMPLETE, RUNNING = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING
SPACE = [Dial(name="lr", low=0.001, high=0.1, log=True, default=0.01)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres.server() as address:
        yield address


@pytest.fixture
def empty(url: str) -> str:
    """The address, its database without studies."""
    with closing(open_storage(Path("unused"), url, print)) as storage:
        for study in storage.optuna.get_all_studies():
            storage.optuna.delete_study(study._study_id)
    return url


def trials(url: str) -> dict[str, list[optuna.trial.FrozenTrial]]:
    with closing(open_storage(Path("unused"), url, print)) as storage:
        known = storage.optuna.get_all_studies()
        return {s.study_name.split("/")[2]: storage.optuna.get_all_trials(s._study_id) for s in known}


@pytest.mark.long  # as below, where a worker is killed besides
def test_two_launchers_share_the_trials_and_spend_them_once(
    empty: str, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    both = [launchers.start(tmp_path / name, "--jobs", "0", "--storage", empty) for name in "ab"]
    for launcher in both:
        _, said = launcher.communicate(timeout=120)
        assert launcher.returncode == 0, said
        assert b"geheim" not in said
    assert launchers.ends_of(tmp_path / "a") == launchers.ends_of(tmp_path / "b") == undisturbed
    for found in trials(empty).values():
        assert [t.number for t in found] == list(range(launchers.TRIALS))
        assert {t.state for t in found} == {COMPLETE}


def test_a_killed_launcher_s_trial_is_tried_again_by_another(
    empty: str, digits: ImageSet, undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = launchers.start(tmp_path / "a", "--jobs", "0", "--storage", empty, pause=("take", 3))
    launchers.wait_until_stopped(launcher)
    launchers.kill(launcher)
    states = Counter(t.state for found in trials(empty).values() for t in found)
    assert (states[COMPLETE], states[RUNNING]) == (2, 1)
    waited_for: list[int] = []

    def wait(trials: int) -> None:
        waited_for.append(trials)
        monkeypatch.setattr(ledger_module, "GRACE_S", 0.0)  # nobody is waited for any longer

    record = run_tuning(
        digits,
        make_config(**launchers.DIALS),
        tmp_path / "b",
        InProcess(),
        storage=empty,
        events=Events(elsewhere=wait),
    )
    assert launchers.ends(record) == undisturbed
    assert waited_for == [1]
    for found in trials(empty).values():
        assert [t.number for t in found] == list(range(launchers.TRIALS))
        assert {t.state for t in found} == {COMPLETE}
    assert record.storage == empty.replace(f"{postgres.USER}:geheim%7B1%7D@", "")
    # The killed one finds its work done.
    again = run_tuning(digits, make_config(**launchers.DIALS), tmp_path / "a", InProcess(), storage=empty)
    assert launchers.ends(again) == undisturbed


def test_a_killed_worker_s_trial_is_tried_again_beside_another_machine_s(
    empty: str, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    first = launchers.start(tmp_path / "a", "--jobs", "1", "--storage", empty, pause=("submit", 2))
    launchers.wait_until_stopped(first)  # its worker was told to load what it needs, and then given a trial
    second = launchers.start(tmp_path / "b", "--jobs", "1", "--storage", empty)
    (worker,) = workers.of(first.pid)
    worker.kill()
    os.kill(first.pid, signal.SIGCONT)
    for launcher, killed in ((first, True), (second, False)):
        _, said = launcher.communicate(timeout=120)
        assert launcher.returncode == 0, said
        assert (b"its worker process was killed (SIGKILL)" in said) == killed
    assert launchers.ends_of(tmp_path / "a") == launchers.ends_of(tmp_path / "b") == undisturbed
    for found in trials(empty).values():
        assert [t.number for t in found] == list(range(launchers.TRIALS))
        assert {t.state for t in found} == {COMPLETE}


def test_its_own_trial_is_taken_up_at_once_after_a_kill(empty: str, tmp_path: Path) -> None:
    plan, name = plan_of(3), "linewise/f/net/d"

    def ledger(study: str) -> tuple[Storage, Ledger]:
        storage = open_storage(tmp_path / study / "tuning" / "journal.log", empty, print)
        return storage, Ledger(storage, name, plan)

    killed, first = ledger("s")
    assert first.take(0, {"lr": 0.01}, SPACE)
    other, second = ledger("other")
    second.free()
    assert second.open()[0] == [1, 2]
    again, third = ledger("s")
    third.free()
    assert third.open()[0] == [0, 1, 2]
    for storage in (killed, other, again):
        storage.close()


def plan_of(number: int) -> TuningPlan:
    return TuningPlan(trials=number, epochs=1)


def test_many_ledgers_at_once_make_and_take_each_place_once(empty: str) -> None:
    plan, taken = plan_of(9), []
    start = threading.Barrier(6)

    def launcher(number: int) -> None:
        storage = replace(open_storage(Path("unused"), empty, print), launcher=f"launcher {number}")
        start.wait()
        ledger = Ledger(storage, "linewise/f/net/d", plan)
        while (waiting := ledger.open()[0]) or len(ledger.ended()) < plan.trials:
            for place in waiting:
                if ledger.take(place, {"lr": 0.01}, SPACE):
                    taken.append(place)
                    ledger.tell(
                        TrialRecord(
                            number=place, seed=1, settings={"lr": 0.01}, status="finished", validation_accuracy=0.5
                        )
                    )
        storage.close()

    threads = [threading.Thread(target=launcher, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Counter(taken) == dict.fromkeys(range(9), 1)
    (found,) = trials(empty).values()
    assert len(found) == 9


@pytest.mark.parametrize("form", ["{user}:falsch%7B@{host}", "{user}@{host}?password=falsch%7B"])
def test_a_wrong_password_is_not_said(url: str, form: str, digits: ImageSet, tmp_path: Path) -> None:
    host = url.partition("@")[2]
    wrong = f"postgresql://{form.format(user=postgres.USER, host=host)}"
    with pytest.raises(ConfigError) as caught:
        run_tuning(digits, make_config(**launchers.DIALS), tmp_path / "s", InProcess(), storage=wrong)
    assert "falsch" not in str(caught.value)
    assert str(caught.value).startswith(f"--storage: postgresql://{host} cannot be used (")
    assert "password authentication failed" in str(caught.value)
    for path in (tmp_path / "s").rglob("*"):
        assert path.is_dir() or b"falsch" not in path.read_bytes()


def test_a_password_among_the_options_opens_the_server_and_is_not_kept(empty: str, tmp_path: Path) -> None:
    user, _, host = empty.removeprefix("postgresql://").partition("@")
    storage = f"postgresql://{postgres.USER}@{host}?password={user.partition(':')[2]}"
    launcher = launchers.start(tmp_path / "s", "--jobs", "0", "--storage", storage)
    _, said = launcher.communicate(timeout=120)
    assert launcher.returncode == 0, said
    assert b"geheim" not in said
    for path in (tmp_path / "s").rglob("*"):
        assert path.is_dir() or b"geheim" not in path.read_bytes()


def test_a_server_that_goes_away_in_the_middle(digits: ImageSet, tmp_path: Path) -> None:
    ended: list[str] = []
    with ExitStack() as stack, pytest.raises(ConfigError) as caught:
        url = stack.enter_context(postgres.server())

        def tried(label: str, trial: TrialRecord) -> None:
            ended.append(label)
            stack.close()

        run_tuning(
            digits, make_config(**launchers.DIALS), tmp_path / "s", InProcess(), storage=url,
            events=Events(tried=tried),
        )  # fmt: skip
    assert len(ended) == 1
    assert " cannot be used (" in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert StudyFolder.open(tmp_path / "s").spec().tuning is not None
