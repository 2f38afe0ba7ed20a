"""How time grows with batch, width, steps, images and workers: measured, and drawn beside what is expected.

    python benchmarks/scaling.py [--rounds 5] [--out docs/figures/scaling.png] [--points FILE.json]

One training step (forward, backward, optimiser) of an LSTM, a GRU and the small convolutional network, one thread;
in every round each value has its turn. `images`: one epoch of the training loop over so many images. `workers`: an
epoch of 1,024 images in each of so many single-threaded processes, started together, until the last has ended; the
time should stay the same up to the number of cores, and then grow with the number of processes.

The first four are processor seconds, which other work on the machine hardly touches and which are those of the
clock for one thread on a machine at rest; the workers' are seconds of the clock. Expected of the four: a fixed
cost, plus an element-wise part that grows with the dial itself, plus the multiply-accumulates of the closed forms
(for the width of a recurrent layer D·U + U²), the three rates fitted per line. A point more than a quarter off is
printed as a jump. Points that are in `--points` already are not measured again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls

from linewise.foundations.environment import processor
from linewise.foundations.records import Recipe
from linewise.images.batches import Batches
from linewise.models import Network, create_model
from linewise.models.training_cost import training_macs
from linewise.study.executors import usable_cores
from linewise.study.job import pin_threads
from linewise.training.alternation import Task, alternate, learning

MODELS = {"lstm": {"hidden": 128}, "gru": {"hidden": 128}, "cnn": {"stem": 16, "middle": 48, "last": 96}}
BATCHES, WIDTHS, STEPS = (1, 4, 16, 64, 128, 256, 512), (16, 32, 64, 128, 256), (7, 14, 28, 56, 112)
IMAGES, EACH = (256, 512, 1024, 2048, 4096), 1024
OFF = 0.25
"""Distance from what is expected, as a fraction of it, that is called a jump."""
Point = dict[str, Any]


def step(name: str, batch: int, height: int = 28, **sizes: object) -> tuple[Task, float]:
    """One training step, and its multiply-accumulates."""
    torch.manual_seed(0)
    sizes = {**MODELS[name], **sizes}
    network = create_model(name, num_classes=10, img_size=(height, 28), **sizes)
    return busy(network, images(batch, height), batch), batch * training_macs(network.config)


def busy(network: Network, training: Batches, batch_size: int) -> Task:
    """One pass over the images, in processor seconds; reading the clock of the processor costs nothing here."""
    learn = learning(network, training, Recipe(batch_size=batch_size))

    def task() -> float:
        before = time.process_time()
        learn()
        return time.process_time() - before

    return task


def images(count: int, height: int = 28) -> Batches:
    rng = np.random.default_rng(0)
    return Batches(
        rng.integers(0, 256, (count, height, 28, 1), dtype=np.uint8), np.arange(count) % 10, [0.5], [0.3]
    )


def width_of(name: str, width: int) -> dict[str, int]:
    return {"stem": width // 8, "middle": width // 2, "last": width} if name == "cnn" else {"hidden": width}


def wide(name: str, width: int) -> tuple[Task, float]:
    """One step of a network of this width."""
    return step(name, 128, **width_of(name, width))


def epoch(name: str, count: int) -> tuple[Task, float]:
    """One epoch of the training loop in batches of 128."""
    network = create_model(name, num_classes=10, **MODELS[name])
    return busy(network, images(count), 128), count * training_macs(network.config)


def in_turns(
    dial: str, values: tuple[int, ...], make: Callable[[str, int], tuple[Task, float]], rounds: int
) -> list:
    points = []
    for name in MODELS:
        if name == "cnn" and dial == "steps":
            continue  # it does not step
        made = [make(name, value) for value in values]
        turns = alternate([task for task, _ in made], rounds=rounds, at_least_s=0.02)
        for value, (_, macs), seconds in zip(values, made, turns, strict=True):
            points.append(point(dial, name, value, seconds, macs))
    return points


def _worker(number: int, rounds: int, ready: Barrier, ended: SimpleQueue) -> None:
    pin_threads(1)
    for name in MODELS:
        task, _ = epoch(name, EACH)
        task()
        for _ in range(rounds):
            for count in range(1, ready.parties):
                ready.wait()
                if number < count:
                    task()
                ended.put(time.perf_counter() if number < count else 0.0)


def side_by_side(rounds: int) -> list[Point]:
    """An epoch in one process and more, up to twice the cores, in turns; until the last has ended."""
    context, most = multiprocessing.get_context("spawn"), 2 * usable_cores()
    ready, ended = context.Barrier(most + 1), context.SimpleQueue()
    workers = [context.Process(target=_worker, args=(n, rounds, ready, ended)) for n in range(most)]
    for worker in workers:
        worker.start()
    times: dict[tuple[str, int], list[float]] = {}
    for name in MODELS:
        for _ in range(rounds):
            for count in range(1, most + 1):
                ready.wait()
                started = time.perf_counter()
                last = max(ended.get() for _ in workers)
                times.setdefault((name, count), []).append(last - started)
    for worker in workers:
        worker.join()
    return [
        point("workers", name, count, seconds, macs=max(1.0, count / usable_cores()))
        for (name, count), seconds in times.items()
    ]


def point(dial: str, name: str, value: int, seconds: list[float], macs: float) -> Point:
    low, middle, high = statistics.quantiles(seconds, n=4)
    return {"dial": dial, "network": name, "value": value, "s": middle, "low": low, "high": high, "macs": macs}


def expect(points: list[Point]) -> None:
    """Add to each point what is expected of it, seconds."""
    lines: dict[tuple[str, str], list[Point]] = {}
    for p in points:
        lines.setdefault((p["dial"], p["network"]), []).append(p)
    for (dial, _), line in lines.items():
        measured = np.array([p["s"] for p in line])
        if dial == "workers":
            told = np.array([p["macs"] for p in line]) * measured[0]
        else:
            terms = np.array([[1.0, p["value"], p["macs"]] for p in line])
            terms /= terms.max(axis=0)
            rates, _ = nnls(terms / measured[:, None], np.ones(len(line)))  # relative errors count alike
            told = terms @ rates
        for p, expected in zip(line, told, strict=True):
            p["expected"] = float(expected)


def jumps(points: list[Point]) -> list[str]:
    """Where the time is not as expected, in words."""
    return [
        f"{p['network']}, {p['dial']} {p['value']}: {p['s']:.3g} s, {p['s'] / p['expected'] - 1:+.0%} of the "
        f"{p['expected']:.3g} s expected"
        for p in points
        if abs(p["s"] / p["expected"] - 1) > OFF
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/scaling.png"))
    parser.add_argument("--points", type=Path, help="Keep the figures here, or draw those that are there.")
    chosen = parser.parse_args()
    known = chosen.points and chosen.points.exists()
    points: list[Point] = json.loads(chosen.points.read_text()) if known else []
    pin_threads(1)
    dials: dict[str, Callable[[], list[Point]]] = {
        "batch": lambda: in_turns("batch", BATCHES, step, chosen.rounds),
        "width": lambda: in_turns("width", WIDTHS, wide, chosen.rounds),
        "steps": lambda: in_turns("steps", STEPS, lambda n, t: step(n, 128, height=t), chosen.rounds),
        "images": lambda: in_turns("images", IMAGES, epoch, chosen.rounds),
        "workers": lambda: side_by_side(chosen.rounds),
    }
    for dial, measure in dials.items():
        if dial not in {point["dial"] for point in points}:
            points += measure()
            if chosen.points:
                chosen.points.write_text(json.dumps(points))
    from scaling_chart import draw

    expect(points)
    draw(points, chosen.out)
    print(f"{processor()}, {os.cpu_count()} cores, torch {torch.__version__}; n = {chosen.rounds} rounds")
    for line in jumps(points):
        print(f"- {line}")


if __name__ == "__main__":
    main()
