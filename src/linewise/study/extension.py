"""Further epochs for a run that has ended: a new run from its weights, with a schedule of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import Run
from linewise.foundations.records import DataRecord, Origin, RunPlan, RunRecord, StudySpec
from linewise.foundations.version import version
from linewise.images.preprocessing import Preprocessing
from linewise.models.saved import Saved, load_model
from linewise.study.dials import make_config
from linewise.study.events import Events
from linewise.study.single import begin, images_again
from linewise.training.keeping import EVERY_S


def extend(
    path: Path,
    epochs: int,
    *,
    out: Path | None = None,
    lr: float | None = None,
    data_dir: Path | None = None,
    threads: int | None = None,
    device: str | None = None,
    command: str = "",
    events: Events | None = None,
    checkpoint_s: float = EVERY_S,
) -> Run:
    """Train a finished network further, in a new folder; the run stays as it is, and the test set sealed.

    The learning rate of the run fell to next to nothing at its end, and its optimiser is not kept. So the
    further epochs are a second cycle: a fresh optimiser, a rate that rises and falls once more (a warm restart,
    Loshchilov & Hutter 2017). Order, augmentation and dropout are drawn anew. The result is not what as many
    epochs in one piece would have given.

    Args:
        path: the folder of the run.
        epochs: further ones.
        out: the new run's folder; None chooses `runs/DATA-MODEL-SEED+EPOCHS`.
        lr: peak learning rate of the second cycle; None that of the first.
        threads: None those of the run, as for `device`.

    Raises:
        ConfigError: the run did not finish, a wrong dial, or the folder is there.
        DataError: the run cannot be read, or its images changed.
    """
    events = events or Events()
    record, saved = Run.open(path).record, load_model(path)
    if record.status != "finished":
        raise ConfigError(f"{record.status}: {record.reason}", where=str(path), expected="a run that finished")
    recipe = record.recipe
    dials = {**recipe.model_dump(), "epochs": epochs, **({} if lr is None else {"lr": lr})}
    config = make_config(
        models=[record.model.name], threads=record.environment.threads if threads is None else threads,
        device=device or record.environment.device.partition(" ")[0], **dials,
    )  # fmt: skip
    before = recipe.epochs + (record.origin.epochs if record.origin else 0)
    spec = StudySpec(
        linewise_version=version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        data=_asked(record, saved),
        models=[record.model],
        recipe=recipe.model_copy(update={"epochs": config.epochs, "lr": config.lr}),
        seeds=[record.seed],
        match="none",
        budget=None,
        threads=config.threads,
        device=config.device,
    )
    images = images_again(spec.data, path, data_dir, events)
    spec = spec.model_copy(
        update={"data": images.record.model_copy(update={"preprocessing": spec.data.preprocessing})}
    )
    target = out or Path("runs") / f"{images.name}-{record.model.label}-{record.seed}+{epochs}"
    plan = RunPlan(study=spec, origin=Origin(run=str(path), epochs=before, sha256=saved.card.sha256))
    return begin(target, plan, images, events, checkpoint_s)


def _asked(record: RunRecord, saved: Saved) -> DataRecord:
    """The images of a run as far as its folder tells them."""
    pre = Preprocessing(**saved.card.preprocessing)
    return DataRecord(
        name=record.data_name,
        fingerprint=record.data_fingerprint,
        class_names=saved.card.class_names,
        shape=(pre.height, pre.width, pre.channels),
        counts={},
        preprocessing=saved.card.preprocessing,
        options=saved.card.trained.get("options", {}),
    )
