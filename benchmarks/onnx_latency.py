"""ONNX Runtime beside torch on trained networks: what an exported file saves, or costs, per image.

    python benchmarks/onnx_latency.py RUN [RUN…] [--rounds 30] [--images 1,250] [--wall]

Each run is exported (which compares its answers with torch's) and opened again. In every round all ways have their
turn on the same images, one thread each: the network as `linewise predict` computes it with torch, the same with
its weights promised to stay (`kernels.prepared`), the file, and for readers that can, the file that reads row by
row. Counted is processor time, which a busy machine disturbs less; `--wall` counts time that passes. Printed as
Markdown: the median, and the median ratio to torch within a round with its 95 % interval over rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from linewise.analysis.speed import median_interval
from linewise.export.exporting import export_run
from linewise.export.onnx_model import load_onnx
from linewise.foundations.environment import processor
from linewise.kernels import prepared
from linewise.models.saved import load_model
from linewise.training.alternation import Task, alternate


def answering(run: Callable[[], object], clock: Callable[[], float]) -> Task:
    """One call."""

    def task() -> float:
        began = clock()
        run()
        return clock() - began

    return task


def ways(run: Path, folder: Path, count: int) -> tuple[dict[str, Callable[[], object]], torch.nn.Module]:
    """The same answer in several ways, and the network that promises its weights."""
    free, promised = load_model(run).network, load_model(run).network
    height, width = free.config.img_size
    generator = np.random.default_rng(0)
    x_BCHW = generator.normal(size=(count, free.config.in_chans, height, width)).astype(np.float32)
    x = torch.from_numpy(x_BCHW)
    export_run(run, folder / "whole.onnx")
    whole = load_onnx(folder / "whole.onnx", threads=1)
    found: dict[str, Callable[[], object]] = {
        "torch": lambda: free(x),
        "torch, prepared": lambda: promised(x),
        "ONNX Runtime": lambda: whole.run({"images": x_BCHW}),
    }
    if free.answers_each_step:
        export_run(run, folder / "rows.onnx", form="row-by-row")
        rows = load_onnx(folder / "rows.onnx", threads=1)
        given = rows.steps(x_BCHW)

        def read() -> None:
            state = rows.start(count)
            for step in given:
                state = rows.step(step, state)

        found["ONNX Runtime, row by row"] = read
    return found, promised


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--images", default="1,250")
    parser.add_argument("--wall", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    clock = time.perf_counter if chosen.wall else time.process_time
    kind = "time that passed" if chosen.wall else "processor time"
    print(f"{processor()}, one thread, {kind}, {chosen.rounds} rounds, torch {torch.__version__}\n")
    print("| network | images | way | ms | its time ÷ torch's |")
    print("|---|--:|---|--:|--:|")
    for run in chosen.runs:
        for count in map(int, chosen.images.split(",")):
            with TemporaryDirectory() as folder, torch.inference_mode():
                runs, promised = ways(run, Path(folder), count)
                with prepared(promised):
                    tasks = [answering(each, clock) for each in runs.values()]
                    turns = dict(zip(runs, alternate(tasks, rounds=chosen.rounds, at_least_s=0.02), strict=True))
            for way, seconds in turns.items():
                ratio = median_interval([a / b for a, b in zip(seconds, turns["torch"], strict=True)])
                shown = f"{ratio.estimate:.2f} ({ratio.low:.2f} to {ratio.high:.2f})" if way != "torch" else "1"
                print(
                    f"| {run.name} | {count} | {way} | {1e3 * statistics.median(seconds):.3f} | {shown} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
