"""The part of study_speed.py that can be measured in minutes: one epoch, model by model, against each rival.

    python benchmarks/epoch_speed.py [--rounds 3] [--images 40000] [--rivals tutorial-64,keras]
        [--keras-python ENV/bin/python] [--rival-threads N] [--write benchmarks/LEADERBOARD.md]

In every round, for each model, each rival trains one epoch (Keras two: the first has the compilation in it), and
as many single-threaded runs of Linewise as the machine has cores train one side by side; one of these costs its
seconds divided by their number. The order is turned round each time. Not in it: start, checks, evaluation, timing,
report.

Where the machine has other work, seconds of the clock say little: `--processor` counts processor seconds, those of
Linewise divided by the cores, those of the tutorial loop on one thread as they are X
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from linewise.foundations.environment import environment
from linewise.foundations.leaderboard import keep
from linewise.kernels import described
from linewise.study.executors import usable_cores
from study_speed import HERE, MODELS, one_model, told


def side_by_side(model: str, number: int, chosen: argparse.Namespace) -> float:
    """Seconds of one epoch of one run, of as many side by side as there are cores."""
    count = 1 if chosen.processor else usable_cores()
    command = [
        sys.executable,
        HERE / "rivals" / "linewise_epoch.py",
        model,
        "--epochs",
        1,
        "--images",
        chosen.images,
    ]
    started = [
        subprocess.Popen(
            [*map(str, command), "--seed", f"{number * count + i}"], stdout=subprocess.PIPE, text=True
        )
        for i in range(count)
    ]
    said = [json.loads(process.communicate()[0]) for process in started]
    return statistics.mean(found[_clock(chosen)][-1] for found in said) / usable_cores()


def _clock(chosen: argparse.Namespace) -> str:
    return "epochs_cpu_s" if chosen.processor else "epochs_s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--rivals", default="tutorial-64,keras")
    parser.add_argument("--rival-threads", type=int, default=0, help="OMP_NUM_THREADS of the rivals; 0: not set.")
    parser.add_argument("--keras-python", default="python", help="Of an environment with keras and jax.")
    parser.add_argument(
        "--processor", action="store_true", help="Processor seconds: on a machine with other work."
    )
    parser.add_argument("--write", type=Path, help="Keep the table in this file too.")
    chosen = parser.parse_args()
    if chosen.processor:
        chosen.rival_threads = 1
    sides, loads = ["linewise", *filter(None, chosen.rivals.split(","))], []
    times: dict[tuple[str, str], list[float]] = {(side, model): [] for side in sides for model in MODELS}
    for number in range(chosen.rounds):
        loads.append(os.getloadavg()[0])
        for model in MODELS:
            for side in sides if number % 2 else sides[::-1]:
                if side == "linewise":
                    took_s = side_by_side(model, number, chosen)
                else:
                    epochs = 2 if side == "keras" else 1
                    took_s = one_model(side, model, number, epochs, chosen)[_clock(chosen)][-1]
                    took_s /= usable_cores() if chosen.processor and side == "keras" else 1
                times[side, model].append(took_s)
                print(f"round {number + 1}, {model}, {side}: {took_s:.2f} s", file=sys.stderr, flush=True)
    env = environment(0, kernels=described())
    lines = [
        f"{env.processor}, {env.cores} cores, torch {env.torch}; {chosen.images:,} images of MNIST, about 80,000 "
        f"parameters, one epoch; n = {chosen.rounds} rounds in alternation, median (range); load of the machine "
        f"before each: {', '.join(f'{load:.1f}' for load in loads)}. "
        + (
            "Processor seconds: those of Linewise (one single-threaded run) and of Keras divided by the "
            f"{usable_cores()} cores, as though nothing were lost side by side; those of the tutorial loop on "
            "one thread."
            if chosen.processor
            else f"Linewise: {usable_cores()} single-threaded runs side by side, seconds of one divided by their "
            "number."
        )
        + (f" Rivals with OMP_NUM_THREADS={chosen.rival_threads}." if chosen.rival_threads else ""),
        "",
        "| | " + " | ".join(f"{model}, s | ÷ linewise" for model in MODELS) + " | all three ÷ linewise |",
        "|---" + "|--:" * (2 * len(MODELS) + 1) + "|",
    ]
    for side in sides:
        cells, sums = [], [sum(times[side, m][n] for m in MODELS) for n in range(chosen.rounds)]
        for model in MODELS:
            ratios = [a / b for a, b in zip(times[side, model], times["linewise", model], strict=True)]
            cells += [told(times[side, model], ".1f"), told(ratios)]
        ours = [sum(times["linewise", m][n] for m in MODELS) for n in range(chosen.rounds)]
        cells.append(told([a / b for a, b in zip(sums, ours, strict=True)]))
        lines.append(f"| {side} | " + " | ".join(cells) + " |")
    text = "\n".join(lines) + "\n"
    print(text)
    if chosen.write:
        date = datetime.now(UTC).date().isoformat()
        keep(chosen.write, f"{date}, {env.processor}, {env.cores} cores: one epoch beside rivals", text)


if __name__ == "__main__":
    main()
