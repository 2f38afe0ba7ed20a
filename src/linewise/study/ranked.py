"""One network, trained by all the ranks that torchrun started; the first of them keeps the run's folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import torch

from linewise.foundations.amounts import count
from linewise.foundations.disk import error_for
from linewise.foundations.errors import ConfigError, DataError, LinewiseError
from linewise.foundations.folder import Run
from linewise.foundations.interrupts import STOP, Stopped
from linewise.foundations.records import RunPlan
from linewise.foundations.scratch import scratch
from linewise.images import ImageSet
from linewise.images.batches import Batches
from linewise.study.alone import make_job, plan_path
from linewise.study.along import ghost
from linewise.study.compiling import compile_kernels
from linewise.study.config import CompareConfig, make_spec
from linewise.study.desk import Agreed, Desk
from linewise.study.events import Events
from linewise.study.executors import reason
from linewise.study.heartbeat import Heartbeat, Listener
from linewise.study.job import Job, pin_threads, write_run
from linewise.study.keeping import CHECKPOINT, checkpoints_of
from linewise.study.single import (
    check_new,
    check_stopped,
    held,
    images_again,
    run_path,
    with_given,
)
from linewise.training.groups import Group, RankLostError
from linewise.training.keeping import EVERY_S, Diligent
from linewise.training.loop import train
from linewise.training.parallel import Parallel, check_divisible

TOLD_APART = {"created", "command", "linewise_version"}
"""What of a specification does not decide whether two are of the same run."""


def train_ranked(
    images: ImageSet,
    config: CompareConfig,
    seed: int,
    out: Path | None,
    group: Group,
    *,
    command: str = "",
    events: Events | None = None,
    checkpoint_s: float = EVERY_S,
) -> Run | None:
    """As `train_one`, by all ranks, each of which calls this with the same images.

    torchrun begins again with the same command when a rank was lost. So a run that was stopped and is the same
    goes on, and one that ended in an earlier attempt is what it is.

    Returns:
        The run, on the first rank; None on the others.

    Raises:
        ConfigError: the folder holds something else or cannot be written, the run failed, or ranks are too many.
        DataError: another rank has other images.
        RankLostError: another rank is gone.
    """
    spec = make_spec(config, images.record, command).model_copy(update={"seeds": [seed]})
    path, plan = out or run_path(images.name, spec.models[0].label, seed), RunPlan(study=spec)

    def settle() -> RunPlan:
        if plan_path(path).is_file() and _is_same(there := RunPlan.load(plan_path(path)), plan):
            return there
        check_new(path)
        _check(plan, images, group.share.world)
        return plan

    return _do(path, group, settle, lambda plan: images, events or Events(), checkpoint_s)


def resume_ranked(
    path: Path,
    group: Group,
    *,
    data_dir: Path | None = None,
    threads: int | None = None,
    device: str | None = None,
    events: Events | None = None,
    checkpoint_s: float = EVERY_S,
) -> Run | None:
    """As `resume`, by all ranks; with another number of them than before it is not bit-exact."""
    events = events or Events()

    def settle() -> RunPlan:
        check_stopped(path)
        return with_given(RunPlan.load(plan_path(path)), threads, device)

    def load(plan: RunPlan) -> ImageSet:
        with group.in_turn():
            return images_again(plan.study.data, path, data_dir, events)

    return _do(path, group, settle, load, events, checkpoint_s)


def _check(plan: RunPlan, images: ImageSet, world: int) -> None:
    """Refuse what so many ranks cannot share, before anything is written."""
    spec, pre = plan.study, images.record.preprocessing
    training = Batches(images.train.images_NHWC, images.train.labels_N, pre["mean"], pre["std"])
    check_divisible(ghost(spec.models[0], spec.data), training.sizes(spec.recipe.batch_size), world)
    if len(images.validation) < world:
        raise ConfigError(
            f"{world} ranks, and {len(images.validation)} images for validation", where="--validation"
        )


def _check_images(images: ImageSet, plan: RunPlan, group: Group) -> None:
    """Refuse images that differ, in all ranks, before anything is written."""
    mine, first = images.record.fingerprint, plan.study.data.fingerprint
    differ = int(group.sum(torch.tensor(int(mine != first))))
    if not differ:
        return
    found = f"other images than on rank 0 (fingerprint {mine[:12]}, there {first[:12]})"
    raise DataError(
        found if mine != first else f"{count(differ, 'rank')} with other images than here",
        where=images.name,
        expected="the same images on every machine",
    )


def _leave_nothing(path: Path) -> None:
    """Of a run that was refused after its lock was taken."""
    if not (plan_path(path).is_file() or (path / "run.json").is_file()):
        shutil.rmtree(path / CHECKPOINT, ignore_errors=True)
        with suppress(OSError):  # something else is in it
            path.rmdir()


def _is_same(there: RunPlan, plan: RunPlan) -> bool:
    def decides(plan: RunPlan) -> dict:
        return plan.model_dump(exclude={"study": TOLD_APART | {"data"}}) | {"images": plan.study.data.fingerprint}

    return decides(there) == decides(plan)


def _do(
    path: Path,
    group: Group,
    settle: Callable[[], RunPlan],
    load: Callable[[RunPlan], ImageSet],
    events: Events,
    checkpoint_s: float,
) -> Run | None:
    """The first rank settles what is to be done and holds the run's lock; the others hear of it."""
    with ExitStack() as stack:
        if group.is_first and group.ranks.restarts and (path / "run.json").is_file():
            group.tell(b"")
            return Run.open(path)
        plan = None
        if group.is_first:
            settle()
            stack.callback(_leave_nothing, path)
            stack.enter_context(held(path))
            plan = settle()  # again: another may have come and gone before the lock was held
        told = group.tell(plan.model_dump_json().encode() if plan else b"")
        if not told:
            return None
        plan = RunPlan.model_validate_json(told)
        group.use(plan.study.device)
        images = load(plan)
        _check_images(images, plan, group)
        if group.is_first:
            plan.save(plan_path(path))
        with scratch() as folder:
            job = make_job(path, plan, images, folder, checkpoint_s, ranks=group.share.world)
            with group.in_turn():
                compile_kernels(plan.study.models, plan.study.data, events)
            events.planned(plan.study, [job.key])
            try:
                with STOP.heeded():
                    _run(job, group, Listener({job.key: job.heartbeat}, events).listen)
            except LinewiseError:
                raise
            except Exception as error:
                why = reason(error)
                raise error_for(why)(
                    f"the run failed: {why}", where=str(path), mend="the same command tries again"
                ) from error
            events.ended(job.key, "")
        return Run.open(path) if group.is_first else None


