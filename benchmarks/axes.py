"""BiLSTM2D as one unit against torch's layers: the token mixing of a Sequencer without its projection.

    python benchmarks/axes.py [--rounds 15] [--threads 1] [--cell lstm] [--sequencer]

Three sides have their turn in every round with the same weights and images: ours; torch's layers with the help
that Linewise gives them (freed memory is kept, denormals are flushed); and torch's layers as a plain script runs
them. Forward and backward with the input's gradient, then forward alone. With `--sequencer` the same for a whole
`sequencer2d_s` (224 × 224, 2 images; one image forward). Printed as Markdown: torch's time divided by ours, median
over rounds with quartiles.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import torch
from torch import Tensor, nn

from linewise.foundations.allocator import keep_freed_memory
from linewise.foundations.environment import processor
from linewise.kernels import described
from linewise.kernels.twins import with_torchs_layers
from linewise.models import create_model
from linewise.models.grid.mixing import Sweeps2D
from linewise.training.alternation import Task, alternate

SHAPES = [(128, 7, 48, 12), (128, 14, 48, 12), (16, 32, 192, 48)]
"""Images, side of the grid, channels, units per direction: 896 sequences of 7, 1,792 of 14, 512 of 32."""


def work(module: nn.Module, x: Tensor, *, learns: bool, plain: bool) -> Task:
    weights = torch.randn(module(x).shape)

    def task() -> float:
        torch.set_flush_denormal(not plain)
        keep_freed_memory(not plain)
        started = time.perf_counter()
        if learns:
            module.zero_grad()
            x.grad = None
            module(x).backward(weights)
        else:
            with torch.inference_mode():
                module(x)
        return time.perf_counter() - started

    return task


def line(title: str, ours: nn.Module, x: Tensor, rounds: int, *, learns: bool) -> str:
    theirs = with_torchs_layers(ours)
    assert theirs is not None, "without llvmlite there is nothing to compare"
    sides = [(ours, False), (theirs, False), (theirs, True)]
    tasks = [work(module, x, learns=learns, plain=plain) for module, plain in sides]
    mine, helped, plain = alternate(tasks, rounds=rounds, at_least_s=0.05)
    cells = [f"{1e3 * statistics.median(mine):.2f}"]
    for other in (helped, plain):
        low, middle, high = statistics.quantiles([b / a for a, b in zip(mine, other, strict=True)], n=4)
        cells.append(f"{middle:.2f} ({low:.2f} to {high:.2f})")
    return f"| {title} | {'training' if learns else 'answer'} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--sequencer", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    print(
        f"{processor()}, {os.cpu_count()} cores, {chosen.threads} thread(s), torch {torch.__version__}, "
        f"{described()}, n = {chosen.rounds} rounds\n"
    )
    print("| images × grid × channels, units | | ours, ms | torch, helped ÷ ours | torch, plain ÷ ours |")
    print("|---|---|--:|--:|--:|")
    if chosen.sequencer:
        network = create_model("sequencer2d_s", num_classes=1000, in_chans=3, img_size=(224, 224))
        for learns, images in ((True, 2), (False, 1)):
            x = torch.randn(images, 3, 224, 224)
            title = f"sequencer2d_s, {images} × 224 × 224"
            print(line(title, network.train(learns), x, chosen.rounds, learns=learns), flush=True)
        return
    for images, side, channels, units in SHAPES:
        torch.manual_seed(0)
        options = {"cell": chosen.cell, "directions": 2, "union": "concat", "projection": "none"}
        mixing = Sweeps2D(channels, units, **options)
        for learns in (True, False):
            x = torch.randn(images, side, side, channels, requires_grad=learns)
            title = f"{images} × {side}×{side} × {channels}, {units}"
            print(line(title, mixing, x, chosen.rounds, learns=learns), flush=True)


if __name__ == "__main__":
    main()
