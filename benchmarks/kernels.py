"""The fused layers against torch's own, layer by layer: forward and backward, or forward alone.

    python benchmarks/kernels.py [--rounds 9] [--threads 1] [--shapes quick] [--cells lstm,gru,rnn]
                                 [--inference] [--input-gradient] [--plain] [--cpu-time]

In every round torch's layer and ours have their turn on the same input with the same weights
(`training.alternation`). Printed as Markdown: the median over rounds of torch's time divided by ours, with
quartiles; ours in milliseconds; and the same products' floating-point rate beside that of one large matrix product
(512 × 512 × 512) in the same rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import torch
from torch import nn

from linewise.foundations.allocator import keep_freed_memory
from linewise.foundations.environment import processor
from linewise.kernels.fused import FusedGRU, FusedLSTM, FusedRNN
from linewise.training.alternation import Task, alternate

PAIRS = {"lstm": (nn.LSTM, FusedLSTM, 4), "gru": (nn.GRU, FusedGRU, 3), "rnn": (nn.RNN, FusedRNN, 1)}
clock = time.perf_counter
Shape = tuple[int, int, int, int, bool]
"""Batch, steps, inputs, units, both directions."""
SHAPES: dict[str, list[Shape]] = {
    "latency": [(1, 28, 28, 64, False), (1, 28, 28, 128, False), (1, 28, 28, 256, False), (1, 784, 1, 128, False)],
    "quick": [(128, 28, 28, 128, False), (128, 28, 28, 64, False)],
    "sequencer": [(896, 7, 48, 12, True), (1792, 14, 48, 12, True), (512, 32, 192, 48, True)],
    "table": [
        (batch, steps, inputs, units, False)
        for batch in (32, 128, 512)
        for steps, inputs in ((16, 49), (28, 28), (112, 7), (784, 1))
        for units in (32, 64, 128, 256)
        if batch * steps * units <= 512 * 784 * 64
    ],
}


def work(layer: nn.RNNBase, x_TBD: torch.Tensor, w_TBU: torch.Tensor, *, inference: bool) -> Task:
    """Forward and backward, the input's gradient left out as in a first layer; or forward alone."""

    def task() -> float:
        started = clock()
        if inference:
            with torch.inference_mode():
                layer(x_TBD)
        else:
            layer.zero_grad()
            layer(x_TBD)[0].backward(w_TBU)
        return clock() - started

    return task


def product(size: int = 512) -> Task:
    """One square matrix product."""
    a, b, c = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)

    def task() -> float:
        started = clock()
        torch.mm(a, b, out=c)
        return clock() - started

    return task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--shapes", choices=list(SHAPES), default="quick")
    parser.add_argument("--cells", default="lstm,gru,rnn")
    parser.add_argument("--inference", action="store_true")
    parser.add_argument(
        "--plain", action="store_true", help="no help from the allocator, denormals kept: a script's torch"
    )
    parser.add_argument("--input-gradient", action="store_true", help="as in all layers but the first")
    parser.add_argument(
        "--cpu-time", action="store_true", help="this thread's time alone: one thread, busy machine"
    )
    chosen = parser.parse_args()
    if chosen.cpu_time:
        global clock
        assert chosen.threads == 1, "the time of one thread says nothing about two"
        clock = time.thread_time
    torch.set_num_threads(chosen.threads)
    torch.set_flush_denormal(not chosen.plain)
    keep_freed_memory(not chosen.plain)
    print(
        f"{processor()}, {os.cpu_count()} cores, {chosen.threads} thread(s), torch {torch.__version__}, "
        f"n = {chosen.rounds} rounds, {'forward' if chosen.inference else 'forward and backward'}"
        f"{', plain allocator' if chosen.plain else ''}"
        f"{', CPU time' if chosen.cpu_time else ''}\n"
    )
    print(
        "| cell | batch | steps | inputs | units | directions | torch ÷ ours (quartiles) | ours, ms | GFLOP/s "
        "| product |"
    )
    print("|---|--:|--:|--:|--:|--:|---|--:|--:|--:|")
    for cell in chosen.cells.split(","):
        for batch, steps, inputs, units, bidirectional in SHAPES[chosen.shapes]:
            torch.manual_seed(0)
            theirs_class, ours_class, gates = PAIRS[cell]
            theirs = theirs_class(inputs, units, bidirectional=bidirectional)
            ours = ours_class(inputs, units, bidirectional=bidirectional)
            ours.load_state_dict(theirs.state_dict())
            directions = 2 if bidirectional else 1
            x_TBD = torch.randn(steps, batch, inputs, requires_grad=chosen.input_gradient)
            w_TBU = torch.randn(steps, batch, units * directions)
            tasks = [work(layer, x_TBD, w_TBU, inference=chosen.inference) for layer in (theirs, ours)]
            turns = alternate([*tasks, product()], rounds=chosen.rounds)
            low, middle, high = statistics.quantiles([a / b for a, b in zip(turns[0], turns[1], strict=True)], n=4)
            ours_s, product_s = statistics.median(turns[1]), statistics.median(turns[2])
            macs = directions * gates * batch * steps * units * (inputs + units)
            if not chosen.inference:
                macs *= 3
                macs -= 0 if chosen.input_gradient else directions * gates * batch * steps * units * inputs
            print(
                f"| {cell} | {batch} | {steps} | {inputs} | {units} | {directions} "
                f"| {middle:.2f} ({low:.2f} to {high:.2f}) | {1e3 * ours_s:.2f} | {2e-9 * macs / ours_s:.0f} "
                f"| {2e-9 * 512**3 / product_s:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
