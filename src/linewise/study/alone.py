"""A planned run, done in a worker process of its own."""

from __future__ import annotations

from pathlib import Path

from linewise.foundations.disk import Whereabouts, error_for, watched
from linewise.foundations.folder import Run
from linewise.foundations.records import RunPlan
from linewise.foundations.scratch import scratch
from linewise.images import ImageSet
from linewise.study.compiling import compile_kernels
from linewise.study.events import Events
from linewise.study.executors import WorkerProcesses
from linewise.study.heartbeat import Listener
from linewise.study.job import Job, run_job, share
from linewise.study.keeping import CHECKPOINT
from linewise.study.storage import write_retries


def plan_path(path: Path) -> Path:
    """Where the plan of a run lies until it has ended."""
    return path / CHECKPOINT / "plan.json"


def make_job(
    path: Path, plan: RunPlan, images: ImageSet, workplace: Path, checkpoint_s: float, ranks: int = 1
) -> Job:
    """The job of a run, its images in the workplace."""
    spec = plan.study
    return Job(
        spec.models[0],
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
        ranks=ranks,
    )


def do_planned(
    path: Path, plan: RunPlan, images: ImageSet, events: Events, checkpoint_s: float, hang_s: float
) -> Run:
    """Train in a worker process; the run's lock is held.

    Raises:
        ConfigError: the run failed. DiskError: the disk is full or fails.
    """
    with watched(path, f"then linewise train --resume {path}"):
        return _train(path, plan, images, events, checkpoint_s, hang_s)


def _train(path: Path, plan: RunPlan, images: ImageSet, events: Events, checkpoint_s: float, hang_s: float) -> Run:
    failures, causes = list[str](), list[str]()
    spec = plan.study
    with scratch() as folder:
        job = make_job(path, plan, images, folder, checkpoint_s)
        compile_kernels(spec.models, spec.data, events)
        events.planned(spec, [job.key])
        listener = Listener({job.key: job.heartbeat}, events)

        def again(job: Job, cause: str) -> None:
            causes.append(cause)
            events.warned(f"{job.key}: {cause}; tried again")

        def end(job: Job, failure: str) -> None:
            failures.extend([failure] if failure else [])
            listener.listen(job.key)
            events.ended(job.key, failure)

        watch = Whereabouts(
            (plan_path(path), path / "run.json"),
            f"linewise train --resume {path} goes on from its last checkpoint",
        )

        def look() -> None:
            listener.listen()
            watch.look()

        with WorkerProcesses(1, spec.threads, hang_s) as executor:
            executor.run(run_job, [job], end, look, again)
    if failures:
        raise error_for(failures[0])(
            f"the run failed: {failures[0]}", where=str(path), mend=f"linewise train --resume {path} tries again"
        )
    if causes:
        write_retries(path, causes)
    return Run.open(path)
