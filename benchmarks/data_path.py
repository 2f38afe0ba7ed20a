"""What making a batch takes of a training step: indexing, conversion, normalisation; augmentation where asked.

    python benchmarks/data_path.py [--rounds 9] [--images 3072] [--augment shift=1]

Batches of 128 images of 28×28 from the same memory map of uint8 that a study's workers read, in random order; the
step is the training loop's: forward, loss, backward, clipping, optimiser. One thread. In every round each network
and each way has its turn; times are processor seconds of this process, so that other work on the machine counts as
little as can be. Printed as Markdown: the share, median over rounds with quartiles. The aim is 2 % without
augmentation.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from linewise.cli.options import parse_augment
from linewise.foundations.environment import processor
from linewise.foundations.records import Recipe
from linewise.images.batches import Batches
from linewise.kernels import described
from linewise.models import Network, create_model, specify
from linewise.study.job import pin_threads
from linewise.training.loop import train

MODELS = ("lstm", "gru", "cnn")
STEPS = 24


class Watched(Batches):
    """Batches that note the processor seconds spent in making them."""

    spent_s = 0.0

    def shuffled(self, *arguments: object) -> Iterator[tuple[Tensor, Tensor]]:  # pyright: ignore
        batches = super().shuffled(*arguments)  # pyright: ignore
        while True:
            started = time.process_time()
            batch = next(batches, None)
            self.spent_s += time.process_time() - started
            if batch is None:
                return
            yield batch


def network(name: str) -> Network:
    spec = specify(name, {}, num_classes=10, in_chans=1, img_size=(28, 28), match="params", budget=80_000)
    return create_model(name, num_classes=10, img_size=(28, 28), **spec.sizes)


def share(net: Network, images: np.ndarray, labels_N: np.ndarray, augment: dict[str, float], seed: int) -> float:
    """Of the training time of some steps, the part that makes batches."""
    training = Watched(images, labels_N, [0.13], [0.31])
    one = Batches(images[:1], labels_N[:1], [0.13], [0.31])
    recipe = Recipe(epochs=1, batch_size=128, augment=augment)
    started = time.process_time()
    train(net, training, one, recipe, seed)
    return training.spent_s / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=STEPS * 128)
    parser.add_argument("--augment", default="shift=1")
    chosen = parser.parse_args()
    pin_threads(1)
    rng = np.random.default_rng(0)
    ways = {"no augmentation": {}, chosen.augment: parse_augment(chosen.augment)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        np.save(path, rng.integers(0, 256, (chosen.images, 28, 28, 1), dtype=np.uint8))
        images, labels_N = np.load(path, mmap_mode="r"), rng.integers(0, 10, chosen.images)
        nets = {name: network(name) for name in MODELS}
        found: dict[tuple[str, str], list[float]] = {(name, way): [] for name in MODELS for way in ways}
        for number in range(-1, chosen.rounds):
            for (name, way), shares in found.items():
                value = share(nets[name], images, labels_N, ways[way], number + 1)
                shares.extend([value] if number >= 0 else [])  # the first round warms up
    print(
        f"{processor()}, torch {torch.__version__}, 1 thread, {described()}; batch 128, "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    print(f"| network | {' | '.join(ways)} |\n|---{'|--:' * len(ways)}|")
    for name in MODELS:
        cells = []
        for way in ways:
            low, median, high = statistics.quantiles(found[name, way], n=4)
            cells.append(f"{median:.2%} ({low:.2%} to {high:.2%})")
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\nShare of a training step that makes the batch; medians (quartiles), n = {chosen.rounds} rounds.")


if __name__ == "__main__":
    main()
