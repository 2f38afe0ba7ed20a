"""What is recorded as a CUDA graph may not ask a tensor for its value, nor mix devices: torch's meta device, whose
tensors have no values, finds both where there is no other device."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from linewise.foundations.records import Recipe
from linewise.images.augment import augment
from linewise.models import Network, create_model
from linewise.models.recurrent.stacked import Stacked
from linewise.training.graph import Again
from linewise.training.stack import StackedStep
from linewise.training.step import Recorded

RECIPE = Recipe(batch_size=8, label_smoothing=0.1)


def there(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device="meta", requires_grad=x.requires_grad)


def move(net: Network) -> None:
    for module in net.modules():
        for kept in (module._parameters, module._buffers):
            for name, x in kept.items():
                if x is not None:
                    moved = there(x)
                    kept[name] = nn.Parameter(moved) if isinstance(x, nn.Parameter) else moved
        if isinstance(module, nn.RNNBase):
            module._flat_weights = [module._parameters[name] for name in module._flat_weights_names]


def optimiser(weights: list[Tensor]) -> AdamW:
    return AdamW(weights, lr=0.1, foreach=True)  # fused has no form without values


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("lstm", {}), ("bigru", {"layers": 2, "dropout": 0.2}), ("rnn", {"reading": "rows3-stride2+snake"})],
)
def test_a_stacked_step_runs_on_the_device_alone(name: str, sizes: dict[str, Any]) -> None:
    nets = [create_model(name, num_classes=10, img_size=(8, 8), hidden=12, **sizes) for _ in range(3)]
    stacked = Stacked(nets)
    step = StackedStep(stacked, RECIPE, 10, Again())
    noise = stacked.noise([torch.Generator() for _ in range(3)], 8)
    stacked.weights = {key: there(x) for key, x in stacked.weights.items()}
    step.weights = list(stacked.weights.values())
    step.optimiser = optimiser(step.weights)
    for key in ("alive_S", "step_S", "died_S", "fatal_S", "loss_S", "right_S"):
        setattr(step, key, there(getattr(step, key)))
    x_SBCHW = torch.empty(3, 8, 1, 8, 8, device="meta")
    y_SB = torch.empty(3, 8, dtype=torch.int64, device="meta")
    for _ in range(2):
        step._work(x_SBCHW, y_SB, *map(there, noise))
    assert {w.device.type for w in step.weights} == {"meta"}
    with pytest.raises(RuntimeError):
        step.loss_S.tolist()  # as it would be told of the step
    with pytest.raises(RuntimeError):
        step._work(x_SBCHW, torch.zeros(3, 8, dtype=torch.int64), *map(there, noise))


@pytest.mark.parametrize("name", ["lstm", "bigru", "rnn", "cnn", "mlp", "sequencer2d_nano"])
def test_a_step_of_one_network_runs_on_the_device_alone(name: str) -> None:
    net = create_model(name, num_classes=10, img_size=(8, 8))
    unclipped = RECIPE.model_copy(update={"clip": 0.0})  # torch's own clipping has no form without values either
    step = Recorded(net, unclipped, 10, Again())
    move(net)
    step.parameters = list(net.parameters())
    step.optimiser = optimiser(step.parameters)
    (found,) = step._work(torch.empty(8, 1, 8, 8, device="meta"), torch.empty(8, dtype=torch.int64, device="meta"))
    assert found.device.type == "meta"
    assert found.shape == (3,)


def test_images_are_augmented_where_they_lie() -> None:
    strengths = {"shift": 2.0, "rotate": 10.0, "scale": 0.1, "flip": 0.5, "erase": 0.3}
    x_BHWC = torch.empty(8, 8, 8, 1, dtype=torch.uint8, device="meta")
    for name, strength in strengths.items():
        assert augment(x_BHWC, {name: strength}, torch.Generator().manual_seed(0)).device.type == "meta"
