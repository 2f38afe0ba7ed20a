"""Spaces hold the study's recipe, leave the cost alone, and become recipes."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from linewise.foundations.records import DataRecord, Family, ModelSpec, Recipe
from linewise.models import create_model, list_models, specify
from linewise.models.cost import cost
from linewise.study.tuning.space import SPACES, apply, check_cost, space_of

SHAPE: dict[str, Any] = {"num_classes": 10, "in_chans": 1, "img_size": (28, 28)}
DATA = DataRecord(
    name="x", fingerprint="f", class_names=list("0123456789"), shape=(28, 28, 1), counts={}, preprocessing={}
)
LARGER = [name for name in list_models("sequencer*") if "nano" not in name]  # the same classes, slow to match
TRAINED = [name for name in list_models() if name not in ("timm", "majority", *LARGER)]


def small(name: str, **sizes: Any) -> ModelSpec:
    return specify(name, sizes, match="params", budget=30_000, **SHAPE)


def test_every_family_has_one_space() -> None:
    assert set(SPACES) == set(get_args(Family))


@pytest.mark.parametrize("name", TRAINED)
def test_the_dials_of_every_network_leave_its_cost_alone(name: str) -> None:
    model = small(name)
    space = space_of(model, Recipe())
    check_cost(model, space, DATA)
    names = [dial.name for dial in space]
    assert names[:4] == ["lr", "weight_decay", "clip", "label_smoothing"]
    for dial in space:
        assert dial.low <= dial.default <= dial.high
        assert not dial.log or dial.low > 0
    sizes = {dial.name: dial.high for dial in space if dial.name in ("dropout", "drop_path")}
    assert len(sizes) == len(space) - 4 <= 1
    if sizes:  # found another way: the network itself, built and counted
        loose = create_model(name, **SHAPE, **{**model.sizes, **sizes})
        for amount in ("parameters", "macs", "sequential_depth"):  # what is kept for the backward pass may grow
            assert getattr(cost(loose), amount) == getattr(model.cost, amount)
        # And the size does something: two passes in training differ.
        torch.manual_seed(0)
        for parameter in loose.head.parameters():  # zero at first in some
            torch.nn.init.normal_(parameter)
        x_BCHW = torch.rand(16, 1, 28, 28)
        assert not torch.equal(loose.train()(x_BCHW), loose(x_BCHW))


def test_a_cost_that_changes_is_our_mistake() -> None:
    model = small("lstm")
    wrong = model.model_copy(update={"cost": model.cost.model_copy(update={"macs": 1})})
    with pytest.raises(AssertionError):
        check_cost(wrong, space_of(wrong, Recipe()), DATA)


def test_what_was_given_is_not_tuned() -> None:
    assert "dropout" in {d.name for d in space_of(small("lstm"), Recipe())}
    assert "dropout" not in {d.name for d in space_of(small("lstm", dropout=0.1), Recipe())}
    off = {d.name for d in space_of(small("cnn"), Recipe(clip=0, weight_decay=0))}
    assert off == {"lr", "label_smoothing", "dropout"}


def test_a_range_is_widened_to_the_study_s_own_recipe() -> None:
    space = {d.name: d for d in space_of(small("cnn"), Recipe(lr=0.3, weight_decay=1e-6))}
    assert (space["lr"].low, space["lr"].high, space["lr"].default) == (1e-3, 0.3, 0.3)
    assert (space["weight_decay"].low, space["weight_decay"].high) == (1e-6, 0.3)


def test_settings_become_a_recipe_and_sizes() -> None:
    model, recipe = small("lstm"), Recipe(epochs=7, batch_size=32, augment={"shift": 2.0})
    settings = {"lr": 0.02, "weight_decay": 0.1, "clip": 2.0, "label_smoothing": 0.05, "dropout": 0.25}
    tuned, other = apply(settings, model, recipe)
    assert tuned == model.model_copy(update={"sizes": {**model.sizes, "dropout": 0.25}})
    assert other == Recipe(
        epochs=7, batch_size=32, augment={"shift": 2.0}, lr=0.02, weight_decay=0.1, clip=2.0, label_smoothing=0.05
    )
    with pytest.raises(AssertionError):
        apply({"width": 3.0}, model, recipe)
