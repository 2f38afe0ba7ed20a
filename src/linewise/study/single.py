"""One network, trained as in a study, with a folder of its own; gone on with, or extended by further epochs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.folder import Run
from linewise.foundations.records import DataRecord, RunPlan, RunRecord
from linewise.images import ImageOptions, ImageSet, SplitOptions, load
from linewise.study.compiling import compile_kernels
from linewise.study.config import CompareConfig, make_config, make_spec
from linewise.study.events import Events
from linewise.study.executors import WorkerProcesses
from linewise.study.heartbeat import Listener
from linewise.study.job import Job, run_job, share
from linewise.study.keeping import CHECKPOINT
from linewise.study.lock import hold
from linewise.study.storage import sweep_replaced
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
) -> Run:
    """Train the only network of `config` and return its run; the test set stays sealed.

    Args:
        out: the run's folder, new; None chooses `runs/DATA-MODEL-SEED`.
        checkpoint_s: seconds from one checkpoint to the next.

    Raises:
        ConfigError: the folder is there already or cannot be written, or the run failed.
    """
    spec = make_spec(config, images.record, command).model_copy(update={"seeds": [seed]})
    path = out or run_path(images.name, spec.models[0].label, seed)
    return begin(path, RunPlan(study=spec), images, events or Events(), checkpoint_s)


def begin(path: Path, plan: RunPlan, images: ImageSet, events: Events, checkpoint_s: float = EVERY_S) -> Run:
    """Do a run that is planned, in a new folder.

    Raises:
        ConfigError: the folder is there already or cannot be written, or the run failed.
    """
    if path.exists():
        begun = (path / CHECKPOINT).is_dir()
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
            f"cannot be written ({error.strerror})", where=str(path), mend="choose another --out"
        ) from None
    with hold(path / CHECKPOINT, "another `linewise train`", shown=path):
        plan.save(plan_path(path))
        return _do(path, plan, images, events, checkpoint_s)


def resume(
    path: Path,
    *,
    data_dir: Path | None = None,
    threads: int | None = None,
    device: str | None = None,
    events: Events | None = None,
    checkpoint_s: float = EVERY_S,
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
    with hold(path / CHECKPOINT, "another `linewise train`", shown=path):
        plan = RunPlan.load(plan_path(path))
        spec = plan.study
        given = {
            "threads": spec.threads if threads is None else threads,
            "device": device or spec.device,
        }
        make_config(**given)  # refuses what cannot be
        plan = plan.model_copy(update={"study": spec.model_copy(update=given)})
        return _do(path, plan, images_again(spec.data, path, data_dir, events), events, checkpoint_s)


def plan_path(path: Path) -> Path:
    return path / CHECKPOINT / "plan.json"


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


def _do(path: Path, plan: RunPlan, images: ImageSet, events: Events, checkpoint_s: float) -> Run:
    """Train in a worker process; the run's lock is held."""
    failures: list[str] = []
    spec, model = plan.study, plan.study.models[0]
    with tempfile.TemporaryDirectory(prefix="linewise-") as name:
        workplace = Path(name)
        job = Job(
            model,
            spec.seeds[0],
            spec.recipe,
            spec.data,
            share(images.train, workplace, "train"),
            share(images.validation, workplace, "validation"),
            spec.threads,
            path,
            workplace / "beat.json",
            device=spec.device,
            checkpoint_s=checkpoint_s,
            origin=plan.origin,
        )
        compile_kernels([model], spec.data, events)
        events.planned(spec, [job.key])
        listener = Listener({job.key: job.heartbeat}, events)

        def end(job: Job, failure: str) -> None:
            failures.extend([failure] if failure else [])
            listener.listen(job.key)
            events.ended(job.key, failure)

        with WorkerProcesses(1, spec.threads) as executor:
            executor.run(run_job, [job], end, listener.listen)
    if failures:
        raise ConfigError(
            f"the run failed: {failures[0]}", where=str(path), mend=f"linewise train --resume {path} tries again"
        )
    return Run(path, RunRecord.load(path / "run.json"))


def run_path(data: str, model: str, seed: int) -> Path:
    """Where a run lies that was given no folder."""
    return Path("runs") / f"{data}-{model.strip().replace(':', ',')}-{seed}"
