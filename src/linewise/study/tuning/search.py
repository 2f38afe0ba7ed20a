"""The search: every network's trials, generation by generation, in the study's worker processes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from linewise.foundations.disk import DiskError, DiskFailure
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import ModelSpec, StudySpec
from linewise.foundations.tuning import Dial, TrialRecord, TuningRecord
from linewise.study import heartbeat
from linewise.study.events import Events
from linewise.study.executors import Executor
from linewise.study.job import Arrays, Job
from linewise.study.tuning.ledger import Ledger
from linewise.study.tuning.pulse import Pulse
from linewise.study.tuning.record import choose, entry_of, with_entries
from linewise.study.tuning.sampler import generation_of, propose
from linewise.study.tuning.space import apply, check_cost, space_of
from linewise.study.tuning.storage import Storage
from linewise.study.tuning.trial import LONGEST_REASON, run_trial, trial_job_key

POLL_S = 0.5


@dataclass
class _Network:
    """A network whose trials are not all done."""

    model: ModelSpec
    space: list[Dial]
    ledger: Ledger

    def expense(self, trials: list[TrialRecord]) -> float:
        """What orders jobs, most expensive first: seconds where they are known, else work counted."""
        timed = [trial.seconds for trial in trials if trial.seconds]
        return sum(timed) / len(timed) if timed else float(self.model.cost.macs)


class Search:
    """The trials that a plan has left, of all networks that have no settings yet.

    Attributes:
        record: what `tuning.json` holds; complete after `run`.
    """

    def __init__(
        self,
        folder: StudyFolder,
        spec: StudySpec,
        record: TuningRecord,
        storage: Storage,
        events: Events,
    ) -> None:
        assert spec.tuning is not None
        self.folder, self.spec, self.plan, self.record = folder, spec, spec.tuning, record
        self.storage, self.events = storage, events
        done = {network.label for network in record.networks if network.settings is not None}
        self.networks = {
            model.label: _Network(model, space, Ledger(storage, self.name(model, space), self.plan))
            for model in spec.models
            if model.cost.parameters and model.label not in done
            for space in [space_of(model, spec.recipe)]
        }
        for network in self.networks.values():
            check_cost(network.model, network.space, spec.data)

    def name(self, model: ModelSpec, space: list[Dial]) -> str:
        """The name of a network's study in the storage: the same for all that would run the same trials."""
        decides: dict[str, Any] = {
            "data": self.spec.data.model_dump(include={"fingerprint", "shape", "preprocessing"}),
            "model": model.model_dump(include={"name", "sizes"}),
            "recipe": self.spec.recipe.model_dump(),
            "plan": self.plan.model_dump(),
            "space": [dial.model_dump() for dial in space],
            "threads": self.spec.threads,
        }
        if self.spec.device != "cpu":
            decides["device"] = self.spec.device
        digest = sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        return f"linewise/{self.spec.data.fingerprint[:12]}/{model.label}/{digest[:12]}"

    def run(self, executor: Executor, arrays: tuple[Arrays, Arrays], workplace: Path) -> None:
        ledgers = [network.ledger for network in self.networks.values()]
        self.write()
        torch.set_flush_denormal(False)  # which training in this process turns on: choices are to be the same
        ended = {label: len(network.ledger.ended()) for label, network in self.networks.items()}
        self.events.tuning(self.plan, ended)
        waiting = False
        try:
            with Pulse(ledgers):
                while not self.all_ended():
                    for ledger in ledgers:
                        ledger.free()
                    jobs = self.take(executor.width if self.storage.shared else None, arrays, workplace)
                    if jobs:
                        self.work(executor, jobs)
                        self.write()
                    else:  # other launchers have the rest
                        if not waiting:
                            self.events.elsewhere(sum(ledger.running() for ledger in ledgers))
                        time.sleep(POLL_S)
                    waiting = not jobs
        finally:
            for ledger in ledgers:
                ledger.give_back()
        self.write(last=True)

    def all_ended(self) -> bool:
        return all(len(network.ledger.ended()) == self.plan.trials for network in self.networks.values())

    def take(
        self, most: int | None, arrays: tuple[Arrays, Arrays], workplace: Path
    ) -> dict[Job, tuple[_Network, dict[str, float], int]]:
        """Jobs for trials that can run now, most expensive first; at most `most` where others want some too."""
        offers: list[tuple[float, _Network, int, dict[str, float]]] = []
        for network in self.networks.values():
            waiting, before = network.ledger.open()
            if waiting:
                label, generation = network.model.label, generation_of(waiting[0])
                found = propose(network.space, label, self.plan.seed_base, generation, before)
                offers += [(network.expense(before), network, number, found[number]) for number in waiting]
        offers.sort(key=lambda offer: -offer[0])
        jobs: dict[Job, tuple[_Network, dict[str, float], int]] = {}
        for _, network, number, settings in offers:
            if most is not None and len(jobs) >= most:
                break
            if network.ledger.take(number, settings, network.space):
                jobs[self.job(network, number, settings, arrays, workplace)] = network, settings, number
        return jobs

    def job(
        self,
        network: _Network,
        number: int,
        settings: dict[str, float],
        arrays: tuple[Arrays, Arrays],
        workplace: Path,
    ) -> Job:
        recipe = self.spec.recipe.model_copy(update={"epochs": self.plan.epochs})
        model, recipe = apply(settings, network.model, recipe)
        key = trial_job_key(model.label, number)
        return Job(
            model,
            self.plan.seed_base + number,
            recipe,
            self.spec.data,
            *arrays,
            self.spec.threads,
            workplace / f"{key}.outcome",
            workplace / f"{key}.json",
            device=self.spec.device,
        )

    def work(self, executor: Executor, jobs: dict[Job, tuple[_Network, dict[str, float], int]]) -> None:
        beats = {trial_job_key(n.model.label, number): job.heartbeat for job, (n, _, number) in jobs.items()}

        def end(job: Job, failure: str) -> None:
            network, settings, number = jobs[job]
            if isinstance(failure, DiskFailure):  # says nothing about these settings: the trial is open still
                raise DiskError(
                    failure,
                    where=str(self.folder.path),
                    mend="make room, or see to the disk; ended trials are kept, and the same command with --out "
                    f"{self.folder.path} goes on",
                )
            trial = TrialRecord(
                number=number, seed=job.seed, settings=settings, status="failed", reason=failure[:LONGEST_REASON]
            )
            if not failure:
                told = TrialRecord.load(job.path)
                trial = told.model_copy(update={"number": number, "settings": settings})
            network.ledger.tell(trial)
            beats.pop(trial_job_key(network.model.label, number))
            self.events.tried(network.model.label, trial)

        executor.run(
            run_trial,
            list(jobs),
            end,
            lambda: self.events.trying({key: heartbeat.read(path) for key, path in beats.items()}),
            lambda job, cause: self.events.warned(
                f"{trial_job_key(jobs[job][0].model.label, jobs[job][2])}: {cause}; tried again"
            ),
        )
        torch.set_flush_denormal(False)

    def write(self, last: bool = False) -> None:
        """`tuning.json`, whole; with choices and importances at the end."""
        entries = [
            entry_of(network.model, network.space, network.ledger.ended()) for network in self.networks.values()
        ]
        if last:
            entries = [choose(entry, self.plan) for entry in entries]
        self.record = with_entries(self.record, entries, self.spec)
        self.folder.tuning_path.parent.mkdir(parents=True, exist_ok=True)
        self.record.save(self.folder.tuning_path)
        for entry in entries if last else []:
            if entry.chosen is None:
                self.events.warned(f"no trial of {entry.label} finished; its final runs have the study's recipe")
            self.events.chosen(entry)
