"""Pixel by pixel, 784 steps: training steps of linear recurrences against torch's layers of the same width.

    python benchmarks/recurrences.py [--rounds 7] [--images 256] [--hidden 128] [--cells mingru,lru,...]

One layer over the pixels of 28×28 images, the mean over steps, a linear classifier; a turn is an epoch over
`--images` images in batches of 128: forward, backward, AdamW. One thread. In every round each cell has its turn,
in an order that moves on by one, so that a drifting machine hits all alike. Torch's `nn.LSTM` has two turns: with
the help that Linewise gives (freed memory is kept, denormals are flushed), and as a plain script runs it. Printed:
the median over rounds of the time of both divided by that of the cell, with quartiles.
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
from linewise.kernels import described
from linewise.kernels.twins import with_torchs_layers
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
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--cells", default=CELLS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"hidden": chosen.hidden, "layers": 1, "body": "plain", "reading": "pixels", "readout": "mean"}
    networks = {name: create_model(name, num_classes=10, **sizes) for name in chosen.cells.split(",")}
    torchs = create_model("lstm", num_classes=10, **sizes)
    sides = {
        "nn.LSTM": with_torchs_layers(torchs) or torchs,
        "nn.LSTM, plain": with_torchs_layers(torchs) or torchs,
    }
    sides |= networks
    x_BCHW, y_B = torch.rand(chosen.images, 1, 28, 28), torch.randint(0, 10, (chosen.images,))
    names, times = list(sides), {name: list[float]() for name in sides}
    for turn in range(chosen.rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            torch.set_flush_denormal(name != "nn.LSTM, plain")
            keep_freed_memory(name != "nn.LSTM, plain")
            epoch(sides[name], x_BCHW[:BATCH], y_B[:BATCH])  # warm-up
            times[name].append(epoch(sides[name], x_BCHW, y_B))
    print(f"{processor()}, {os.cpu_count()} cores, 1 thread, torch {torch.__version__}, {described()}")
    print(
        f"784 steps, width {chosen.hidden}, {chosen.images} images an epoch, batch {BATCH}, n = {chosen.rounds}\n"
    )
    print("| cell | nn.LSTM ÷ its time | plain nn.LSTM ÷ its time | s per epoch |\n|---|--:|--:|--:|")
    for name in names:
        ratios = [
            quartiles([a / b for a, b in zip(times[other], times[name], strict=True)]) for other in names[:2]
        ]
        print(f"| {name} | {' | '.join(ratios)} | {statistics.median(times[name]):.2f} |")


if __name__ == "__main__":
    main()
