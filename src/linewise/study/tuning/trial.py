"""One trial, in whatever process it is given: train, judge on the validation images, leave a small file."""

from __future__ import annotations

import time

from linewise.foundations.allocator import leaving_nothing
from linewise.foundations.tuning import TrialRecord
from linewise.study.heartbeat import Heartbeat
from linewise.study.job import Job, pin_threads
from linewise.training.loop import train

LONGEST_REASON = 500


def trial_job_key(label: str, number: int) -> str:
    return f"{label}-trial-{number}"


@leaving_nothing()  # loky restarts workers that grow
def run_trial(job: Job) -> None:
    """Train as a final run is trained; the outcome, without number and settings, goes to the file `job.path`."""
    pin_threads(job.threads)
    started = time.perf_counter()
    heartbeat = Heartbeat(job.heartbeat, job.launcher)
    training, validation = job.parts()
    network = job.network()
    outcome = train(
        network, training, validation, job.recipe, job.seed, on_step=heartbeat.step, on_epoch=heartbeat.epoch
    )
    last = None if outcome.diverged else outcome.epochs[-1]
    TrialRecord(
        number=0,
        seed=job.seed,
        settings={},
        status="diverged" if outcome.diverged else "finished",
        reason=outcome.diverged[:LONGEST_REASON],
        validation_accuracy=last.validation_accuracy if last else None,
        validation_loss=last.validation_loss if last else None,
        seconds=round(time.perf_counter() - started, 3),
    ).save(job.path)
