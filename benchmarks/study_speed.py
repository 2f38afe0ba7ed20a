"""How long nine models take: `linewise compare` against the same nine trained one after another by a rival.

    python benchmarks/study_speed.py [--rounds 3] [--epochs 5] [--seeds 3] [--rivals tutorial-64,keras]
        [--our-epochs N] [--rival-epochs 2] [--keras-python ENV/bin/python] [--rival-threads N]
        [--write benchmarks/LEADERBOARD.md]

All train the same networks, of the same sizes but for a unit or two. In every round the rivals and Linewise have
their turn, in an order that is turned round each time, so that a drifting machine hits all alike. Linewise's
side is measured whole: the command as typed, with checks, training accuracy, speed of each network, the test and
the report. Of a rival each model is trained once per round, for `--rival-epochs` epochs; its remaining epochs
are taken as long as its later ones, its other seeds as long as this one, and this is printed with the result. A
rival's time is its process from start to end, with one test at the end only. Printed: the median of the paired
ratios with the range over rounds, as Markdown.
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
from typing import Any

from linewise.foundations.environment import environment
from linewise.foundations.folder import StudyFolder
from linewise.foundations.leaderboard import keep
from linewise.kernels import described
from linewise.study.executors import usable_cores

HERE = Path(__file__).parent
MODELS = ("lstm", "gru", "plaincnn")
THEIRS = {"plaincnn": "cnn"}
"""Names of the same networks in the rivals' scripts."""


@dataclass(frozen=True)
class Turn:
    """One side of one round.

    Attributes:
        total_s: for all models and seeds.
        by_model: seconds per epoch of each model; Linewise's with as many runs side by side as there are workers.
        accuracies: test accuracies by model; empty where the rival did not train all epochs.
    """

    total_s: float
    by_model: dict[str, float]
    accuracies: dict[str, list[float]]


def linewise(chosen: argparse.Namespace) -> Turn:
    """The whole command, in a fresh process and folder."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "study"
        command = [sys.executable, "-m", "linewise", "compare", "mnist", "--images", chosen.images]
        command += ["--models", ",".join(MODELS), "--budget", "80k", "--seeds", chosen.seeds]
        epochs = chosen.our_epochs or chosen.epochs
        command += ["--epochs", epochs, "--out", out]
        started = time.perf_counter()
        subprocess.run([*map(str, command)], check=True, capture_output=True)
        total_s = time.perf_counter() - started
        records = [run.record for run in StudyFolder(out).runs()]
    by_model, accuracies = {}, {}
    for name in MODELS:
        mine = [record for record in records if record.model.name == name]
        by_model[name] = statistics.mean(r.times.train_s for r in mine if r.times) / epochs
        accuracies[name] = [r.test_accuracy for r in mine if r.test_accuracy is not None]
    return Turn(total_s, by_model, accuracies)


def one_model(name: str, model: str, seed: int, epochs: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """What a rival's script says of one model, in a process of its own."""
    script, _, batch = name.partition("-")
    python = chosen.keras_python if script == "keras" else sys.executable
    path = HERE / "rivals" / ("keras_jax.py" if script == "keras" else "tutorial.py")
    env = {key: value for key, value in os.environ.items() if key not in ("OMP_NUM_THREADS", "PYTHONPATH")}
    if chosen.rival_threads:
        env["OMP_NUM_THREADS"] = str(chosen.rival_threads)
    command = [
        python,
        path,
        THEIRS.get(model, model),
        "--seed",
        seed,
        "--epochs",
        epochs,
        "--images",
        chosen.images,
    ]
    command += ["--batch-size", batch] if batch else []
    said = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True, env=env)
    return json.loads(said.stdout.splitlines()[-1])


def rival(name: str, seed: int, chosen: argparse.Namespace) -> Turn:
    """Each model once; the other seeds and the epochs that were left out are added by their measured length."""
    epochs, total_s = min(chosen.epochs, chosen.rival_epochs), 0.0
    by_model, accuracies = {}, {}
    for model in MODELS:
        started = time.perf_counter()
        found = one_model(name, model, seed, epochs, chosen)
        took_s = time.perf_counter() - started
        later_s = statistics.median(found["epochs_s"][1:] or found["epochs_s"])
        total_s += chosen.seeds * (took_s + (chosen.epochs - epochs) * later_s)
        by_model[model] = later_s
        accuracies[model] = [found["test_accuracy"]] if epochs == chosen.epochs else []
    return Turn(total_s, by_model, accuracies)


