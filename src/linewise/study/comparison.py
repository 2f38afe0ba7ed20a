"""A study from beginning to end: check, plan, tune, train what is missing, open the test set once."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from linewise.foundations.disk import Whereabouts, error_for, staying, watched
from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import Run, StudyFolder
from linewise.foundations.records import Opening, StudySpec
from linewise.foundations.tuning import TuningRecord
from linewise.images import ImageSet, Part
from linewise.study import heartbeat
from linewise.study.along import film, unmoved_by_read_along
from linewise.study.compiling import compile_kernels
from linewise.study.config import CompareConfig, make_spec
from linewise.study.events import Events, both
from linewise.study.examination import Examination, Timing, choose_pictures, examine, thumbnails, time_study
from linewise.study.executors import Executor
from linewise.study.heartbeat import Listener
from linewise.study.job import Job, share
from linewise.study.lock import hold
from linewise.study.resume import reconcile
from linewise.study.storage import log_opening, sweep, write_failed, write_films, write_gallery, write_retries
from linewise.study.together import Group, grouped, run_group
from linewise.study.tuning import tune
from linewise.study.tuning.storage import reach
from linewise.study.tuning.tune import tuned
from linewise.training.keeping import EVERY_S

GOES_ON = "finished runs and trials are kept, and the same command with --out {} goes on"


def run_study(
    images: ImageSet,
    config: CompareConfig,
    path: Path,
    executor: Executor,
    *,
    command: str = "",
    events: Events | None = None,
    storage: str | None = None,
    seeds_at_once: int = 1,
    checkpoint_s: float = EVERY_S,
) -> StudyFolder:
    """Do what is missing of a study; finished trials and runs are kept.

    Args:
        images: loaded and checked.
        path: the study's folder; new, or one that an earlier call of the same study left.
        executor: where runs are computed.
        command: what was typed, for the record.
        storage: a database that keeps the trials of the tuning, where several machines share them.
        seeds_at_once: final runs of one network that are trained as one computation, where it can be stacked.
        checkpoint_s: seconds from one checkpoint of a run to the next.

    Raises:
        ConfigError: the folder holds something else or another study, is in use, or cannot be written.
        DiskError: the disk is full or fails; what is finished is kept.
    """
    events = _in_view(path, events or Events())
    if seeds_at_once < 1:
        raise ConfigError(f"{seeds_at_once}", where="--seeds-at-once", expected="a number from 1")
    spec = reconcile(path, make_spec(config, images.record, command))
    _check_storage(spec, storage, path)
    with watched(path, GOES_ON.format(path)), _begun(path, spec, events) as (spec, folder, workplace):
        tuning = None
        if spec.tuning:
            compile_kernels(spec.models, spec.data, events)
            tuning = tune(folder, spec, images, executor, workplace, events, storage=storage)
        _train(folder, spec, images, executor, workplace, events, tuning, seeds_at_once, checkpoint_s)
        _test(folder, spec, images, executor, workplace, events, command)
    return folder


def run_tuning(
    images: ImageSet,
    config: CompareConfig,
    path: Path,
    executor: Executor,
    *,
    command: str = "",
    events: Events | None = None,
    storage: str | None = None,
) -> TuningRecord:
    """The tuning of a study alone: no final run, and the test set stays sealed. `run_study` with the same
    configuration and folder goes on with it. Arguments and errors are those of `run_study`."""
    events = _in_view(path, events or Events())
    wanted = make_spec(config, images.record, command)
    if wanted.tuning is None:
        raise ConfigError("no number of trials", where="--trials", expected="a number, such as 20")
    if not any(model.cost.parameters for model in wanted.models):
        raise ConfigError(
            f"nothing to tune in {', '.join(model.label for model in wanted.models)}",
            where="--models",
            expected="a network with trained parameters",
        )
    spec = reconcile(path, wanted.model_copy(update={"seeds": []}))
    _check_storage(spec, storage, path)
    with watched(path, GOES_ON.format(path)), _begun(path, spec, events) as (spec, folder, workplace):
        compile_kernels(spec.models, spec.data, events)
        return tune(folder, spec, images, executor, workplace, events, storage=storage)


def _in_view(path: Path, events: Events) -> Events:
    """Events that look, whenever it is told where runs and trials are, whether the study is where it was."""
    watch = Whereabouts((StudyFolder(path).spec_path,), GOES_ON.format(path))
    return both(events, Events(progress=lambda beats: watch.look(), trying=lambda beats: watch.look()))


def _stay(folder: StudyFolder) -> None:
    """What fails because the study was moved is not written down as a failure.

    Raises:
        FileNotFoundError: it was, which is told by `staying`.
    """
    if not folder.spec_path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder.spec_path))


def _check_storage(spec: StudySpec, storage: str | None, path: Path) -> None:
    """Refuse a wrong address, and one that does not answer, before a study is begun."""
    if storage and spec.tuning:
        if not StudyFolder(path).spec_path.exists():
            reach(storage)
    elif storage:
        raise ConfigError(
            "nothing is tuned, so no trials to keep", where="--storage", mend="give --tune, such as 20"
        )


@contextmanager
def _begun(path: Path, spec: StudySpec, events: Events) -> Iterator[tuple[StudySpec, StudyFolder, Path]]:
    """The study's specification, written; its folder, held; and a folder to work in."""
    if warning := unmoved_by_read_along(spec):
        events.warned(warning)
    with hold(path):
        spec, folder = reconcile(path, spec), StudyFolder(path)  # again: another launcher may have come and gone
        if not folder.spec_path.exists() or folder.spec() != spec:
            spec.save(folder.spec_path)
        sweep(folder)
        if unlogged := folder.unlogged():
            events.warned(
                f"openings.jsonl does not tell of the opening for {', '.join(unlogged[:5])}: it was removed or "
                "changed, and the report says so"
            )
        with staying(folder.spec_path, GOES_ON.format(path)), _workplace(path) as workplace:
            yield spec, folder, workplace
        sweep(folder)  # of workers that were killed, and replaced


