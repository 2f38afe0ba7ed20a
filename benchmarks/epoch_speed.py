"""The part of study_speed.py that can be measured in minutes: one epoch, model by model, against each rival.

    python benchmarks/epoch_speed.py [--rounds 3] [--images 40000] [--rivals tutorial-64,keras]
        [--keras-python ENV/bin/python] [--rival-threads N] [--write benchmarks/LEADERBOARD.md]

In every round, for each model, each rival trains one epoch (Keras two: the first has the compilation in it), and
as many single-threaded `linewise train` as the machine has cores train one side by side; one of these costs its
seconds divided by their number. The order is turned round each time. Not in it: start, checks, evaluation, timing,
report.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from linewise.foundations.environment import environment
from linewise.foundations.leaderboard import keep
from linewise.foundations.records import RunRecord
from linewise.study.executors import usable_cores
from study_speed import MODELS, one_model, told


def side_by_side(model: str, images: int) -> float:
    """Seconds of one epoch of one run, of as many side by side as there are cores."""
    count = usable_cores()
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for seed in range(count):
            command = [sys.executable, "-m", "linewise", "train", "mnist", "--model", model, "--budget", "80k"]
            command += ["--images", str(images), "--epochs", "1", "--seed", str(seed), "--out", f"{folder}/{seed}"]
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        if any(process.wait() for process in started):
            raise SystemExit(f"linewise train mnist --model {model} failed")
        times = [RunRecord.load(Path(folder) / str(seed) / "run.json").times for seed in range(count)]
    return statistics.mean(t.train_s for t in times if t) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--rivals", default="tutorial-64,keras")
    parser.add_argument("--rival-threads", type=int, default=0, help="OMP_NUM_THREADS of the rivals; 0: not set.")
    parser.add_argument("--keras-python", default="python", help="Of an environment with keras and jax.")
    parser.add_argument("--write", type=Path, help="Keep the table in this file too.")
    chosen = parser.parse_args()
    sides, loads = ["linewise", *filter(None, chosen.rivals.split(","))], []
    times: dict[tuple[str, str], list[float]] = {(side, model): [] for side in sides for model in MODELS}
    for number in range(chosen.rounds):
        loads.append(os.getloadavg()[0])
        for model in MODELS:
            for side in sides if number % 2 else sides[::-1]:
                if side == "linewise":
                    took_s = side_by_side(model, chosen.images)
                else:
                    took_s = one_model(side, model, number, 2 if side == "keras" else 1, chosen)["epochs_s"][-1]
                times[side, model].append(took_s)
                print(f"round {number + 1}, {model}, {side}: {took_s:.2f} s", file=sys.stderr, flush=True)
    env = environment(0)
    lines = [
        f"{env.processor}, {env.cores} cores, torch {env.torch}; {chosen.images:,} images of MNIST, about 80,000 "
        f"parameters, one epoch; n = {chosen.rounds} rounds in alternation, median (range); load of the machine "
        f"before each: {', '.join(f'{load:.1f}' for load in loads)}. Linewise: {usable_cores()} single-threaded "
        f"runs side by side, seconds of one divided by their number."
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
