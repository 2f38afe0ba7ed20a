"""Batches and augmentation: nothing lost, nothing invented, decided by the generator alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from linewise.foundations.errors import ConfigError
from linewise.images.augment import AUGMENTATIONS, augment, check_strengths
from linewise.images.batches import Batches

STRENGTHS = {"shift": 2.0, "rotate": 15.0, "scale": 0.2, "flip": 0.5, "erase": 0.3}


def colours(n: int = 37) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, 8, 6, 3), dtype=np.uint8), np.arange(n)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_one_pass_shows_every_image_once_normalised() -> None:
    images_NHWC, labels_N = colours()
    mean, std = [0.1, 0.5, 0.9], [0.2, 0.3, 0.4]
    seen = {}
    for x_BCHW, y_B in Batches(images_NHWC, labels_N, mean, std).shuffled(8, generator(1)):
        assert x_BCHW.is_contiguous(memory_format=torch.channels_last)
        for x_CHW, y in zip(x_BCHW, y_B, strict=True):
            seen[int(y)] = x_CHW.numpy()
    assert sorted(seen) == list(range(37))
    for label, x_CHW in seen.items():
        expected = (images_NHWC[label] / 255.0 - np.array(mean)) / np.array(std)
        np.testing.assert_allclose(x_CHW.transpose(1, 2, 0), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("num_images", "sizes"), [(32, [16, 16]), (37, [16, 16, 5]), (33, [16, 17]), (17, [17]), (3, [3]), (1, [1])]
)
def test_a_single_image_left_over_joins_the_batch_before_it(num_images: int, sizes: list[int]) -> None:
    data = Batches(*colours(num_images), mean=[0.5] * 3, std=[0.5] * 3)
    assert [len(y_B) for _, y_B in data.shuffled(16, generator(0))] == sizes
    assert data.num_steps(16) == len(sizes)


def test_the_order_is_decided_by_its_generator() -> None:
    data = Batches(*colours(), mean=[0.5] * 3, std=[0.5] * 3)

    def order(seed: int) -> list[int]:
        return [int(y) for _, y_B in data.shuffled(5, generator(seed)) for y in y_B]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_read_only_memory_map_serves_as_well(tmp_path) -> None:
    images_NHWC, labels_N = colours()
    np.save(tmp_path / "x.npy", images_NHWC)
    mapped = Batches(np.load(tmp_path / "x.npy", mmap_mode="r"), labels_N, [0.5] * 3, [0.5] * 3)
    plain = Batches(images_NHWC, labels_N, [0.5] * 3, [0.5] * 3)
    for (a, _), (b, _) in zip(mapped.in_order(10), plain.in_order(10), strict=True):
        assert torch.equal(a, b)
    for (a, _), (b, _) in zip(mapped.shuffled(10, generator(0)), plain.shuffled(10, generator(0)), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_augmentations_repeat_with_their_seed_and_differ_with_another(name: str) -> None:
    x_BHWC = torch.from_numpy(colours()[0])
    strengths = {name: STRENGTHS[name]}
    first = augment(x_BHWC, strengths, generator(5))
    assert first.dtype == torch.uint8
    assert first.shape == x_BHWC.shape
    assert torch.equal(first, augment(x_BHWC, strengths, generator(5)))
    assert not torch.equal(first, augment(x_BHWC, strengths, generator(6)))
    assert not torch.equal(first, x_BHWC)


def test_a_shift_moves_the_picture_and_repeats_the_border() -> None:
    x_BHWC = torch.from_numpy(colours(200)[0])
    shifted = augment(x_BHWC, {"shift": 2}, generator(0))
    found = set()
    for before, after in zip(x_BHWC, shifted, strict=True):
        matches = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if torch.equal(
                after, before[(torch.arange(8) + dy).clamp(0, 7)][:, (torch.arange(6) + dx).clamp(0, 5)]
            )
        ]
        assert len(matches) == 1
        found.add(matches[0])
    assert len(found) == 25


@pytest.mark.parametrize(("most", "shape"), [(1, (28, 28, 1)), (9, (8, 6, 3)), (64, (5, 7, 3)), (3, (1, 4, 1))])
def test_a_shift_is_a_window_of_the_image_with_its_border_drawn_out(
    most: int, shape: tuple[int, int, int]
) -> None:
    images_NHWC = np.random.default_rng(0).integers(0, 256, (33, *shape), dtype=np.uint8)
    by_2N = torch.randint(-most, most + 1, (2, 33, 1), generator=generator(3))[:, :, 0].numpy() + most
    shifted = augment(torch.from_numpy(images_NHWC), {"shift": most}, generator(3)).numpy()
    for image_HWC, dy, dx, found in zip(images_NHWC, *by_2N, shifted, strict=True):
        wide = np.pad(image_HWC, ((most, most), (most, most), (0, 0)), mode="edge")
        np.testing.assert_array_equal(found, wide[dy : dy + shape[0], dx : dx + shape[1]])


def test_a_flip_is_a_mirror_image_of_about_the_asked_share() -> None:
    x_BHWC = torch.from_numpy(colours(400)[0])
    flipped = augment(x_BHWC, {"flip": 0.5}, generator(0))
    same = (flipped == x_BHWC).flatten(1).all(1)
    mirrored = (flipped == x_BHWC.flip(2)).flatten(1).all(1)
    assert bool((same ^ mirrored).all())
    assert 160 < int(mirrored.sum()) < 240


def test_a_turn_by_90_degrees_is_a_turn_by_90_degrees() -> None:
    x_BHWC = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 7, 7, 1), dtype=np.uint8))
    from linewise.images.augment import _warp

    turned = _warp(x_BHWC, torch.zeros(1), torch.ones(1))
    assert torch.equal(turned, x_BHWC.rot90(1, (1, 2))) or torch.equal(turned, x_BHWC.rot90(-1, (1, 2)))


def test_a_turn_keeps_circles_on_images_that_are_not_square() -> None:
    """A disc in the middle of a wide image is still a disc after any turn."""
    rows, columns = np.mgrid[0:21, 0:41]
    disc = ((rows - 10) ** 2 + (columns - 20) ** 2 <= 49).astype(np.uint8) * 255
    x_BHWC = torch.from_numpy(np.repeat(disc[None, :, :, None], 8, 0))
    turned = augment(x_BHWC, {"rotate": 180}, generator(0))
    assert ((turned > 127) != (x_BHWC > 127)).float().mean() < 0.02


def test_erasing_blackens_one_square() -> None:
    x_BHWC = torch.full((50, 8, 6, 1), 9, dtype=torch.uint8)
    erased = augment(x_BHWC, {"erase": 0.5}, generator(0))
    assert ((erased == 0).flatten(1).sum(1) == 9).all()


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        (
            {"shfit": 2.0},
            "unknown augmentation 'shfit'\n  expected: one of erase, flip, rotate, scale, shift\n"
            "  to mend:  did you mean 'shift'?",
        ),
        (
            {"flip": 1.5},
            "--augment: flip=1.5\n  expected: above 0 and at most 1: probability of a left-right mirror image",
        ),
        ({"shift": float("nan")}, "--augment: shift=nan\n  expected: above 0 and at most 64: whole pixels"),
    ],
)
def test_wrong_strengths_are_explained(strengths: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_strengths(strengths)
    assert str(caught.value) == message


@pytest.mark.parametrize("skip", [0, 1, 3, 4])
def test_batches_that_are_left_out_change_nothing_about_the_others(skip: int) -> None:
    rng = np.random.default_rng(5)
    images = Batches(rng.integers(0, 256, (38, 6, 6, 1), dtype=np.uint8), np.arange(38) % 3, [0.5], [0.2])

    def order() -> torch.Generator:
        return torch.Generator().manual_seed(1)

    whole, augmenting = [], torch.Generator().manual_seed(2)
    state = augmenting.get_state()
    for step, batch in enumerate(images.shuffled(10, order(), {"shift": 1.0}, augmenting), start=1):
        whole.append(batch)
        if step == skip:
            state = augmenting.get_state()
    going_on = torch.Generator()
    going_on.set_state(state)
    rest = list(images.shuffled(10, order(), {"shift": 1.0}, going_on, skip=skip))
    assert len(rest) == 4 - skip
    for (x, y), (x_whole, y_whole) in zip(rest, whole[skip:], strict=True):
        assert torch.equal(x, x_whole)
        assert torch.equal(y, y_whole)
