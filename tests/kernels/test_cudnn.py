"""cuDNN's ways against torch's conditions written out once more, over layers, batches, types and devices."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from linewise.kernels.cudnn import H100, Gpu, missed, persist_static, small_h, way

A100, A40, A30, V100, TURING, PASCAL, MAXWELL = (
    Gpu(8, 0, 108), Gpu(8, 6, 84), Gpu(8, 0, 56), Gpu(7, 0, 80), Gpu(7, 5, 40), Gpu(6, 0, 56), Gpu(5, 2, 24),
)  # fmt: skip
CLASSES = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


def get_algo(
    kind: str, i: int, h: int, layers: int, two: bool, b: int, t: int, dtype, gpu: Gpu, forward: bool
) -> str:
    """RNN.cpp, branch by branch."""
    if dtype != torch.float64 and gpu.major >= 6:
        limit = (384 if forward else 256) if kind == "RNN" else (192 if forward else 128)
        if h <= limit:
            return "PERSIST_STATIC_SMALL_H"
    common = layers == 1 and h <= 1024 and not two and h % 128 == 0 and i % 128 == 0
    if gpu.major == 7:
        device = gpu.minor != 5 and ((b % 16 == 0 and b != 80 and b != 112) or b == 8)
        device = device and ((t >= 40 and b <= 128) or (t >= 20 and b <= 96) or (t >= 10 and b <= 32))
    elif gpu.major >= 8 and gpu.processors >= 98:
        if gpu.minor == 6 or kind == "GRU":
            device = False
        elif kind == "LSTM":
            device = b % 8 == 0 and b <= 128
        else:
            device = b % 8 == 0 and b <= 128 and (b < 96 or h < 896)
    else:
        device = False
    return "PERSIST_STATIC" if dtype == torch.float16 and common and device else "STANDARD"


@pytest.mark.parametrize("gpu", [H100, A100, A40, A30, V100, TURING, PASCAL, MAXWELL])
def test_the_way_is_torchs(gpu: Gpu) -> None:
    seen = set()
    with torch.device("meta"):
        for kind, i, h, layers, two in itertools.product(
            CLASSES, (28, 128), (96, 128, 192, 200, 256, 384, 512, 896, 1024, 1152), (1, 2), (False, True)
        ):
            layer = CLASSES[kind](i, h, layers, bidirectional=two)
            for b, t, dtype, forward in itertools.product(
                (7, 8, 32, 80, 96, 128, 136), (5, 15, 28, 64), (torch.float16, torch.float32, torch.float64),
                (True, False),
            ):  # fmt: skip
                expected = get_algo(kind, i, h, layers, two, b, t, dtype, gpu, forward)
                assert way(layer, b, t, dtype, forward=forward, gpu=gpu) == expected
                seen.add(expected)
    assert len(seen) == {H100: 3, A100: 3, V100: 3, MAXWELL: 1}.get(gpu, 2)


def test_raw_rows_of_pixels_miss_persist_static_and_are_told_why() -> None:
    layer = nn.LSTM(28, 128)
    assert missed(persist_static(layer, 128, 28, torch.float16)) == [
        "28 inputs, and it takes a multiple of 128: project rows of pixels first"
    ]
    assert way(layer, 128, 28, torch.float32, forward=False) == "PERSIST_STATIC_SMALL_H"
    assert missed(small_h(nn.LSTM(28, 200), torch.float64, forward=True)) == [
        "float64, and it takes not float64",
        "200 units, and it takes at most 192",
    ]


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("lstm", ["PERSIST_STATIC_SMALL_H", "PERSIST_STATIC_SMALL_H"]),
        ("gru", ["PERSIST_STATIC_SMALL_H", "STANDARD"]),
        ("rnn", ["PERSIST_STATIC_SMALL_H", "STANDARD"]),
    ],
)
def test_networks_at_the_default_budget_take_the_ways_that_the_documentation_tells(
    name: str, ways: list[str]
) -> None:
    from linewise.models import specify

    spec = specify(name, {}, num_classes=10, in_chans=1, img_size=(28, 28), match="params", budget=80_000)
    layer = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[name](28, spec.sizes["hidden"])
    assert [way(layer, 128, 28, torch.float32, forward=forward) for forward in (True, False)] == ways
