"""The checkpoints of a run in its folder, and what decides whether they are its own."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from linewise.foundations.interrupts import STOP
from linewise.study.heartbeat import Heartbeat
from linewise.training.checkpoints import Checkpoints
from linewise.training.keeping import Diligent

if TYPE_CHECKING:
    from linewise.study.job import Job

CHECKPOINT = "checkpoint"
"""The folder in a run's folder, while the run goes on."""


def keeper_of(job: Job, heartbeat: Heartbeat, started: str) -> Diligent:
    """Who keeps the checkpoints of a run; `started` is for one that has none yet."""
    return Diligent(
        checkpoints_of(job, started), STOP, every_s=job.checkpoint_s, warned=heartbeat.warn,
        begun=heartbeat.begin_at, rests=heartbeat.rest,
    )  # fmt: skip


def checkpoints_of(job: Job, started: str) -> Checkpoints:
    """The checkpoints of a run."""
    return Checkpoints(job.path / CHECKPOINT, digest(job), job.environment(), started)


def digest(job: Job) -> str:
    """Of all that decides a run, apart from where it is computed."""
    decides = {
        "model": job.model.model_dump(include={"name", "sizes"}),
        "seed": job.seed,
        "recipe": job.recipe.model_dump(),
        "data": job.data.model_dump(include={"fingerprint", "shape", "class_names", "preprocessing"}),
        "origin": job.origin.model_dump(include={"epochs", "sha256"}) if job.origin else None,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
