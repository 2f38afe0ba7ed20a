"""The search: every network's trials, generation by generation, in the study's worker processes."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import ModelSpec, Recipe, StudySpec, TuningPlan
from linewise.foundations.seeds import stream
from linewise.foundations.tuning import Dial, NetworkTuning, TrialRecord, TuningRecord
from linewise.images.sets import ImageSet, Part
from linewise.study import heartbeat
from linewise.study.events import Events
from linewise.study.executors import Executor
from linewise.study.job import Arrays, Job, share
from linewise.study.tuning.ledger import Ledger, Pulse
from linewise.study.tuning.sampler import generation_of, importance, propose
from linewise.study.tuning.space import apply, check_cost, space_of
from linewise.study.tuning.storage import Storage, open_storage, told_as_storage
from linewise.study.tuning.trial import LONGEST_REASON, run_trial, trial_job_key

POLL_S = 0.5


def tune(
    folder: StudyFolder,
    spec: StudySpec,
    images: ImageSet,
    executor: Executor,
    workplace: Path,
    events: Events,
    *,
    storage: str | None = None,
) -> TuningRecord:
    """Spend what the plan has left and choose every network's settings; what is done is kept.

    The test images have no part in it. Networks without trained parameters are not tuned.

    Args:
        folder: the study, its lock held.
        spec: with a tuning plan.
        workplace: a folder that lives as long as this call.
        storage: a database that several machines share; None keeps the trials in the study's journal.

    Returns:
        What is in `tuning/tuning.json` too, complete.

    Raises:
        ConfigError: the storage cannot be used, or is another one than this tuning began with.
    """
    assert spec.tuning is not None
    record = _record(folder, spec, images)
    if record.complete and not _missing(record, spec):
        return record
    with (
        told_as_storage(storage),
        closing(open_storage(folder.journal_path, storage, events.warned)) as kept,
    ):
        if record.networks and not record.complete and record.storage != kept.name:
            raise ConfigError(
                f"the tuning of this study keeps its trials in {record.storage}, not in {kept.name}",
                where="--storage",
                mend="give the same --storage as before, or choose another --out",
            )
        search = _Search(folder, spec, record.model_copy(update={"storage": kept.name}), kept, events)
        search.run(executor, _arrays(images, spec.tuning, workplace), workplace)
    return search.record


def _record(folder: StudyFolder, spec: StudySpec, images: ImageSet) -> TuningRecord:
    there = folder.tuning()
    if there is not None:
        return there
    assert spec.tuning is not None
    return TuningRecord(
        plan=spec.tuning,
        data_fingerprint=spec.data.fingerprint,
        num_train=spec.tuning.images or len(images.train),
        num_validation=len(images.validation),
        storage="",
    )


def _missing(record: TuningRecord, spec: StudySpec) -> list[ModelSpec]:
    """Networks that are to be tuned and are not in the record."""
    return [m for m in spec.models if m.cost.parameters and record.network(m.label) is None]


def _arrays(images: ImageSet, plan: TuningPlan, workplace: Path) -> tuple[Arrays, Arrays]:
    training = images.train if plan.images is None else part_of(images.train, plan.images, plan.seed_base)
    return share(training, workplace, "tuning-train"), share(images.validation, workplace, "tuning-val")


def part_of(part: Part, number: int, seed: int) -> Part:
    """A share of the training images in which the classes have the proportions they have in all, at random.

    Every class has at least one image as long as `number` allows.
    """
    generator = np.random.Generator(np.random.PCG64(stream(seed, "tuning images")))
    mixed_N = generator.permutation(len(part))
    rank_N = np.empty(len(part))
    for label in np.unique(part.labels_N):
        members = mixed_N[part.labels_N[mixed_N] == label]
        # Evenly spread over (0, 1): the first so many of all have every class in proportion; each class's first
        # image goes before all second ones.
        rank_N[members] = (np.arange(len(members)) + 0.5) / len(members)
        rank_N[members[0]] = 0
    chosen = np.sort(np.argsort(rank_N, kind="stable")[:number])
    return Part(np.asarray(part.images_NHWC[chosen]), part.labels_N[chosen])


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


class _Search:
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
        digest = sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        return f"linewise/{self.spec.data.fingerprint[:12]}/{model.label}/{digest[:12]}"

    def run(self, executor: Executor, arrays: tuple[Arrays, Arrays], workplace: Path) -> None:
        ledgers = [network.ledger for network in self.networks.values()]
        self.write()
        torch.set_flush_denormal(False)  # which training in this process turns on: choices are to be the same
        ended = {label: len(network.ledger.ended()) for label, network in self.networks.items()}
        self.events.tuning(self.plan, ended)
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
                        time.sleep(POLL_S)
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
        )

    def work(self, executor: Executor, jobs: dict[Job, tuple[_Network, dict[str, float], int]]) -> None:
        beats = {trial_job_key(n.model.label, number): job.heartbeat for job, (n, _, number) in jobs.items()}

        def end(job: Job, failure: str) -> None:
            network, settings, number = jobs[job]
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
        )
        torch.set_flush_denormal(False)

    def write(self, last: bool = False) -> None:
        """`tuning.json`, whole; with choices and importances at the end."""
        found = {network.label: network for network in self.record.networks}
        for label, network in self.networks.items():
            entry = NetworkTuning(
                label=label,
                name=network.model.name,
                family=network.model.family,
                space=network.space,
                trials=network.ledger.ended(),
            )
            found[label] = self.choose(entry) if last else entry
        order = [model.label for model in self.spec.models if model.label in found]
        self.record = self.record.model_copy(update={"networks": [found[label] for label in order]})
        self.folder.tuning_path.parent.mkdir(parents=True, exist_ok=True)
        self.record.save(self.folder.tuning_path)

    def choose(self, entry: NetworkTuning) -> NetworkTuning:
        best = entry.best
        if best is None:
            self.events.warned(f"no trial of {entry.label} finished; its final runs have the study's recipe")
        chosen = entry.model_copy(
            update={
                "chosen": best.number if best else None,
                "settings": best.settings if best else {dial.name: dial.default for dial in entry.space},
                "importance": importance(entry.space, entry.label, self.plan.seed_base, entry.trials),
            }
        )
        self.events.chosen(chosen)
        return chosen


def tuned(model: ModelSpec, spec: StudySpec, record: TuningRecord | None) -> tuple[ModelSpec, Recipe]:
    """A network and its recipe as the final runs have them."""
    found = record.network(model.label) if record else None
    if found is None or found.settings is None:
        return model, spec.recipe
    return apply(found.settings, model, spec.recipe)
