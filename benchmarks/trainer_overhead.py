"""What the trainer costs over a bare PyTorch loop: paired, alternating, one thread.

    python benchmarks/trainer_overhead.py [--rounds 15] [--images 4000] [--cpu-time]

Both train the same network from the same seed on the same 28×28 images for one epoch and must end with the same
weights, to the bit. The trainer writes its heartbeat, counts accuracy, watches for a loss that is not finite and
asks after each step whether a checkpoint is due; the bare loop does none of this. Turns alternate, and their order
is swapped every round, so that a drifting machine hits both alike. Printed: the median of the paired ratios with
quartiles. A turn is too short for a checkpoint to be due, so what one takes is measured beside it and told as a
share of the 30 s from one to the next, and of the 5 s that lie between two at the least, where epochs are short.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from linewise.foundations.environment import environment, processor
from linewise.foundations.interrupts import STOP
from linewise.foundations.records import Recipe
from linewise.foundations.seeds import stream
from linewise.images.batches import Batches
from linewise.models import Network, create_model, specify
from linewise.study.heartbeat import Heartbeat
from linewise.training.checkpoints import Checkpoints
from linewise.training.keeping import EPOCH_S, EVERY_S, Diligent
from linewise.training.loop import train

RECIPE = Recipe(epochs=1, batch_size=128)
MODELS = ("lstm", "gru", "cnn")


def network(name: str) -> Network:
    spec = specify(name, {}, num_classes=10, in_chans=1, img_size=(28, 28), match="params", budget=80_000)
    torch.manual_seed(stream(0, "weights"))
    return create_model(name, num_classes=10, img_size=(28, 28), **spec.sizes)


def bare_loop(net: Network, x_NHWC: torch.Tensor, y_N: torch.Tensor) -> None:
    """What one would write by hand."""
    scale, shift = 1 / (255 * torch.tensor([0.3])), -torch.tensor([0.1]) / torch.tensor([0.3])
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": RECIPE.weight_decay},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    steps = -(-len(y_N) // RECIPE.batch_size)
    optimiser = torch.optim.AdamW(groups, lr=RECIPE.lr, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=RECIPE.lr, total_steps=steps + 1, pct_start=0.25, cycle_momentum=False
    )
    order = torch.Generator().manual_seed(stream(0, "order"))
    torch.manual_seed(stream(0, "dropout"))
    net.train()
    for chosen in torch.randperm(len(y_N), generator=order).split(RECIPE.batch_size):
        x_BCHW = torch.addcmul(shift, x_NHWC[chosen].float(), scale).permute(0, 3, 1, 2)
        loss = F.cross_entropy(net(x_BCHW), y_N[chosen])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), RECIPE.clip, foreach=True)
        optimiser.step()
        schedule.step()


def keeper(folder: Path) -> Diligent:
    """As in a run, in a new folder."""
    where = Path(tempfile.mkdtemp(dir=folder))
    return Diligent(Checkpoints(where, "0" * 64, environment(1, kernels=""), ""), STOP)


def checkpoint_s(net: Network, training: Batches, folder: Path, clock: Callable[[], float]) -> list[float]:
    """What each of 30 checkpoints of a network takes."""
    kept, times = keeper(folder), []
    train(net, training, training, RECIPE, 0, keeper=kept)
    for _ in range(31):
        started = clock()
        kept.save()
        times.append(clock() - started)
    return times[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument(
        "--cpu-time", action="store_true", help="Processor seconds, for a machine with other work."
    )
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rng = np.random.default_rng(0)
    images_NHWC = rng.integers(0, 256, (arguments.images, 28, 28, 1), dtype=np.uint8)
    labels_N = rng.integers(0, 10, arguments.images)
    x_NHWC, y_N = torch.from_numpy(images_NHWC), torch.from_numpy(labels_N)
    training = Batches(images_NHWC, labels_N, [0.1], [0.3])
    validation = Batches(images_NHWC[:1], labels_N[:1], [0.1], [0.3])
    print(
        f"{processor()}, torch {torch.__version__}, 1 thread; {arguments.images} images, {arguments.rounds} rounds"
    )
    with tempfile.TemporaryDirectory() as folder:
        heartbeat = Heartbeat(Path(folder) / "beat.json", launcher=os.getpid())
        for name in MODELS:
            ratios, bare_s = [], []
            for turn in range(-1, arguments.rounds):
                taken, ended = {}, {}
                for who in ("bare", "trainer") if turn % 2 else ("trainer", "bare"):
                    net, kept = network(name), keeper(Path(folder))
                    started = clock()
                    if who == "bare":
                        bare_loop(net, x_NHWC, y_N)
                    else:
                        train(
                            net, training, validation, RECIPE, 0, on_step=heartbeat.step, on_epoch=heartbeat.epoch,
                            keeper=kept,
                        )  # fmt: skip
                    taken[who] = clock() - started
                    ended[who] = net
                pairs = zip(ended["bare"].parameters(), ended["trainer"].parameters(), strict=True)
                assert all(torch.equal(a, b) for a, b in pairs), "the two loops must end with the same weights"
                if turn >= 0:  # the first turn warms up
                    ratios.append(taken["trainer"] / taken["bare"])
                    bare_s.append(taken["bare"])
            low, median, high = statistics.quantiles(ratios, n=4)
            print(
                f"{name:5s} trainer ÷ bare loop: {median:.3f} (quartiles {low:.3f} to {high:.3f}, "
                f"n = {len(ratios)}); bare epoch {statistics.median(bare_s):.2f} s"
            )
            few = Batches(images_NHWC[:256], labels_N[:256], [0.1], [0.3])
            low, median, high = statistics.quantiles(checkpoint_s(network(name), few, Path(folder), clock), n=4)
            print(
                f"      one checkpoint {1000 * median:.1f} ms (quartiles {1000 * low:.1f} to {1000 * high:.1f}, "
                f"n = 30): {median / EVERY_S:.2%} of {EVERY_S:.0f} s, {median / EPOCH_S:.2%} of {EPOCH_S:.0f} s"
            )


if __name__ == "__main__":
    main()
