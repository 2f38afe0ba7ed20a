"""The optimiser and its schedule against torch's own classes, to the bit."""

from __future__ import annotations

import pytest
import torch

from linewise.foundations.records import Recipe
from linewise.training.optimiser import AdamW, OneCycle, make_optimiser


@pytest.mark.parametrize("total", [4, 5, 7, 30, 1564])
@pytest.mark.parametrize("highest", [5e-3, 1e-2, 0.3])
def test_the_rates_are_those_of_torchs_one_cycle(total: int, highest: float) -> None:
    rise = max(0.25, 2 / total)
    ours = AdamW([torch.nn.Parameter(torch.zeros(1))], highest, 0.0)
    schedule = OneCycle(ours, highest, total, rise)
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=highest)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        theirs, max_lr=highest, total_steps=total, pct_start=rise, cycle_momentum=False
    )
    for _ in range(total - 1):
        assert schedule.get_last_lr() == reference.get_last_lr()
        theirs.step()
        schedule.step()
        reference.step()


def test_the_steps_are_those_of_torchs_adamw_and_what_has_no_gradient_stays() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.Linear(12, 5))
    net.add_module("unused", torch.nn.Linear(2, 2))
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    twin = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.Linear(12, 5))
    twin.add_module("unused", torch.nn.Linear(2, 2))
    twin.load_state_dict(net.state_dict())
    twin = twin.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    recipe = Recipe(lr=1e-2, weight_decay=0.1)
    ours, schedule = make_optimiser(net, recipe, 20)
    theirs = torch.optim.AdamW(
        [
            {"params": [p for p in twin.parameters() if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for p in twin.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=1e-2, betas=(0.9, 0.99), fused=True,
    )  # fmt: skip
    reference = torch.optim.lr_scheduler.OneCycleLR(
        theirs, max_lr=1e-2, total_steps=21, pct_start=0.25, cycle_momentum=False
    )
    for step in range(20):
        x = torch.randn(4, 2, 4, 4)
        for each, optimiser, rates in ((net, ours, schedule), (twin, theirs, reference)):
            first = each[2] if step != 7 else each[2].requires_grad_(False)  # once nothing for the last layer
            optimiser.zero_grad()
            first(each[1](each[0](x))).square().mean().backward()
            optimiser.step()
            rates.step()
            each[2].requires_grad_(True)
        assert all(torch.equal(p, q) for p, q in zip(net.parameters(), twin.parameters(), strict=True))
    before = twin.unused.weight.clone()  # type: ignore[union-attr]
    assert torch.equal(net.unused.weight, before)  # type: ignore[union-attr]


def test_the_schedule_ends() -> None:
    optimiser = AdamW([torch.nn.Parameter(torch.zeros(1))], 0.1, 0.0)
    schedule = OneCycle(optimiser, 0.1, 5, 0.4)
    for _ in range(5):
        schedule.step()
    with pytest.raises(ValueError, match="step 6 of 5"):
        schedule.step()


@pytest.mark.parametrize("fall", ["cosine", "linear"])
@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_a_schedule_goes_to_any_step_as_if_by_steps(steps: int, fall: str) -> None:
    recipe = Recipe(epochs=1, fall=fall)
    _, there = make_optimiser(torch.nn.Linear(2, 2), recipe, steps)
    for step in range(steps):
        _, gone = make_optimiser(torch.nn.Linear(2, 2), recipe, steps)
        gone.go_to(step)
        assert gone.get_last_lr() == there.get_last_lr()
        there.step()
