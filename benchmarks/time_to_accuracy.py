"""How soon an LSTM on rows reaches 98.5 % of MNIST's test images: Linewise and the tutorial loop.

    python benchmarks/time_to_accuracy.py [--rounds 10] [--until 0.985] [--at-most 15] [--threads N]
        [--rival-threads N] [--first-seed 100] [--write benchmarks/LEADERBOARD.md]

In every round each side trains one fresh seed in a process of its own, alone on the machine, in an order that is
turned round each time. The tutorial loop (`rivals/tutorial.py`, batches of 64) is tested after each epoch, in time
that is not counted, and ends with the first epoch that reaches the accuracy: no run of it could have been stopped
better. Linewise trains by `linewise train` for a number of epochs that was fixed beforehand on validation images,
and is tested once, by `linewise evaluate`. A seed that misses is counted as missed and costs its time all the
same: further seeds are trained until one reaches the accuracy (at most five), and all their seconds are those of
this round. A tutorial run that has not reached it after `--at-most` epochs counts with the time that it has had,
which is too little.

Both train on 40,000 images; the tutorial loop on the first ones, Linewise on a balanced choice, with 10,000 others
for validation. Printed as Markdown: seeds that reached it, seconds of training (tests and validation left out) and
of the whole process (tests left out), the ratio of medians with the 95 % interval of a bootstrap over rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from linewise.analysis.intervals import wilson
from linewise.foundations.environment import environment
from linewise.foundations.leaderboard import keep
from linewise.foundations.records import RunRecord
from linewise.kernels import described
from linewise.study.executors import usable_cores

HERE = Path(__file__).parent
RECIPE = (
    "--model lstm:hidden=80:readout=last-mean --epochs 3 --batch-size 64 --augment shift=1 --weight-decay 0.15 "
    "--lr 0.01 --rise 0.1 --fall linear --betas 0.8,0.9"
)
MOST_TRIES = 5
TEST_IMAGES = 10_000


@dataclass(frozen=True)
class Turn:
    """One seed, or one round's seeds, of one side.

    Attributes:
        train_s: training alone.
        whole_s: from the start of the process to its end, tests left out.
        accuracies: at the end, of each seed that was trained.
        epochs: that were trained.
        reached: whether the last of them did.
    """

    train_s: float
    whole_s: float
    accuracies: list[float]
    epochs: int
    reached: bool


def tutorial(seed: int, chosen: argparse.Namespace) -> Turn:
    """The tutorial loop, stopped by its test accuracy."""
    env = {key: value for key, value in os.environ.items() if key not in ("OMP_NUM_THREADS", "PYTHONPATH")}
    if chosen.rival_threads:
        env["OMP_NUM_THREADS"] = str(chosen.rival_threads)
    command = [sys.executable, HERE / "rivals" / "tutorial.py", "lstm", "--seed", seed, "--images", chosen.images]
    command += ["--until", chosen.until, "--at-most", chosen.at_most]
    started = time.perf_counter()
    said = subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, text=True, env=env)
    whole_s = time.perf_counter() - started
    found = json.loads(said.stdout.splitlines()[-1])
    accuracy = found["test_accuracy"]
    whole_s -= sum(found["tests_s"])
    return Turn(sum(found["epochs_s"]), whole_s, [accuracy], len(found["epochs_s"]), accuracy >= chosen.until)


def linewise(seed: int, chosen: argparse.Namespace) -> Turn:
    """The command as a user types it, and one opening of the test set."""
    env = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        ours = [sys.executable, "-m", "linewise"]
        command = [*ours, "train", "mnist", "--images", chosen.images, "--validation", 10_000]
        command += [*chosen.recipe.split(), "--threads", chosen.threads, "--seed", seed, "--out", run]
        started = time.perf_counter()
        subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL, env=env)
        whole_s = time.perf_counter() - started
        record = RunRecord.load(run / "run.json")
        command = [*ours, "evaluate", run, "--data", "mnist", "--json"]
        said = subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, text=True, env=env)
    accuracy, train_s = json.loads(said.stdout)["accuracy"], record.times.train_s if record.times else whole_s
    return Turn(train_s, whole_s, [accuracy], record.recipe.epochs, accuracy >= chosen.until)


def round_of_linewise(seed: int, chosen: argparse.Namespace) -> Turn:
    """Seeds until one reaches the accuracy; the seconds of all of them."""
    turns: list[Turn] = []
    while len(turns) < MOST_TRIES and not (turns and turns[-1].reached):
        turns.append(linewise(seed + 10_000 * len(turns), chosen))
    return Turn(
        sum(turn.train_s for turn in turns),
        sum(turn.whole_s for turn in turns),
        [turn.accuracies[0] for turn in turns],
        turns[0].epochs,
        turns[-1].reached,
    )


def ratio(theirs: list[float], ours: list[float]) -> str:
    """Ratio of medians and its 95 % interval: percentiles of a bootstrap that draws whole rounds."""
    a, b = np.array(theirs), np.array(ours)
    drawn = np.random.default_rng(0).integers(len(a), size=(10_000, len(a)))
    low, high = np.percentile(np.median(a[drawn], axis=1) / np.median(b[drawn], axis=1), [2.5, 97.5])
    return f"{np.median(a) / np.median(b):.2f} ({low:.2f} to {high:.2f})"


def told(values: list[float], form: str = ".1f") -> str:
    """Median and range."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def row(name: str, turns: list[Turn], until: float) -> str:
    accuracies = [accuracy for turn in turns for accuracy in turn.accuracies]
    reached, mean = sum(accuracy >= until for accuracy in accuracies), statistics.mean(accuracies)
    share, images = wilson(reached, len(accuracies)), wilson(mean * TEST_IMAGES, TEST_IMAGES)
    cells = [
        name,
        f"{reached} of {len(accuracies)} ({share[0]:.0%} to {share[1]:.0%})",
        told([turn.epochs for turn in turns], ".0f"),
        told([turn.train_s for turn in turns]),
        told([turn.whole_s for turn in turns]),
        f"{mean:.2%} ({images[0]:.2%} to {images[1]:.2%})",
        f"{min(accuracies):.2%} to {max(accuracies):.2%}",
    ]
    return "| " + " | ".join(cells) + " |"


