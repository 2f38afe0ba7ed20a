"""Which of cuDNN's fast ways a recurrent layer takes on a CUDA device, and what it misses of them.

The conditions are torch's own, from `get_algo` in its `ATen/native/cudnn/RNN.cpp` (read in 2026; they change
seldom). It tries `PERSIST_STATIC_SMALL_H` first, then `PERSIST_STATIC`, else the standard way. Only `this_gpu`
needs a device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import nn

Way = Literal["PERSIST_STATIC_SMALL_H", "PERSIST_STATIC", "STANDARD"]
SMALL_H = {True: {"gated": 192, "plain": 384}, False: {"gated": 128, "plain": 256}}
"""Forward pass or backward → most units, of LSTM and GRU or of the plain RNNs."""
LEAST_PROCESSORS = 98


@final
@dataclass(frozen=True)
class Gpu:
    """What decides of a device: its compute capability and its number of multiprocessors."""

    major: int
    minor: int
    processors: int


H100 = Gpu(9, 0, 132)


@final
@dataclass(frozen=True)
class Condition:
    """One condition of a way.

    Attributes:
        found: what the layer or the batch has, in words, such as `28 inputs`.
        wanted: what the way asks for.
    """

    found: str
    wanted: str
    met: bool


def this_gpu() -> Gpu:
    """The current CUDA device."""
    found = torch.cuda.get_device_properties(torch.cuda.current_device())
    return Gpu(found.major, found.minor, found.multi_processor_count)


def small_h(layer: nn.RNNBase, dtype: torch.dtype, *, forward: bool, gpu: Gpu = H100) -> list[Condition]:
    """Conditions of `PERSIST_STATIC_SMALL_H` for the forward pass or the backward."""
    most = SMALL_H[forward]["gated" if layer.mode in ("LSTM", "GRU") else "plain"]
    return [
        Condition(f"{layer.proj_size} projected units", "no projection", layer.proj_size == 0),
        Condition(_name(dtype), "not float64", dtype != torch.float64),
        Condition(_capability(gpu), "compute capability 6.0 or later", gpu.major >= 6),
        Condition(f"{layer.hidden_size} units", f"at most {most}", layer.hidden_size <= most),
    ]


def persist_static(
    layer: nn.RNNBase, batch: int, steps: int, dtype: torch.dtype, *, gpu: Gpu = H100
) -> list[Condition]:
    """Conditions of `PERSIST_STATIC`.

    Args:
        batch: sequences side by side.
        steps: of each sequence; they count on Volta only.
    """
    units, inputs = layer.hidden_size, layer.input_size
    conditions = [
        Condition(f"{layer.proj_size} projected units", "no projection", layer.proj_size == 0),
        Condition(_name(dtype), "float16 (bfloat16 does not count)", dtype == torch.float16),
        Condition(f"{layer.num_layers} layers", "1", layer.num_layers == 1),
        Condition("two directions" if layer.bidirectional else "one direction", "one", not layer.bidirectional),
        Condition(f"{units} units", "a multiple of 128, at most 1,024", units % 128 == 0 and units <= 1024),
        Condition(f"{inputs} inputs", "a multiple of 128: project rows of pixels first", inputs % 128 == 0),
    ]
    if gpu.major == 7:
        return [*conditions, *_volta(batch, steps, gpu)]
    able = gpu.major >= 8 and gpu.minor != 6 and gpu.processors >= LEAST_PROCESSORS
    wanted = f"7.0, or 8.0 and later but not x.6, with at least {LEAST_PROCESSORS} multiprocessors"
    conditions.append(Condition(f"{_capability(gpu)}, {gpu.processors} multiprocessors", wanted, able))
    conditions.append(Condition(layer.mode, "no GRU on Ampere and later", layer.mode != "GRU"))
    conditions.append(
        Condition(f"a batch of {batch}", "a multiple of 8, at most 128", batch % 8 == 0 and batch <= 128)
    )
    if layer.mode.startswith("RNN"):
        few = batch < 96 or units < 896
        conditions.append(Condition(f"a batch of {batch}, {units} units", "less than 96, or less than 896", few))
    return conditions


def way(
    layer: nn.RNNBase, batch: int, steps: int, dtype: torch.dtype, *, forward: bool = True, gpu: Gpu = H100
) -> Way:
    """The way that torch takes for a batch of equally long sequences."""
    if all(c.met for c in small_h(layer, dtype, forward=forward, gpu=gpu)):
        return "PERSIST_STATIC_SMALL_H"
    if all(c.met for c in persist_static(layer, batch, steps, dtype, gpu=gpu)):
        return "PERSIST_STATIC"
    return "STANDARD"


def missed(conditions: list[Condition]) -> list[str]:
    """What is missing, one sentence each; empty where a way is open.

    >>> missed(small_h(nn.LSTM(28, 130), torch.float32, forward=False))
    ['130 units, and it takes at most 128']
    """
    return [f"{c.found}, and it takes {c.wanted}" for c in conditions if not c.met]


def _volta(batch: int, steps: int, gpu: Gpu) -> list[Condition]:
    even = (batch % 16 == 0 and batch not in (80, 112)) or batch == 8
    small = any(steps >= t and batch <= b for t, b in ((40, 128), (20, 96), (10, 32)))
    wanted = "at most 128 of 40 steps, 96 of 20, or 32 of 10"
    return [
        Condition(_capability(gpu), "7.0 (Turing, 7.5, is left out)", gpu.minor != 5),
        Condition(f"a batch of {batch}", "8, or a multiple of 16 other than 80 and 112", even),
        Condition(f"a batch of {batch} with {steps} steps", wanted, small),
    ]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _capability(gpu: Gpu) -> str:
    return f"compute capability {gpu.major}.{gpu.minor}"
