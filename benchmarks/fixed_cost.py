"""What a study takes besides training: `linewise compare` on few images, phase by phase.

    python benchmarks/fixed_cost.py [--rounds 3] [--images 2000] [--seeds 3] [--epochs 1] [--before OTHER/src]

Each round runs the command in a fresh process and folder; `--before` names the sources of another version, which
has its turn in every round, in an order that is swapped each time. The machine should be quiet. Phases are read
from what the command says and from the times of its files:

    start           until the runs are planned: imports, images, widths
    around training until the test set is opened, less training itself: workers, evaluation, files, waiting
    test            answers on the test images, and the speed of each network
    report          pictures, films, page and figures
    end             the table, the sentence and leaving

Training itself is the sum of the seconds in the runs' records, divided by the workers; fixed is all else.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from linewise.foundations.environment import processor
from linewise.foundations.folder import StudyFolder
from linewise.study.executors import usable_cores

PHASES = ("start", "around training", "test", "report", "end", "fixed", "training itself", "whole", "processor s")


def turn(source: str, chosen: argparse.Namespace) -> dict[str, float]:
    """Seconds of each phase of one study."""
    with tempfile.TemporaryDirectory() as name:
        study = Path(name) / "study"
        command = [sys.executable, "-m", "linewise", "compare", "mnist", "--images", chosen.images]
        command += ["--models", chosen.models, "--budget", "80k", "--seeds", chosen.seeds]
        command += ["--epochs", chosen.epochs, "--out", study]
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.time()
        said = subprocess.Popen(
            [*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": source},
        )  # fmt: skip
        planned = opened = began
        assert said.stderr is not None
        for line in said.stderr:
            planned = time.time() if " runs: " in line or " run: " in line else planned
            opened = time.time() if line.startswith("opening the test set") else opened
        if said.wait():
            raise SystemExit(f"the study failed: exit {said.returncode}")
        ended = time.time()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        folder = StudyFolder(study)
        tested, reported = (path.stat().st_mtime for path in (folder.speed_path, study / "report" / "index.html"))
        runs = [run.record for run in folder.runs()]
    own = sum(run.times.train_s for run in runs if run.times) / min(len(runs), usable_cores())
    seconds = [planned - began, opened - planned - own, tested - opened, reported - tested, ended - reported]
    processor_s = used.ru_utime + used.ru_stime - spent.ru_utime - spent.ru_stime
    return dict(zip(PHASES, [*seconds, ended - began - own, own, ended - began, processor_s], strict=True))


def told(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--models", default="lstm,gru,cnn")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--before", help="Sources of another version, its `src` folder.")
    chosen = parser.parse_args()
    now = str(Path(__file__).parents[1] / "src")
    sources = {"before": chosen.before, "now": now} if chosen.before else {"now": now}
    turns: dict[str, list[dict[str, float]]] = {side: [] for side in sources}
    loads: list[float] = []
    for number in range(chosen.rounds):
        loads.append(os.getloadavg()[0])
        for side in list(sources)[:: 1 if number % 2 else -1]:
            turns[side].append(turn(sources[side], chosen))
            print(side, {k: round(v, 1) for k, v in turns[side][-1].items()}, file=sys.stderr, flush=True)
    print(
        f"{processor()}, {usable_cores()} cores; {chosen.images:,} images of MNIST, {chosen.models}, "
        f"{chosen.seeds} seeds, {chosen.epochs} epochs; seconds, median (range) of n = {chosen.rounds} rounds; "
        f"load before each: {', '.join(f'{load:.1f}' for load in loads)}.\n"
    )
    ratio = ["now ÷ before"] if chosen.before else []
    print(f"| phase | {' | '.join([*sources, *ratio])} |\n|---{'|--:' * (len(sources) + len(ratio))}|")
    for phase in PHASES:
        cells = [told([t[phase] for t in turns[side]]) for side in sources]
        if chosen.before:
            pairs = zip(turns["now"], turns["before"], strict=True)
            ratios = [a[phase] / b[phase] for a, b in pairs]
            cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"| {phase} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