def table(turns: dict[str, list[Turn]], chosen: argparse.Namespace, loads: list[float]) -> str:
    """The result as Markdown."""
    env = environment(0, kernels=described())
    theirs, ours = turns["tutorial"], turns["linewise"]
    lines = [
        f"{env.processor}, {env.cores} cores ({usable_cores()} usable), torch {env.torch}; LSTM on rows, "
        f"{chosen.images:,} training images of MNIST, to {chosen.until:.1%} of the test images. n = {len(ours)} "
        f"rounds in alternation, one fresh seed a side; load of the machine before each: "
        f"{', '.join(f'{load:.1f}' for load in loads)}.",
        "",
        "| | seeds that reached it | epochs | training, s | whole process, s | test accuracy, mean | of seeds |",
        "|---|--:|--:|--:|--:|--:|--:|",
        row("tutorial loop, stopped when it is there", theirs, chosen.until),
        row(f"Linewise, {chosen.threads} thread{'s'[: chosen.threads > 1]}", ours, chosen.until),
        "",
        "The tutorial loop takes "
        f"{ratio([t.train_s for t in theirs], [t.train_s for t in ours])} times as long in training and "
        f"{ratio([t.whole_s for t in theirs], [t.whole_s for t in ours])} times as a whole process: ratio of "
        "medians, 95 % interval of a bootstrap over rounds.",
        "",
        "Seconds and epochs: median (range). Seeds that reached it: 95 % interval of Wilson over seeds; test "
        "accuracy: that over the 10,000 test images. Linewise's seconds contain those of seeds that missed. The "
        "tutorial loop was tested after each epoch and stopped at the first that reached it, Linewise had a fixed "
        f"number of epochs and one test: `linewise train mnist --images {chosen.images} --validation 10000 "
        f"{chosen.recipe} --threads {chosen.threads}`."
        + (f" The rival ran with OMP_NUM_THREADS={chosen.rival_threads}." if chosen.rival_threads else ""),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--until", type=float, default=0.985)
    parser.add_argument("--at-most", type=int, default=15, help="Epochs of the tutorial loop.")
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--threads", type=int, default=usable_cores(), help="Of Linewise.")
    parser.add_argument("--rival-threads", type=int, default=0, help="OMP_NUM_THREADS of the rival; 0: not set.")
    parser.add_argument("--recipe", default=RECIPE, help="Options of `linewise train`.")
    parser.add_argument("--first-seed", type=int, default=100, help="None of the search's seeds.")
    parser.add_argument("--write", type=Path, help="Keep the table in this file too.")
    chosen = parser.parse_args()
    turns: dict[str, list[Turn]] = {"tutorial": [], "linewise": []}
    loads: list[float] = []
    for number in range(chosen.rounds):
        loads.append(os.getloadavg()[0])
        for side in list(turns) if number % 2 else list(turns)[::-1]:
            take = tutorial if side == "tutorial" else round_of_linewise
            turns[side].append(turn := take(chosen.first_seed + number, chosen))
            print(f"round {number + 1}, {side}: {turn}", file=sys.stderr, flush=True)
    text = table(turns, chosen, loads)
    print(text)
    if chosen.write:
        env, date = environment(0, kernels=described()), datetime.now(UTC).date().isoformat()
        keep(
            chosen.write, f"{date}, {env.processor}, {env.cores} cores: time to {chosen.until:.1%} on MNIST", text
        )


if __name__ == "__main__":
    main()
