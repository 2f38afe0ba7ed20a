"""Pixel by pixel, 784 steps: training steps of linear recurrences against torch's layers of the same width.

    python benchmarks/recurrences.py [--rounds 7] [--images 256] [--hidden 128] [--cells mingru,lru,...]

One layer over the pixels of 28×28 images, the mean over steps, a linear classifier; a turn is an epoch over
`--images` images in batches of 128: forward, backward, AdamW. One thread. In every round each cell has its turn,
in an order that moves on by one, so that a drifting machine hits all alike. Printed: the median over rounds of the
time of `lstm` divided by that of the cell, with quartiles. Also: the same step with and without
`keep_freed_memory`, in alternation.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import torch
import torch.nn.functional as F

from linewise.foundations.allocator import keep_freed_memory
from linewise.foundations.environment import processor
from linewise.models import Network, create_model

CELLS = "lstm,gru,irnn,mingru,minlstm,lru,rglru,mlstm"
BATCH = 128


def epoch(network: Network, x_BCHW: torch.Tensor, y_B: torch.Tensor) -> float:
    """Seconds for one pass over the images."""
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    started = time.perf_counter()
    for x, y in zip(x_BCHW.split(BATCH), y_B.split(BATCH), strict=True):
        optimiser.zero_grad()
        F.cross_entropy(network(x), y).backward()
        optimiser.step()
    return time.perf_counter() - started


def quartiles(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:5.2f} (quartiles {low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--cells", default=CELLS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    kept = keep_freed_memory()
    names = list(dict.fromkeys(["lstm", *chosen.cells.split(",")]))
    sizes = {"hidden": chosen.hidden, "layers": 1, "body": "plain", "reading": "pixels", "readout": "mean"}
    networks = {name: create_model(name, num_classes=10, **sizes) for name in names}
    x_BCHW, y_B = torch.rand(chosen.images, 1, 28, 28), torch.randint(0, 10, (chosen.images,))
    for network in networks.values():
        epoch(network, x_BCHW[:BATCH], y_B[:BATCH])  # warm-up
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(chosen.rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            times[name].append(epoch(networks[name], x_BCHW, y_B))
    print(f"{processor()}, {os.cpu_count()} cores, 1 thread, torch {torch.__version__}, freed memory kept: {kept}")
    print(f"784 steps, width {chosen.hidden}, {chosen.images} images an epoch, batch {BATCH}, n = {chosen.rounds}")
    for name in names:
        ratios = [a / b for a, b in zip(times["lstm"], times[name], strict=True)]
        print(
            f"{name:8} lstm takes {quartiles(ratios)} times as long; median {statistics.median(times[name]):.2f} s"
        )
    gains: dict[str, list[float]] = {"lstm": [], "mingru": []}
    for _ in range(chosen.rounds):
        for name in gains.keys() & networks.keys():
            turns = {}
            for keep in (True, False):
                keep_freed_memory(keep)
                epoch(networks[name], x_BCHW[:BATCH], y_B[:BATCH])
                turns[keep] = epoch(networks[name], x_BCHW, y_B)
            gains[name].append(turns[False] / turns[True])
    for name, ratios in gains.items():
        if ratios:
            print(f"{name:8} without kept memory takes {quartiles(ratios)} times as long")


if __name__ == "__main__":
    main()
