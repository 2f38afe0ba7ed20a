"""Times in alternation: whose turn it is, how often, and what is counted."""

from __future__ import annotations

import time

import numpy as np
import torch

from linewise.foundations.records import Recipe
from linewise.images.batches import Batches
from linewise.models import create_model
from linewise.training.alternation import WARM_UP, alternate, answering, learning


def test_every_task_has_its_turn_in_every_round() -> None:
    said: list[str] = []
    done: list[int] = []

    def task(name: str, took_s: float):
        def work() -> float:
            said.append(name)
            return took_s

        return work

    turns = alternate([task("a", 0.5), task("b", 0.2)], rounds=3, at_least_s=0.6, on_round=done.append)
    assert turns == [[0.5] * 3, [0.2] * 3] or np.allclose(turns, [[0.5] * 3, [0.2] * 3])
    assert said == ["a"] * WARM_UP + ["b"] * WARM_UP + (["a"] + ["b"] * 3) * 3
    assert done == [1, 2, 3]


def test_the_seconds_are_those_of_the_clock() -> None:
    network = create_model("lstm", num_classes=3, in_chans=1, img_size=(8, 8), hidden=8)
    images = Batches(np.zeros((64, 8, 8, 1), np.uint8), np.arange(64) % 3, [0.5], [0.5])
    started = time.perf_counter()
    told_s = answering(network, torch.zeros(4, 1, 8, 8))()
    learned_s = learning(network, images, Recipe(batch_size=16, epochs=7))()
    took_s = time.perf_counter() - started
    assert 0 < told_s < took_s
    assert 0 < learned_s < took_s - told_s


def test_learning_takes_one_pass_whatever_the_epochs() -> None:
    network = create_model("lstm", num_classes=3, in_chans=1, img_size=(8, 8), hidden=8)
    images = Batches(np.zeros((64, 8, 8, 1), np.uint8), np.arange(64) % 3, [0.5], [0.5])
    before = [p.detach().clone() for p in network.parameters()]
    passes = 0
    forward = network.forward

    def counting(x: torch.Tensor) -> torch.Tensor:
        nonlocal passes
        passes += network.training
        return forward(x)

    network.forward = counting  # type: ignore[method-assign]
    learning(network, images, Recipe(batch_size=16, epochs=7))()
    assert passes == 4
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_a_loss_that_is_not_finite_has_a_duration_too() -> None:
    network = create_model("lstm", num_classes=3, in_chans=1, img_size=(8, 8), hidden=8)
    torch.nn.init.constant_(network.head.bias, float("nan"))  # type: ignore[arg-type]
    images = Batches(np.zeros((64, 8, 8, 1), np.uint8), np.arange(64) % 3, [0.5], [0.5])
    assert learning(network, images, Recipe(batch_size=16))() > 0
