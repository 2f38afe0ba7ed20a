"""What a run costs more as a task of Ray than in a worker process, and what a second Ray worker gains.

    python benchmarks/ray_overhead.py [--rounds 5] [--epochs 5] [--runs 4] [--model lstm]

Ray is begun on this machine. In every round the same runs (digits, one seed each) are trained one after another
by a worker process, one after another as tasks of Ray, and by Ray two at a time, in an order that is turned
round each time. Workers are loaded before. Printed: medians with quartiles over the rounds, of paired
differences and ratios, as Markdown.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from linewise.foundations.environment import environment
from linewise.images import ImageSet, load
from linewise.kernels import described
from linewise.study.cluster.executor import RayTasks
from linewise.study.cluster.place import parse_place
from linewise.study.config import make_config, make_spec
from linewise.study.executors import Executor, WorkerProcesses, usable_cores
from linewise.study.job import Job, share
from linewise.study.together import Group, run_group

SIDES = ("worker process", "Ray, one at a time", "Ray, two at a time")


def jobs_of(images: ImageSet, chosen: argparse.Namespace, folder: Path) -> list[Group]:
    """The runs of one turn, in folders that are not there yet."""
    config = make_config(models=[chosen.model], seeds=chosen.runs, epochs=chosen.epochs)
    spec = make_spec(config, images.record, "")
    parts = share(images.train, folder, "train"), share(images.validation, folder, "validation")
    (model,) = spec.models
    return [
        Group((Job(model, seed, spec.recipe, spec.data, *parts, 1, folder / f"{seed}", folder / f"{seed}.json"),))
        for seed in spec.seeds
    ]


def turn(executor: Executor, images: ImageSet, chosen: argparse.Namespace) -> float:
    """Seconds for all runs of one turn."""
    with tempfile.TemporaryDirectory() as name:
        jobs, failures = jobs_of(images, chosen, Path(name)), list[str]()
        started = time.perf_counter()
        executor.run(run_group, jobs, lambda job, failure: failures.append(failure))
        took_s = time.perf_counter() - started
    if any(failures):
        raise SystemExit(f"a run failed: {failures}")
    return took_s


def row(what: str, values: np.ndarray, form: str) -> str:
    low, middle, high = (format(q, form) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    return f"| {what} | {middle} | {low} to {high} | {len(values)} |"


def table(seconds: dict[str, list[float]], chosen: argparse.Namespace, loads: list[float]) -> str:
    here = environment(1, kernels=described())
    worker, one, two = (np.array(seconds[side]) for side in SIDES)
    lines = [
        f"{here.processor}, {usable_cores()} cores, torch {here.torch}; {chosen.runs} runs of {chosen.model} on "
        f"the digits, {chosen.epochs} epochs each; load of the machine before the rounds {min(loads):.1f} to "
        f"{max(loads):.1f}.",
        "",
        "| | median | quartiles | n |",
        "|---|--:|--:|--:|",
        *(row(f"{side}: s per run", np.array(seconds[side]) / chosen.runs, ".3f") for side in SIDES),
        row("Ray costs more, s per run (paired)", (one - worker) / chosen.runs, ".3f"),
        row("Ray ÷ worker process (paired)", one / worker, ".3f"),
        row("one Ray worker ÷ two (paired)", one / two, ".3f"),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--runs", type=int, default=4, help="of one turn; an even number")
    parser.add_argument("--model", default="lstm")
    chosen = parser.parse_args()
    images = load("digits")
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    loads: list[float] = []
    place = parse_place("ray")
    with WorkerProcesses(1, 1) as worker, RayTasks(place, 1, 1) as one, RayTasks(place, 1, 2) as two:
        executors = dict(zip(SIDES, (worker, one, two), strict=True))
        for executor in executors.values():
            turn(executor, images, chosen)  # loads the workers
        for number in range(chosen.rounds):
            loads.append(os.getloadavg()[0])
            for side in SIDES if number % 2 else SIDES[::-1]:
                seconds[side].append(turn(executors[side], images, chosen))
    print(table(seconds, chosen, loads))


if __name__ == "__main__":
    main()
