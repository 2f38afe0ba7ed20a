"""Tuning from beginning to end, and what the final runs take from it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import ModelSpec, Recipe, StudySpec
from linewise.foundations.tuning import TuningRecord
from linewise.images.sets import ImageSet
from linewise.study.events import Events
from linewise.study.executors import Executor
from linewise.study.tuning.part import arrays_of
from linewise.study.tuning.record import begun, missing
from linewise.study.tuning.search import Search
from linewise.study.tuning.space import apply
from linewise.study.tuning.storage import open_storage, told_as_storage


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
    record = begun(folder, spec, images)
    if record.complete and not missing(record, spec):
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
        search = Search(folder, spec, record.model_copy(update={"storage": kept.name}), kept, events)
        search.run(executor, arrays_of(images, spec.tuning, workplace), workplace)
    return search.record


def tuned(model: ModelSpec, spec: StudySpec, record: TuningRecord | None) -> tuple[ModelSpec, Recipe]:
    """A network and its recipe as the final runs have them."""
    found = record.network(model.label) if record else None
    if found is None or found.settings is None:
        return model, spec.recipe
    return apply(found.settings, model, spec.recipe)
