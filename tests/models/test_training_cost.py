"""Operations of a training step: closed forms against torch's own counter, which steps through both passes."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from linewise.models.create import create_on_meta
from linewise.models.network import NetworkConfig, check_sizes
from linewise.models.training_cost import training_macs


def config(name: str, side: int = 8, **sizes: object) -> NetworkConfig:
    return NetworkConfig(
        name=name, num_classes=10, in_chans=1, img_size=(side, side), sizes=check_sizes(name, sizes)
    )


def counted(asked: NetworkConfig) -> float:
    """What torch counts for one image, forward and backward."""
    network, counter = create_on_meta(asked), FlopCounterMode(display=False)
    with counter:
        network(torch.zeros(2, 1, *asked.img_size, device="meta")).sum().backward()
    return counter.get_total_flops() / 4


@pytest.mark.parametrize("name", ["cnn", "mlp", "linear", "vit"])
def test_layers_without_recurrence_are_counted_exactly(name: str) -> None:
    assert training_macs(config(name)) == counted(config(name))


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "bilstm", "sequencer2d_nano"])
def test_recurrent_layers_are_counted_but_for_the_state_before_the_first_step(name: str) -> None:
    """Nobody asks for the gradient of the zeros that a layer starts from: R·G·U² less, of T·R·G·U·(3D + 3U)."""
    asked = config(name, side=16)
    ours, torchs = training_macs(asked), counted(asked)
    assert torchs < ours < torchs * 1.1


def test_an_lstm_by_hand() -> None:
    """G·T·U·(2D + 3U) and 3 products of the classifier; the first layer needs no gradient of its input."""
    gates, steps, inputs, units, classes = 4, 8, 8, 5, 10
    expected = gates * steps * units * (2 * inputs + 3 * units) + 3 * units * classes
    assert training_macs(config("lstm", hidden=units, layers=1)) == expected


def test_what_is_not_trained_costs_nothing() -> None:
    assert training_macs(config("majority")) == 0
