"""Ranks that share every batch come to the weights of one process that has all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from linewise.foundations.errors import ConfigError
from linewise.images.batches import Batches
from linewise.images.shares import Share
from linewise.models import create_model
from linewise.training.parallel import check_divisible
from ranks_at_work import KINDS, batches, together, trained

WORLDS = {2: ["lstm", "cnn", "majority"], 3: [kind for kind in KINDS if kind not in ("lstm", "majority")]}
"""Three ranks have shares that differ in every batch, and sums that depend on their order."""


@pytest.mark.parametrize("world", WORLDS)
def test_ranks_come_to_what_one_process_comes_to(world: int, tmp_path: Path) -> None:
    """In double precision: weights, statistics of batch norm, the table of epochs, answers; the same bits in all."""
    for kind, (first, *others) in together(world, WORLDS[world], tmp_path).items():
        for name, tensor in trained(kind).items():
            if name != "accuracy":
                assert float((first[name].double() - tensor.double()).abs().max()) < 1e-9, (kind, name)
        assert 0 < float(first["accuracy"]) <= 1
        for other in others:
            assert all(torch.equal(tensor, other[name]) for name, tensor in first.items()), kind


def test_all_ranks_stop_at_one_place_wherever_one_of_them_is_asked(tmp_path: Path) -> None:
    """In a step, while validation images are answered, while training images are counted at the end."""
    places, *others = (found["places"].tolist() for found in together(3, ["asked"], tmp_path)["asked"])
    assert others == [places] * 2
    steps, second, counted = [1, 2, 3, 4], [105, 106, 107, 108], [1208]
    assert places == steps + steps[-1:] * 2 + second + second[-1:] * 2 + counted * 2 + [-1] * 5


def generators() -> tuple[torch.Generator, torch.Generator]:
    return torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_shares_make_up_each_batch_with_its_augmentation(world: int) -> None:
    images = batches(47, 0, torch.float32)
    strengths = {"shift": 2.0, "rotate": 20.0, "scale": 0.2, "flip": 0.5, "erase": 0.3}
    order, chance = generators()
    whole = list(images.shuffled(12, order, strengths, chance))
    parts = []
    for rank in range(world):
        order, chance = generators()
        parts.append(list(images.shuffled(12, order, strengths, chance, share=Share(rank, world))))
    for step, (x_BCHW, y_B) in enumerate(whole):
        sizes = [len(part[step][1]) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        assert torch.equal(torch.cat([part[step][0] for part in parts]), x_BCHW)
        assert torch.equal(torch.cat([part[step][1] for part in parts]), y_B)


@pytest.mark.parametrize(("num_images", "batch_size"), [(47, 12), (48, 12), (49, 12), (50, 12), (5, 5), (3, 2)])
def test_sizes_are_those_of_the_batches(num_images: int, batch_size: int) -> None:
    images = Batches(np.zeros((num_images, 2, 2, 1), np.uint8), np.zeros(num_images), [0.5], [0.5])
    drawn = [len(y_B) for _, y_B in images.shuffled(batch_size, generators()[0])]
    assert images.sizes(batch_size) == drawn


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            [2, 2, 3],
            "--batch-size: 4 ranks, and each batch has 2 images\n"
            "  expected: batches with an image for each rank at least",
        ),
        (
            [12, 12, 3],
            "--batch-size: 4 ranks, and the last batch of an epoch has 3 images\n"
            "  expected: batches with an image for each rank at least",
        ),
    ],
)
def test_more_ranks_than_images_are_refused(sizes: list[int], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_divisible(create_model("linear", num_classes=3, img_size=(8, 8)), sizes, 4)
    assert str(caught.value) == message
