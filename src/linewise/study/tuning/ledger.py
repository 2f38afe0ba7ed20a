"""The trials of one network in the storage: as many places as the plan has trials, each taken once.

A place is a trial in Optuna's sense: waiting, running, or ended (complete or failed). The places are made at the
beginning, so that no number of launchers can spend more than the plan allows. Taking a place is one atomic step of
the storage. A place whose launcher is gone waits again, with its number.
"""

from __future__ import annotations

import time
from typing import Any

from linewise.foundations.records import TuningPlan
from linewise.foundations.tuning import Dial, TrialRecord
from linewise.study.tuning import library
from linewise.study.tuning.sampler import distributions_of, generation_of
from linewise.study.tuning.storage import Storage

GRACE_S = 60.0
"""How long a trial may be silent before another launcher takes its place over."""

RECORD, LAUNCHER, BEAT = "linewise", "launcher", "beat"


class Ledger:
    """The trials of one network.

    Args:
        storage: where they are kept.
        name: of the network's study there; it says all that decides the trials' outcome.
        plan: how many there are.
    """

    def __init__(self, storage: Storage, name: str, plan: TuningPlan) -> None:
        self.storage, self.plan = storage, plan
        optuna = library.optuna()
        self.states = optuna.trial.TrialState
        self.finished_error = optuna.exceptions.UpdateFinishedTrialError
        try:
            self.study = optuna.create_study(storage=storage.optuna, study_name=name, direction="maximize")
            made_here = True
        except optuna.exceptions.DuplicatedStudyError:
            self.study = optuna.load_study(storage=storage.optuna, study_name=name)
            made_here = not storage.shared
        self._make_places(made_here)
        self._beats: dict[int, tuple[Any, float]] = {}
        self._mine: set[int] = set()

    def _make_places(self, made_here: bool) -> None:
        """Whoever made the study makes its places; others wait, and help where that one has died."""
        optuna = library.optuna()
        seen, since = -1, time.monotonic()
        while (there := len(self.study.get_trials(deepcopy=False))) < self.plan.trials:
            if there != seen:
                seen, since = there, time.monotonic()
            if made_here or time.monotonic() - since > GRACE_S / 4:
                self.study.add_trial(optuna.create_trial(state=self.states.WAITING))
            else:
                time.sleep(0.1)

    def _places(self) -> list[Any]:
        """Optuna's trials; those that two helpers made beyond the plan do not count."""
        return self.study.get_trials(deepcopy=False)[: self.plan.trials]

    def ended(self) -> list[TrialRecord]:
        """Trials that have ended, by number."""
        return [_record(place, self.plan) for place in self._places() if place.state.is_finished()]

    def open(self) -> tuple[list[int], list[TrialRecord]]:
        """What can be done now: places that wait in the earliest generation that has not ended, and the trials of
        all earlier generations. No places: all has ended, or others are at work on the rest."""
        places = self._places()
        unended = [place.number for place in places if not place.state.is_finished()]
        if not unended:
            return [], self.ended()
        generation = generation_of(unended[0])
        waiting = [n for n in unended if n in generation and places[n].state == self.states.WAITING]
        return waiting, [_record(place, self.plan) for place in places[: generation.start]]

    def running(self) -> int:
        """How many trials somebody has at work."""
        return sum(place.state == self.states.RUNNING for place in self._places())

    def take(self, number: int, settings: dict[str, float], space: list[Dial]) -> bool:
        """Take a place for a trial with these settings; False where another launcher was first."""
        place = self._places()[number]
        try:
            if not self.storage.optuna.set_trial_state_values(place._trial_id, self.states.RUNNING):
                return False
            self._mine.add(place._trial_id)
            self._note(place._trial_id, LAUNCHER, self.storage.launcher)
            for name, distribution in distributions_of(space).items():
                if name not in place.params:
                    value = distribution.to_internal_repr(settings[name])
                    self.storage.optuna.set_trial_param(place._trial_id, name, value, distribution)
        except self.finished_error:
            return False
        return True

    def tell(self, record: TrialRecord) -> None:
        """How a trial ended. Where another launcher told it already, that stands: the outcome is the same."""
        place = self._places()[record.number]
        self._mine.discard(place._trial_id)
        try:
            if place.state == self.states.WAITING:  # silent for too long, and nobody has taken it over yet
                self.storage.optuna.set_trial_state_values(place._trial_id, self.states.RUNNING)
            self._note(place._trial_id, RECORD, record.model_dump())
            if record.status == "finished":
                self.study.tell(record.number, record.validation_accuracy)
            else:
                self.study.tell(record.number, state=self.states.FAIL)
        except (self.finished_error, ValueError):
            if not self._places()[record.number].state.is_finished():
                raise

    def free(self) -> None:
        """Let places wait again whose launcher is gone: in a journal all that run (the study's lock is held), in a
        shared storage those that this study's own earlier launcher left and those that are silent for too long."""
        for place in self._places():
            if place.state == self.states.RUNNING and place._trial_id not in self._mine and self._is_gone(place):
                self._wait(place._trial_id)

    def give_back(self) -> None:
        """Let places wait again that this launcher took and cannot finish; not those that others have by now."""
        for trial_id in sorted(self._mine):
            if self._is_held(trial_id):
                self._wait(trial_id)
        self._mine.clear()

    def beat(self) -> None:
        """Say that this launcher's trials are alive; of a place that another has taken over, that one says it."""
        for trial_id in sorted(self._mine):
            try:
                if self._is_held(trial_id):
                    self._note(trial_id, BEAT, time.time())
            except self.finished_error:
                self._mine.discard(trial_id)

    def _is_held(self, trial_id: int) -> bool:
        """Whether a place that this launcher took is its own still: in a shared storage another takes over what
        was silent for too long, as after a machine slept. Looking and doing are two steps there, so the answer can
        be late by one exchange with the server; then a trial is run twice, with the same outcome."""
        if not self.storage.shared:
            return True
        place = self.storage.optuna.get_trial(trial_id)
        return place.state == self.states.RUNNING and place.user_attrs.get(LAUNCHER) == self.storage.launcher

    def _is_gone(self, place: Any) -> bool:
        if not self.storage.shared or place.user_attrs.get(LAUNCHER) == self.storage.launcher:
            return True
        sign = (place.user_attrs.get(LAUNCHER), place.user_attrs.get(BEAT))
        before, since = self._beats.get(place._trial_id, (None, 0.0))
        if before != sign:  # judged by this machine's clock alone
            self._beats[place._trial_id] = sign, time.monotonic()
            return False
        return time.monotonic() - since > GRACE_S

    def _wait(self, trial_id: int) -> None:
        try:
            if self.storage.shared:  # before it can be taken: between taking and signing it is nobody's
                self._note(trial_id, LAUNCHER, "")
            self.storage.optuna.set_trial_state_values(trial_id, self.states.WAITING)
        except self.finished_error:
            return

    def _note(self, trial_id: int, key: str, value: Any) -> None:
        self.storage.optuna.set_trial_user_attr(trial_id, key, value)


def _record(place: Any, plan: TuningPlan) -> TrialRecord:
    if RECORD in place.user_attrs:
        return TrialRecord.model_validate(place.user_attrs[RECORD])
    return TrialRecord(
        number=place.number,
        seed=plan.seed_base + place.number,
        settings=dict(place.params),
        status="failed",
        reason="ended by another program",
    )
