"""Seeds trained at once beside one run: the same training steps, S seeds stacked against one network alone.

    python benchmarks/seeds_at_once.py [--device auto] [--models lstm,gru,rnn] [--seeds 1,2,8,32] [--rounds 9]
                                       [--hidden 128] [--batch 128] [--steps 8] [--threads 1] [--cpu-time]

In every round each has its turn (`training.alternation`): one network in the study's own training loop, on cuDNN
where there is a CUDA device and on this package's kernels on a processor; and S seeds in one stacked computation,
each on batches of its own. On a device, both record their step as a CUDA graph; its recording is counted, as a
study pays for it once per run, and spread over `--steps` (300 there). Printed as Markdown: the median over rounds
of the time of S seeds divided by that of one, with quartiles. Runs one after another would take S times as long.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import numpy as np
import torch

from linewise.foundations.environment import processor
from linewise.foundations.records import Recipe
from linewise.foundations.seeds import stream
from linewise.images.batches import Batches
from linewise.kernels import cudnn
from linewise.models import Network, create_model
from linewise.study.job import pin_threads
from linewise.training.alternation import Task, alternate
from linewise.training.loop import train
from linewise.training.stack import train_stacked

SIDE, NUM_CLASSES = 28, 10


def networks(name: str, count: int, hidden: int, device: str) -> list[Network]:
    made = []
    for seed in range(count):
        torch.manual_seed(stream(seed, "weights"))
        made.append(create_model(name, num_classes=NUM_CLASSES, img_size=(SIDE, SIDE), hidden=hidden).to(device))
    return made


def alone(name: str, hidden: int, images: tuple[Batches, Batches], recipe: Recipe, cpu_time: bool) -> Task:
    (net,) = networks(name, 1, hidden, images[0].device.type)

    def task() -> float:
        started = time.thread_time()
        took_s = train(net, *images, recipe, 0).train_s
        return time.thread_time() - started if cpu_time else took_s

    return task


def at_once(
    name: str, count: int, hidden: int, images: tuple[Batches, Batches], recipe: Recipe, cpu_time: bool
) -> Task:
    nets = networks(name, count, hidden, images[0].device.type)

    def task() -> float:
        started = time.thread_time()
        took_s = sum(o.train_s for o in train_stacked(nets, *images, recipe, list(range(count))))
        return time.thread_time() - started if cpu_time else took_s

    return task


def made_up(count: int, device: str) -> tuple[Batches, Batches]:
    """Images of noise and one to validate on: the time does not depend on what they show."""
    rng = np.random.default_rng(0)
    images_NHWC = rng.integers(0, 256, (count, SIDE, SIDE, 1), dtype=np.uint8)
    labels_N = np.arange(count) % NUM_CLASSES
    parts = (Batches(images_NHWC[:n], labels_N[:n], [0.5], [0.3]) for n in (count, 1))
    training, validation = (part if device == "cpu" else part.to(device) for part in parts)
    return training, validation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--models", default="lstm,gru,rnn")
    parser.add_argument("--seeds", default="1,2,8,32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=None, help="in a turn; 8 on a processor, 300 on a device")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--cpu-time", action="store_true", help="this thread's time: a processor, one thread, busy machine"
    )
    chosen = parser.parse_args()
    there = torch.cuda.is_available()
    device = ("cuda" if there else "cpu") if chosen.device == "auto" else chosen.device
    assert not (chosen.cpu_time and (device == "cuda" or chosen.threads > 1)), (
        "one thread's time tells nothing here"
    )
    pin_threads(chosen.threads)
    steps = chosen.steps or (300 if device == "cuda" else 8)
    images = made_up(steps * chosen.batch, device)
    recipe = Recipe(epochs=1, batch_size=chosen.batch, lr=1e-3)
    if not there:
        print("No CUDA device here: measured on the processor, which says nothing of a GPU.\n")
    where = torch.cuda.get_device_name() if device == "cuda" else f"{processor()}, {os.cpu_count()} cores"
    print(
        f"{where}, {chosen.threads} thread(s), torch {torch.__version__}, n = {chosen.rounds} rounds, "
        f"{steps} steps of {chosen.batch} images of {SIDE}×{SIDE} by rows, {chosen.hidden} units"
        f"{', processor time' if chosen.cpu_time else ''}\n"
    )
    counts = [int(text) for text in chosen.seeds.split(",")]
    print("| network | seeds | S at once ÷ one run (quartiles) | per seed | one run, ms per step |")
    print("|---|--:|---|--:|--:|")
    for name in chosen.models.split(","):
        args = (chosen.hidden, images, recipe, chosen.cpu_time)
        tasks = [alone(name, *args), *(at_once(name, count, *args) for count in counts)]
        one, *turns = alternate(tasks, rounds=chosen.rounds)
        for count, times in zip(counts, turns, strict=True):
            ratios = [a / b for a, b in zip(times, one, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(
                f"| {name} | {count} | {middle:.2f} ({low:.2f} to {high:.2f}) | {middle / count:.2f} "
                f"| {1e3 * statistics.median(one) / steps:.2f} |",
                flush=True,
            )
    if device == "cuda":
        layers = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
        for name in chosen.models.split(","):
            layer, gpu = layers[name](SIDE, chosen.hidden), cudnn.this_gpu()
            ways = [
                cudnn.way(layer, chosen.batch, SIDE, torch.float32, forward=forward, gpu=gpu)
                for forward in (True, False)
            ]
            print(f"\n{name} alone: cuDNN's {ways[0]} forward, {ways[1]} backward.")


if __name__ == "__main__":
    main()
