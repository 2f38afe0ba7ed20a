"""The least time that the nine models of `study_speed.py` can take on this processor, by operations alone.

    python benchmarks/study_bound.py [--epochs 5] [--images 40000] [--seeds 3] [--rounds 7]

Counts the multiply-accumulates of training (forward, backward) of every network by closed forms and divides them
by the best rate that any library reaches here on all cores (`linewise bench`: the faster of a large matrix product
and a 3×3 convolution, float32): no gate, no normalisation, no optimiser, no evaluation, no process to start.
Beside it: what the same training takes at the rate of each network.
"""

from __future__ import annotations

import argparse
import statistics

from linewise.foundations.bench import TRAIN
from linewise.study.bench import bench
from linewise.study.executors import usable_cores

MODELS = ("lstm", "gru", "plaincnn")


def main() -> None:
    parser = argparse.ArgumentParser(description="See the top of the file.")
    for name, default in (("epochs", 5), ("images", 40_000), ("seeds", 3), ("rounds", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    cores, passes = usable_cores(), chosen.seeds * chosen.epochs * chosen.images
    found = bench(MODELS, budget=80_000, match="params", rounds=chosen.rounds)
    best = max(p.flops / statistics.median(p.seconds) for p in found.probes if p.threads == cores)
    env, rate = found.environment, f"best rate {best / 1e9:.0f} GFLOP/s"
    print(f"{env.processor}, {cores} cores, torch {env.torch}, n = {chosen.rounds}; {rate}")
    print(f"{chosen.seeds} seeds, {chosen.epochs} epochs, {chosen.images:,} images\n")
    print("| network | TFLOP of training | at the best rate, s | at its own, s |\n|---|--:|--:|--:|")
    total = [0.0, 0.0, 0.0]
    for timed in found.networks:
        if timed.layers == "torch":
            continue
        work = timed.work[TRAIN]
        flops = 2 * timed.training_macs * passes
        own_s = statistics.median(work.seconds) / work.images * passes / cores
        row = [flops / 1e12, flops / best, own_s]
        total = [a + b for a, b in zip(total, row, strict=True)]
        print(f"| {timed.model.label} | {row[0]:.1f} | {row[1]:.1f} | {row[2]:.1f} |")
    print(f"| all | {total[0]:.1f} | {total[1]:.1f} | {total[2]:.1f} |")


if __name__ == "__main__":
    main()