def told(values: list[float], form: str = ".2f") -> str:
    """Median and range."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def accuracy(turns: list[Turn], model: str) -> str:
    """Mean test accuracy over different seeds: Linewise repeats its own in each round, a rival has one a round."""
    seeds = [turn.accuracies.get(model, []) for turn in turns]
    values = seeds[0] if len(seeds[0]) > 1 else [value for of_round in seeds for value in of_round]
    return f"{statistics.mean(values):.2%} (n = {len(values)})" if values else "–"


def table(turns: dict[str, list[Turn]], chosen: argparse.Namespace, loads: list[float]) -> str:
    """The result as Markdown."""
    env, rivals = environment(0, kernels=described()), [name for name in turns if name != "linewise"]
    count, left_out = len(MODELS) * chosen.seeds, chosen.epochs - min(chosen.epochs, chosen.rival_epochs)
    lines = [
        f"{env.processor}, {env.cores} cores ({usable_cores()} usable), torch {env.torch}. {chosen.images:,} "
        f"images of MNIST; {', '.join(MODELS)} of about 80,000 parameters, {chosen.seeds} seeds, {chosen.epochs} "
        f"epochs: {count} models. n = {len(loads)} rounds in alternation; load of the machine before each: "
        f"{', '.join(f'{load:.1f}' for load in loads)}.",
        "",
        "| | all nine, minutes | time ÷ that of `linewise compare` | "
        + " | ".join(f"{m}: s per epoch | test accuracy" for m in MODELS) + " |",
        "|---" + "|--:" * (2 + 2 * len(MODELS)) + "|",
    ]  # fmt: skip
    for name in ("linewise", *rivals):
        pairs = zip(turns[name], turns["linewise"], strict=True)
        ratio = "1" if name == "linewise" else told([a.total_s / b.total_s for a, b in pairs])
        cells = [told([t.total_s / 60 for t in turns[name]], ".1f"), ratio]
        for model in MODELS:
            cells += [told([t.by_model[model] for t in turns[name]], ".1f"), accuracy(turns[name], model)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Median (range over rounds). Linewise was measured whole; its seconds per epoch are of single-threaded "
        "runs side by side. Extrapolated for the rivals: "
        + (f"{left_out} of {chosen.epochs} epochs from the later ones measured, and " if left_out else "")
        + f"{chosen.seeds} seeds from one per round."
        + (f" Linewise trained {chosen.our_epochs} epochs." if chosen.our_epochs else "")
        + (f" Rivals ran with OMP_NUM_THREADS={chosen.rival_threads}." if chosen.rival_threads else ""),
    ]
    return "\n".join(lines).replace("all nine", "all nine" if count == 9 else f"all {count}") + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--our-epochs", type=int, default=0, help="Linewise's, if others: for equal accuracy.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--rivals", default="tutorial-64,keras")
    parser.add_argument("--rival-epochs", type=int, default=2)
    parser.add_argument("--rival-threads", type=int, default=0, help="OMP_NUM_THREADS of the rivals; 0: not set.")
    parser.add_argument("--keras-python", default="python", help="Of an environment with keras and jax.")
    parser.add_argument("--write", type=Path, help="Keep the table in this file too.")
    chosen = parser.parse_args()
    sides = ["linewise", *filter(None, chosen.rivals.split(","))]
    turns: dict[str, list[Turn]] = {side: [] for side in sides}
    loads: list[float] = []
    for number in range(chosen.rounds):
        loads.append(os.getloadavg()[0])
        for side in sides if number % 2 else sides[::-1]:
            turn = linewise(chosen) if side == "linewise" else rival(side, number, chosen)
            turns[side].append(turn)
            print(f"round {number + 1}, {side}: {turn.total_s:.0f} s {turn.by_model}", file=sys.stderr, flush=True)
    text = table(turns, chosen, loads)
    print(text)
    if chosen.write:
        env, date = environment(0, kernels=described()), datetime.now(UTC).date().isoformat()
        keep(
            chosen.write,
            f"{date}, {env.processor}, {env.cores} cores: a study of nine models and its rivals",
            text,
        )


if __name__ == "__main__":
    main()
