"""Seeds of one network that a worker trains at once; each leaves the run folder that it would leave alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from linewise.foundations.allocator import leaving_nothing
from linewise.study.along import ghost
from linewise.study.heartbeat import Heartbeat
from linewise.study.job import Job, pin_threads, run_job, write_run
from linewise.training.stack import train_stacked, why_alone


@final
@dataclass(frozen=True, eq=False)
class Group:
    """What a worker gets: one run, or several seeds of one network with one recipe."""

    jobs: tuple[Job, ...]

    @property
    def beats(self) -> tuple[Path, ...]:
        return tuple(job.heartbeat for job in self.jobs)

    def left_undone(self) -> list[Job]:
        """Those without a whole run folder."""
        return [job for job in self.jobs if not job.is_done]


def grouped(jobs: Sequence[Job], most: int, warned: Callable[[str], None]) -> list[Group]:
    """Jobs in groups of at most `most` seeds of one network, in the order of their first.

    Args:
        warned: told which networks are trained one by one, and why, where `most` is more than one.
    """
    by_model: dict[str, list[Job]] = {}
    for job in jobs:
        by_model.setdefault(job.model.label, []).append(job)
    groups: list[tuple[int, Group]] = []
    place = {job.key: i for i, job in enumerate(jobs)}
    alone: dict[str, list[str]] = {}
    for label, of_model in by_model.items():
        first = of_model[0]
        why = why_alone(ghost(first.model, first.data), first.recipe) if most > 1 else ""
        if why:
            alone.setdefault(why, []).append(label)
        size = 1 if why else most
        for start in range(0, len(of_model), size):
            group = Group(tuple(of_model[start : start + size]))
            groups.append((place[group.jobs[0].key], group))
    for why, labels in alone.items():
        warned(f"--seeds-at-once does not act on {', '.join(labels)}: {why}")
    return [group for _, group in sorted(groups, key=lambda entry: entry[0])]


def run_group(group: Group) -> None:
    """Train, evaluate, and leave a whole run folder for each job.

    Seeds that are trained at once have no checkpoints: stopped, they begin anew.
    """
    if len(group.jobs) == 1:
        run_job(group.jobs[0])
    else:
        _run_at_once(group)


@leaving_nothing()  # loky restarts workers that grow
def _run_at_once(group: Group) -> None:
    jobs, first = group.jobs, group.jobs[0]
    pin_threads(first.threads)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    heartbeats = [Heartbeat(job.heartbeat, job.launcher) for job in jobs]
    training, validation = first.parts()
    networks = [job.network() for job in jobs]

    def beat(step: int, steps: int) -> None:
        for heartbeat in heartbeats:
            heartbeat.step(step, steps)

    outcomes = train_stacked(
        networks,
        training,
        validation,
        first.recipe,
        [job.seed for job in jobs],
        on_step=beat,
        on_epoch=lambda place, epoch: heartbeats[place].epoch(epoch),
    )
    for job, network, outcome in zip(jobs, networks, outcomes, strict=True):
        write_run(job, network, outcome, training, validation, started, seeds_at_once=len(jobs))
