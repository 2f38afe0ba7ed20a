"""How much faster ranks train one network than one process does: python benchmarks/torchrun.py

Each round trains every network once in each way, one after the other, on scikit-learn's digits at 32×32 pixels;
the second epoch counts, as `epochs.csv` has it. Ratios are within a round, so a machine that drifts hits both.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

NETWORKS = {
    "lstm:hidden=128": "lstm, 128 units",
    "lstm:hidden=512": "lstm, 512 units",
    "cnn": "cnn",
    "sequencer2d_tiny": "sequencer2d_tiny",
}
WAYS = {
    "1 process × 2 threads": (None, 2),
    "1 rank × 1 thread": (1, 1),
    "2 ranks × 1 thread": (2, 1),
}
BEFORE = ("1 process × 2 threads", "1 rank × 1 thread")
NEW = "2 ranks × 1 thread"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--models", default=",".join(NETWORKS))
    chosen = parser.parse_args()
    rates_of = " | ".join(f"{way}, images/s" for way in WAYS)
    print(f"| network | {rates_of} | 2 ranks ÷ 1 process | 2 ranks ÷ 1 rank |")
    print("|---|" + "---|" * (len(WAYS) + 2))
    for model in chosen.models.split(","):
        rates: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(chosen.rounds):
            for way, (ranks, threads) in WAYS.items():
                rates[way].append(rate(model, ranks, threads, chosen.batch_size))
        ratios = [[new / old for new, old in zip(rates[NEW], rates[way], strict=True)] for way in BEFORE]
        cells = [f"{statistics.median(rates[way]):,.0f}" for way in WAYS] + [spread(r) for r in ratios]
        print(f"| {NETWORKS.get(model, model)} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nMedians and quartiles, n = {chosen.rounds} rounds, batches of {chosen.batch_size}.")


def rate(model: str, ranks: int | None, threads: int, batch_size: int) -> float:
    """Images per second in the second epoch."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"] if ranks else []
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "run"
        options = ["--model", model, "--size", "32", "--epochs", "2", "--batch-size", str(batch_size)]
        command = [sys.executable, *launcher, "-m", "linewise", "train", "digits", *options]
        command += ["--threads", str(threads), "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        with (out / "epochs.csv").open(newline="") as file:
            seconds = float(list(csv.DictReader(file))[1]["train_s"])
    return 1150 / seconds


def spread(ratios: list[float]) -> str:
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