def _train(
    folder: StudyFolder,
    spec: StudySpec,
    images: ImageSet,
    executor: Executor,
    workplace: Path,
    events: Events,
    tuning: TuningRecord | None,
    seeds_at_once: int,
    checkpoint_s: float,
) -> None:
    done = {run.path.name for run in folder.runs() if run.record.status != "failed"}
    training, validation = share(images.train, workplace, "train"), share(images.validation, workplace, "val")
    jobs = [
        Job(
            network,
            seed,
            recipe,
            spec.data,
            training,
            validation,
            spec.threads,
            path,
            workplace / f"{path.name}.json",
            device=spec.device,
            checkpoint_s=checkpoint_s,
        )
        for seed in spec.seeds
        for model in spec.models
        for network, recipe in [tuned(model, spec, tuning)]
        if (path := folder.run_path(model.label, seed)).name not in done
    ]
    compile_kernels([job.model for job in jobs], spec.data, events)
    # The most expensive first, so that at the end no worker has a long run to itself.
    jobs.sort(key=lambda job: -job.model.cost.macs)
    events.planned(spec, [job.key for job in jobs])
    listener, causes = Listener({job.key: job.heartbeat for job in jobs}, events), dict[str, list[str]]()

    def end(group: Group, failure: str) -> None:
        undone = group.left_undone() if failure else []
        for job in group.jobs:
            end_one(job, failure if job in undone else "")

    def again(group: Group, cause: str) -> None:
        for job in group.left_undone():
            causes.setdefault(job.key, []).append(cause)
            events.warned(f"{job.key}: {cause}; tried again")

    def end_one(job: Job, failure: str) -> None:
        if failure:
            _stay(folder)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            write_failed(folder, job.record(status="failed", reason=failure, started=now))
        elif job.key in causes:
            write_retries(job.path, causes[job.key])
        listener.listen(job.key)
        events.ended(job.key, failure)

    (folder.path / "runs").mkdir(exist_ok=True)  # workers make none: the study may have been moved
    groups = grouped(jobs, seeds_at_once, events.warned)
    executor.run(run_group, groups, end, listener.listen, again)


def _test(
    folder: StudyFolder,
    spec: StudySpec,
    images: ImageSet,
    executor: Executor,
    workplace: Path,
    events: Events,
    command: str,
) -> None:
    runs = [r for r in folder.runs() if r.record.status == "finished" and r.record.test_accuracy is None]
    if not runs:
        return

    def log(reason: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        log_opening(folder, Opening(time=now, reason=reason, runs=[r.path.name for r in runs], command=command))

    test = images.test.open(f"all runs have ended; {len(runs)} answer the test images", log)
    events.opened(len(runs))
    training, test_arrays = share(images.train, workplace, "train"), share(test, workplace, "test")

    def end(job: object, failure: str) -> None:
        if failure:
            raise error_for(failure)(f"the test was not completed: {failure}", mend="the same command tries again")

    executor.run(
        examine, [Examination(r.path, spec.data, test_arrays, spec.threads, spec.device) for r in runs], end
    )
    timing = Timing(
        paths=[r.path for r in runs],
        timed=_one_of_each(folder),
        speed=folder.speed_path,
        data=spec.data,
        training=training,
        test=test_arrays,
        threads=spec.threads,
        heartbeat=workplace / "test.json",
        device=spec.device,
    )
    executor.run(
        time_study, [timing], end, lambda: events.progress({timing.key: heartbeat.read(timing.heartbeat)})
    )
    events.ended(timing.key, "")
    _hang_pictures(folder, folder.runs(), test)


def _one_of_each(folder: StudyFolder) -> list[Path]:
    """The first finished run of each network."""
    first: dict[str, Path] = {}
    for run in folder.runs():
        if run.record.status == "finished":
            first.setdefault(run.label, run.path)
    return list(first.values())


def _hang_pictures(folder: StudyFolder, runs: list[Run], test: Part) -> None:
    indices_G = choose_pictures(runs, test.labels_N)
    write_gallery(folder, indices_G, thumbnails(test.images_NHWC, indices_G))
    write_films(folder, film(runs, indices_G, test.images_NHWC, folder.spec().data))


@contextmanager
def _workplace(study: Path) -> Iterator[Path]:
    """A folder for what only lives while a study runs; what a killed launcher left is cleared first."""
    workplace = study / ".work"
    shutil.rmtree(workplace, ignore_errors=True)
    workplace.mkdir(parents=True)
    try:
        yield workplace
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
