"""What is written down of a tuning: each network's trials, and in the end the settings chosen from them."""

from __future__ import annotations

from linewise.foundations.errors import DataError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import ModelSpec, StudySpec, TuningPlan
from linewise.foundations.tuning import Dial, NetworkTuning, TrialRecord, TuningRecord
from linewise.images.sets import ImageSet
from linewise.study.tuning.sampler import importance


def begun(folder: StudyFolder, spec: StudySpec, images: ImageSet) -> TuningRecord:
    """The record that an earlier call left, or an empty one.

    Raises:
        DataError: the record is damaged, or of another study.
    """
    there = folder.tuning()
    assert spec.tuning is not None
    if there is not None:
        if (there.plan, there.data_fingerprint) != (spec.tuning, spec.data.fingerprint):
            raise DataError(
                "the tuning of another study: other images, or another number of trials, epochs or images",
                where=str(folder.tuning_path),
                expected="what this study's own tuning wrote",
                mend="restore the file, or remove it: the journal still has this study's trials",
            )
        return there
    return TuningRecord(
        plan=spec.tuning,
        data_fingerprint=spec.data.fingerprint,
        num_train=spec.tuning.images or len(images.train),
        num_validation=len(images.validation),
        storage="",
    )


def missing(record: TuningRecord, spec: StudySpec) -> list[ModelSpec]:
    """Networks that are to be tuned and are not in the record."""
    return [m for m in spec.models if m.cost.parameters and record.network(m.label) is None]


def entry_of(model: ModelSpec, space: list[Dial], trials: list[TrialRecord]) -> NetworkTuning:
    """A network's part of the record while its trials go on."""
    return NetworkTuning(label=model.label, name=model.name, family=model.family, space=space, trials=trials)


def choose(entry: NetworkTuning, plan: TuningPlan) -> NetworkTuning:
    """The same with the best trial's settings; with the study's recipe where no trial finished."""
    best = entry.best
    return entry.model_copy(
        update={
            "chosen": best.number if best else None,
            "settings": best.settings if best else {dial.name: dial.default for dial in entry.space},
            "importance": importance(entry.space, entry.label, plan.seed_base, entry.trials),
        }
    )


def with_entries(record: TuningRecord, entries: list[NetworkTuning], spec: StudySpec) -> TuningRecord:
    """The record with these networks new or replaced, in the study's order."""
    found = {network.label: network for network in [*record.networks, *entries]}
    order = [model.label for model in spec.models if model.label in found]
    return record.model_copy(update={"networks": [found[label] for label in order]})
