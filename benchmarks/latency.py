"""Whole networks on one image and on 1,000, beside plain torch: what a user of either waits for.

    python benchmarks/latency.py [--rounds 15] [--networks rnn,lstm,gru,bilstm,sequencer2d_nano] [--cpu-time]
                                 [--onnx] [--depth]

In every round all have their turn on the same images with the same weights, one thread. For each network: ours as
it is, ours with its weights promised to stay (`kernels.prepared`), the same network on torch's own layers ("the
same on torch"), and, for those that read rows, the plain torch module that does the same (`nn.LSTM` and
`nn.Linear`, called by nothing of ours). With `--onnx` also ONNX Runtime on one thread, if it is installed. Printed
as Markdown: the median of the times, and of their ratio to ours within a round, with quartiles.

`--depth` times the reader that may stop (`models.recurrent.early`) on one image that it leaves after so many rows.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from linewise.foundations.allocator import keep_freed_memory
from linewise.foundations.environment import processor
from linewise.kernels import described, prepared
from linewise.kernels.twins import with_torchs_layers
from linewise.models import Network, create_model, specify
from linewise.models.recurrent.early import EarlyReader, doubts
from linewise.models.recurrent.network import RecurrentNetwork
from linewise.models.recurrent.stepping import Stepping
from linewise.training.alternation import Task, alternate

BUDGET, SIDE, NUM_CLASSES = 80_000, 28, 10
PLAIN: dict[str, tuple[type[nn.RNNBase], bool]] = {
    "rnn": (nn.RNN, False),
    "lstm": (nn.LSTM, False),
    "gru": (nn.GRU, False),
}
clock = time.perf_counter


class Plain(nn.Module):
    """Rows through one layer of torch, its last state through a linear layer; as one writes it."""

    def __init__(self, layer: nn.RNNBase, head: nn.Linear) -> None:
        super().__init__()
        self.layer, self.head = layer, head

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        h_BTU, _ = self.layer(x_BCHW.squeeze(1))
        return self.head(h_BTU[:, -1])


def plain(name: str, network: Network) -> Plain | None:
    """The plain module with a network's weights; None where it has another form."""
    if name not in PLAIN:
        return None
    (ours,) = (layer for layer in network.modules() if isinstance(layer, nn.RNNBase))
    layer = PLAIN[name][0](SIDE, ours.hidden_size, batch_first=True)
    layer.load_state_dict(ours.state_dict())
    assert isinstance(network.head, nn.Linear)
    return Plain(layer, network.head)


def answering(run: Callable[[torch.Tensor], Any], x_BCHW: torch.Tensor) -> Task:
    """One forward pass."""

    def task() -> float:
        with torch.inference_mode():
            started = clock()
            run(x_BCHW)
            return clock() - started

    return task


def onnx_runtime(network: nn.Module, x_BCHW: torch.Tensor) -> Callable[[torch.Tensor], Any] | None:
    """A session on one thread; None where it is not installed or cannot export the network."""
    try:
        from linewise.export.runtime import runtime

        onnxruntime = runtime("the benchmark")
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        path = Path(folder) / "network.onnx"
        torch.onnx.export(network, (x_BCHW,), str(path), dynamo=False, opset_version=17)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (name,) = (entry.name for entry in session.get_inputs())
    return lambda x_BCHW: session.run(None, {name: x_BCHW.numpy()})


def spread(values: list[float], digits: int = 2) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def made(name: str) -> Network:
    torch.manual_seed(0)
    shape: dict[str, Any] = {"num_classes": NUM_CLASSES, "in_chans": 1, "img_size": (SIDE, SIDE)}
    spec = specify(name, {}, **shape, match="params", budget=BUDGET, label=name)
    return create_model(spec.name, **shape, **dict(spec.sizes)).eval()