def _run(job: Job, group: Group, written: Callable[[], None]) -> None:
    """As `run_job`, in all ranks.

    Raises:
        Stopped: one of them was asked to stop; a checkpoint was written.
    """
    pin_threads(job.threads)
    heartbeat = Heartbeat(job.heartbeat, os.getpid(), written)
    desk = Desk(checkpoints_of(job, datetime.now(UTC).isoformat(timespec="seconds")), group)
    keeper = Diligent(
        desk, Agreed(group), every_s=job.checkpoint_s, warned=heartbeat.warn, begun=heartbeat.begin_at
    )  # fmt: skip
    # asked by another, this rank may hear its own signal while it writes the checkpoint
    parallel = Parallel(group, lambda: STOP.signum, agreed=STOP.hold)
    training, validation = job.parts()
    network = job.network()
    try:
        outcome = train(
            network, training, validation, job.recipe, job.chance_seed,
            on_step=heartbeat.step, on_epoch=heartbeat.epoch, keeper=keeper, parallel=parallel,
        )  # fmt: skip
        if group.is_first:
            write_run(
                job, network, outcome, training, validation, desk.started,
                changed=desk.changed, accuracy=parallel.accuracy,
            )  # fmt: skip
        elif not outcome.diverged:
            parallel.accuracy(network, training)
    except Stopped:
        if not job.is_done:
            keeper.save()
        raise
    except RankLostError:
        STOP.check()  # torchrun stops the others when it finds one gone, and all when it is stopped itself
        raise
