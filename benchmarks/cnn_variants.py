"""Forms of the small CNN at about 80,000 parameters: forward and backward, alternating, one thread.

    python benchmarks/cnn_variants.py [--rounds 10]

Printed: the median time of each form divided by that of the first, over paired rounds, with quartiles.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linewise.foundations.environment import processor


class Stage(nn.Module):
    """Convolution, norm, ReLU and pooling, the pool before the norm or after the ReLU."""

    def __init__(self, channels_in: int, channels_out: int, *, halve: bool, pool_first: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.halve, self.pool_first = halve, pool_first

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.conv(x_BCHW)
        if self.halve and self.pool_first:
            x_BCHW = F.max_pool2d(x_BCHW, 2, ceil_mode=True)
        x_BCHW = F.relu(self.norm(x_BCHW))
        if self.halve and not self.pool_first:
            x_BCHW = F.max_pool2d(x_BCHW, 2, ceil_mode=True)
        return x_BCHW


def network(channels: tuple[int, int, int], *, pool_first: bool) -> nn.Module:
    a, b, c = channels
    stages = [
        Stage(1, a, halve=True, pool_first=pool_first),
        Stage(a, b, halve=True, pool_first=pool_first),
        Stage(b, c, halve=False, pool_first=pool_first),
    ]
    return nn.Sequential(*stages, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(c, 10))


VARIANTS = {
    "18-54-142, pool last": (network((18, 54, 142), pool_first=False), torch.channels_last),
    "18-54-142, pool first": (network((18, 54, 142), pool_first=True), torch.channels_last),
    "18-54-142, pool first, contiguous": (network((18, 54, 142), pool_first=True), torch.contiguous_format),
    "16-48-158, pool first": (network((16, 48, 158), pool_first=True), torch.channels_last),
    "16-56-139, pool first (today's)": (network((16, 56, 139), pool_first=True), torch.channels_last),
}


def turn(net: nn.Module, x_BCHW: Tensor, y_B: Tensor, repeats: int = 3) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        loss = F.cross_entropy(net(x_BCHW), y_B)
        net.zero_grad()
        loss.backward()
    return (time.perf_counter() - started) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    x_BHWC, y_B = torch.randn(128, 28, 28, 1), torch.randint(0, 10, (128,))
    inputs = {
        torch.channels_last: x_BHWC.permute(0, 3, 1, 2),
        torch.contiguous_format: x_BHWC.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format),
    }
    taken: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for done in range(rounds + 2):
        for name, (net, layout) in VARIANTS.items():
            seconds = turn(net.to(memory_format=layout), inputs[layout], y_B)
            if done >= 2:  # the first rounds warm up
                taken[name].append(seconds)
    first = next(iter(taken.values()))
    print(f"{processor()}, torch {torch.__version__}, 1 thread, batch 128, {rounds} rounds")
    for name, times in taken.items():
        ratios = [t / f for t, f in zip(times, first, strict=True)]
        low, median, high = statistics.quantiles(ratios, n=4)
        print(f"{name:36s} {median:.2f} (quartiles {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