def networks(chosen: argparse.Namespace) -> None:
    """The table of whole networks."""
    print("| images | network | way | ms | its time ÷ ours | its time ÷ ours, prepared |")
    print("|--:|---|---|--:|--:|--:|")
    for count in (1, 1000):
        x_BCHW = torch.randn(count, 1, SIDE, SIDE)
        for name in chosen.networks.split(","):
            # two of the same, since a promise is for all who ask the network
            free, promised, twin = made(name), made(name), with_torchs_layers(made(name))
            ways: dict[str, Callable[[torch.Tensor], Any] | None] = {"ours": free, "ours, prepared": promised}
            ways |= {"the same on torch": twin, "plain torch": plain(name, free)}
            if chosen.onnx and twin is not None:
                ways["ONNX Runtime"] = onnx_runtime(plain(name, free) or twin, x_BCHW)
            runs = {way: run for way, run in ways.items() if run is not None}
            with torch.inference_mode():
                wanted = torch.as_tensor(runs["ours"](x_BCHW))
                for way, run in runs.items():
                    found = run(x_BCHW)
                    found = torch.as_tensor(found[0] if isinstance(found, list) else found)
                    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4, msg=f"{name}: {way}")
            with prepared(promised):
                tasks = [answering(run, x_BCHW) for run in runs.values()]
                turns = dict(zip(runs, alternate(tasks, rounds=chosen.rounds, at_least_s=0.02), strict=True))
            for way, seconds in turns.items():
                ratios = [
                    spread([a / b for a, b in zip(seconds, turns[ours], strict=True)])
                    for ours in ("ours", "ours, prepared")
                ]
                middle = 1e3 * statistics.median(seconds)
                print(f"| {count} | {name} | {way} | {middle:.3g} | {' | '.join(ratios)} |", flush=True)


def depth(chosen: argparse.Namespace) -> None:
    """The table of the reader that stops: images of noise that it leaves after so many rows."""
    rows = (1, 4, 7, 10, 14, 21, 28)
    print("| network | " + " | ".join(f"{n} rows" for n in rows) + " | all in one pass | the same on torch |")
    print("|---|" + "--:|" * (len(rows) + 2))
    x_NCHW = torch.randn(4000, 1, SIDE, SIDE)
    for name in chosen.networks.split(","):
        network = made(name)
        if not network.answers_each_step:
            continue
        assert isinstance(network, RecurrentNetwork)
        with torch.inference_mode():  # untrained, it is never sure: its answers are made louder
            network.head.weight.mul_(40)  # pyright: ignore[reportCallIssue]
            sure = doubts(network.forward_steps(x_NCHW[:200])).quantile(1 / SIDE).item()
        reader = EarlyReader(Stepping(network), sure, None)
        read_N = reader.read(x_NCHW).read_B
        images = [x_NCHW[read_N == n][:1] for n in rows]
        assert all(len(x_BCHW) for x_BCHW in images), "no image that is left after so many rows"
        twin = with_torchs_layers(network)
        assert twin is not None
        tasks = [answering(reader.read, x_BCHW) for x_BCHW in images]
        tasks += [answering(network, images[0]), answering(twin, images[0])]
        turns = alternate(tasks, rounds=chosen.rounds, at_least_s=0.02)
        print(
            f"| {name} | " + " | ".join(f"{spread([1e6 * s for s in t], 0)} µs" for t in turns) + " |", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--networks", default="rnn,lstm,gru,bilstm,sequencer2d_nano")
    parser.add_argument("--onnx", action="store_true", help="ONNX Runtime too")
    parser.add_argument("--depth", action="store_true", help="time against rows read, one image")
    parser.add_argument("--cpu-time", action="store_true", help="this thread's time alone: a busy machine")
    chosen = parser.parse_args()
    if chosen.cpu_time:
        global clock
        clock = time.thread_time
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    keep_freed_memory()
    print(
        f"{processor()}, {os.cpu_count()} cores, 1 thread, torch {torch.__version__}, {described()}, "
        f"n = {chosen.rounds} rounds{', CPU time' if chosen.cpu_time else ''}; {SIDE}×{SIDE}, "
        f"about {BUDGET:,} parameters\n"
    )
    (depth if chosen.depth else networks)(chosen)


if __name__ == "__main__":
    main()
