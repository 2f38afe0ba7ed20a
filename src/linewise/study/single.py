"""One network, trained as in a study, with a folder of its own; gone on with, or extended by further epochs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from linewise.foundations.disk import watched
from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.folder import Run
from linewise.foundations.records import DataRecord, RunPlan
from linewise.images import ImageOptions, ImageSet, SplitOptions, load
from linewise.study.alone import do_planned, plan_path
from linewise.study.config import CompareConfig, make_config, make_spec
from linewise.study.events import Events
from linewise.study.keeping import CHECKPOINT
from linewise.study.lock import hold
from linewise.study.storage import sweep_replaced
from linewise.study.watch import HANG_S
from linewise.training.keeping import EVERY_S


def train_one(
    images: ImageSet,
    config: CompareConfig,
    seed: int,
    out: Path | None,
    *,
    command: str = "",
    events: Events | None = None,
    checkpoint_s: float = EVERY_S,
    hang_s: float = HANG_S,
) -> Run:
    """Train the only network of `config` and return its run; the test set stays sealed.

    Args:
        out: the run's folder, new; None chooses `runs/DATA-MODEL-SEED`.
        checkpoint_s: seconds from one checkpoint to the next.
        hang_s: seconds without a sign of life after which the worker counts as hung; 0: never.

    Raises:
        ConfigError: the folder is there already or cannot be written, or the run failed.
    """
    spec = make_spec(config, images.record, command).model_copy(update={"seeds": [seed]})
    path = out or run_path(images.name, spec.models[0].label, seed)
    return begin(path, RunPlan(study=spec), images, events or Events(), checkpoint_s, hang_s)


def begin(
    path: Path,
    plan: RunPlan,
    images: ImageSet,
    events: Events,
    checkpoint_s: float = EVERY_S,
    hang_s: float = HANG_S,
) -> Run:
    """Do a run that is planned, in a new folder.

    Raises:
        ConfigError: the folder is there already or cannot be written, or the run failed.
    """
    check_new(path)
    with held(path):
        check_new(path)  # another may have come and gone before the lock was held
        plan.save(plan_path(path))
        return do_planned(path, plan, images, events, checkpoint_s, hang_s)


def check_new(path: Path) -> None:
    """Refuse a folder that is there already, and one that cannot be written.

    Raises:
        ConfigError: saying what to do.
    """
    if path.exists() and not _is_shell(path):
        begun = plan_path(path).is_file()
        raise ConfigError(
            "is there already" + (", a run that was stopped" if begun else ""),
            where=str(path),
            mend=(f"go on with it: linewise train --resume {path}; or " if begun else "") + "choose another --out",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})",
            where=str(path),
            mend="make it writable, or choose another --out",
        ) from None


@contextmanager
def held(path: Path) -> Iterator[None]:
    """The lock of a run that is not over; see `hold`.

    Raises:
        DiskError: what is done meanwhile finds the disk full or failing.
    """
    with (
        watched(path, "then the same command again"),
        hold(path / CHECKPOINT, "another `linewise train`", shown=path),
    ):
        yield


def resume(
    path: Path,
    *,
    data_dir: Path | None = None,
    threads: int | None = None,
    device: str | None = None,
    events: Events | None = None,
    checkpoint_s: float = EVERY_S,
    hang_s: float = HANG_S,
) -> Run:
    """Go on with a run that was stopped, from its newest checkpoint.

    Args:
        path: its folder.
        data_dir: where named data sets lie.
        threads: None those that it began with, as for `device`; with others it is not bit-exact.

    Raises:
        ConfigError: there is no such run, it has ended, it is in use, or it failed; threads or a device that
            cannot be.
        DataError: the images changed since it began.
    """
    events = events or Events()
    check_stopped(path)
    with held(path):
        check_stopped(path)  # another may have ended it before the lock was held
        plan = with_given(RunPlan.load(plan_path(path)), threads, device)
        images = images_again(plan.study.data, path, data_dir, events)
        return do_planned(path, plan, images, events, checkpoint_s, hang_s)


def check_stopped(path: Path) -> None:
    """Refuse what is no run that was stopped.

    Raises:
        ConfigError: saying what to do.
    """
    sweep_replaced(path.parent)
    if (path / "run.json").is_file():
        raise ConfigError(
            "has ended already", where=str(path), mend=f"for further epochs: linewise extend {path} --epochs N"
        )
    if not plan_path(path).is_file():
        raise ConfigError(
            "no run to go on with",
            where=str(path),
            expected=f"a folder that `linewise train` left, with {CHECKPOINT}/plan.json",
            mend="a study goes on with the same command and --out",
        )


def with_given(plan: RunPlan, threads: int | None, device: str | None) -> RunPlan:
    """A plan with other threads or another device, where they are given.

    Raises:
        ConfigError: threads or a device that cannot be.
    """
    spec = plan.study
    given = {
        "threads": spec.threads if threads is None else threads,
        "device": device or spec.device,
    }
    make_config(**given)  # refuses what cannot be
    return plan.model_copy(update={"study": spec.model_copy(update=given)})


def _is_shell(path: Path) -> bool:
    """Whether a folder holds no more than the lock of a run whose plan could not be written, or was not yet."""
    if not (path / CHECKPOINT).is_dir() or len(list(path.iterdir())) > 1:
        return False
    return all(file.name.startswith(".") for file in (path / CHECKPOINT).iterdir())


def images_again(data: DataRecord, path: Path, data_dir: Path | None, events: Events) -> ImageSet:
    """The images of a run, as they were asked for.

    Args:
        path: the run, for messages.

    Raises:
        DataError: they changed.
    """
    asked = {key: value for key, value in data.options.items() if key != "source"}
    images = load(
        data.options.get("source", data.name),
        images=ImageOptions(**{k: v for k, v in asked.items() if k in ImageOptions.model_fields}),
        splits=SplitOptions(**{k: v for k, v in asked.items() if k in SplitOptions.model_fields}),
        data_dir=data_dir,
        progress=True,
    )
    if images.record.fingerprint != data.fingerprint:
        raise DataError(
            f"the images changed since this run began (fingerprint {images.record.fingerprint[:12]}, "
            f"was {data.fingerprint[:12]})",
            where=str(path),
            expected="the same images, sizes and splits",
            mend="restore them",
        )
    for warning in images.warnings:
        events.warned(warning)
    return images


def run_path(data: str, model: str, seed: int) -> Path:
    """Where a run lies that was given no folder."""
    return Path("runs") / f"{data}-{model.strip().replace(':', ',')}-{seed}"
