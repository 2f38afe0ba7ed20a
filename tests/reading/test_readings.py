"""Readings: what a step holds, and that nothing is lost."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linewise.foundations.errors import ConfigError
from linewise.reading import EXAMPLES, ORDERS, parse
from linewise.reading.orders import inverse, permuted

SIDES = st.integers(1, 64)
MORE = [
    "patches3-zorder-reversed",
    "rows7-stride3",
    "columns4-stride4-reversed",
    "patches5-permuted9",
    "hilbert-reversed",
    "columns3-stride2-outwards",
    "patches3-outwards-reversed",
]


@pytest.mark.parametrize("name", list(ORDERS))
def test_an_order_visits_every_cell_once_for_every_size_up_to_64(name: str) -> None:
    for height in range(1, 65):
        for width in range(1, 65, 1 if name in ("hilbert", "zorder", "spiral-in") else 7):
            order_T = ORDERS[name](height, width)
            assert np.array_equal(np.sort(order_T), np.arange(height * width))
            assert np.array_equal(order_T[inverse(order_T)], np.arange(height * width))


@pytest.mark.parametrize("name", [*EXAMPLES, *MORE])
@given(height=SIDES, width=SIDES, channels=st.sampled_from([1, 3]))
@settings(max_examples=40, deadline=None)
def test_reading_then_unreading_is_the_identity(name: str, height: int, width: int, channels: int) -> None:
    (reading,) = parse(name)
    x_BCHW = torch.arange(2 * channels * height * width, dtype=torch.float32).view(2, channels, height, width) + 1
    x_BTD = reading.read(x_BCHW)
    assert reading.size(height, width) == reading.order(height, width).shape
    assert x_BTD.shape == (2, reading.num_steps(height, width), reading.num_features(channels, height, width))
    assert torch.equal(reading.unread(x_BTD, channels, height, width), x_BCHW)


@pytest.mark.parametrize("name", [*EXAMPLES, *MORE])
def test_a_pixel_is_first_seen_at_the_first_step_that_holds_it(name: str) -> None:
    (reading,) = parse(name)
    order_TP, seen_HW = reading.order(11, 7), reading.first_seen(11, 7)
    for pixel in range(77):
        assert seen_HW[pixel // 7, pixel % 7] == 1 + min(t for t, held_P in enumerate(order_TP) if pixel in held_P)


def test_outwards_begins_in_the_middle_and_goes_before_and_after_it_together() -> None:
    assert parse("rows-outwards")[0].order(6, 1).tolist() == [[2, 3], [1, 4], [0, 5]]
    assert parse("rows-outwards-reversed")[0].order(5, 1).tolist() == [[0, 4], [1, 3], [2, -1]]
    assert parse("rows3-stride2-outwards")[0].order(7, 1).tolist() == [
        [2, 3, 4, -1, -1, -1],
        [0, 1, 2, 4, 5, 6],
    ]
    assert parse("columns-outwards")[0].order(3, 1).tolist() == [[0, 1, 2, -1, -1, -1]]


@pytest.mark.parametrize("name", ["rows", "columns", "rows2", "columns2", "rows5-stride2", "columns3"])
def test_shortcuts_for_lines_hold_what_their_order_says(name: str) -> None:
    (reading,) = parse(name)
    x_BCHW = torch.rand(2, 3, 11, 7)
    flat_BPC = torch.cat([x_BCHW.flatten(2), torch.zeros(2, 3, 1)], dim=2).transpose(1, 2)
    order_TP = reading.order(11, 7)
    assert torch.equal(reading.read(x_BCHW), flat_BPC[:, torch.from_numpy(order_TP)].flatten(2))


def test_a_row_step_holds_one_row_of_pixels() -> None:
    x_BCHW = torch.rand(1, 3, 5, 4)
    step_D = parse("rows")[0].read(x_BCHW)[0, 2]
    assert step_D.tolist() == [x_BCHW[0, c, 2, w].item() for w in range(4) for c in range(3)]


def test_a_column_step_holds_one_column_of_pixels() -> None:
    x_BCHW = torch.rand(1, 3, 5, 4)
    step_D = parse("columns")[0].read(x_BCHW)[0, 3]
    assert step_D.tolist() == [x_BCHW[0, c, h, 3].item() for h in range(5) for c in range(3)]


def test_a_window_holds_its_rows_and_the_last_is_filled_with_zeros() -> None:
    x_BCHW = torch.rand(1, 1, 8, 3)
    x_TD = parse("rows5-stride2")[0].read(x_BCHW)[0]
    assert x_TD.shape == (3, 15)  # rows 0-4, 2-6, 4-8: row 8 is not there
    assert torch.equal(x_TD[1], x_BCHW[0, 0, 2:7].flatten())
    assert torch.equal(x_TD[2], torch.cat([x_BCHW[0, 0, 4:8].flatten(), torch.zeros(3)]))


def test_a_patch_step_holds_one_patch_line_by_line() -> None:
    x_BCHW = torch.rand(1, 3, 8, 12)
    step_D = parse("patches4-snake")[0].read(x_BCHW)[0, 3]  # second line, from the right
    assert torch.equal(step_D.view(4, 4, 3), x_BCHW[0, :, 4:8, 8:12].permute(1, 2, 0))


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (5, 9), (12, 31), (64, 1), (6, 7), (63, 40)])
def test_snake_spirals_and_hilbert_go_from_neighbour_to_neighbour(size: tuple[int, int]) -> None:
    height, width = size
    for name in ("snake", "spiral-in", "spiral-out", "hilbert"):
        rows, columns = np.divmod(ORDERS[name](height, width), width)
        jumps = np.abs(np.diff(rows)) + np.abs(np.diff(columns))
        odd = name == "hilbert" and max(size) % 2 and not min(size) % 2
        assert jumps.max(initial=1) <= (2 if odd else 1), name
        assert (jumps == 2).sum() <= (1 if odd else 0)


def test_the_hilbert_curve_of_two_by_two_quarters_fills_one_quarter_after_the_other() -> None:
    quarter_T = [(cell // 16 // 8, cell % 16 // 8) for cell in ORDERS["hilbert"](16, 16)]
    assert all(len(set(quarter_T[k : k + 64])) == 1 for k in range(0, 256, 64))


def test_readings_can_be_pickled() -> None:
    for name in (*EXAMPLES, *MORE):
        (reading,) = parse(name)
        assert np.array_equal(pickle.loads(pickle.dumps(reading)).order(9, 7), reading.order(9, 7))


def test_a_permutation_is_of_its_seed() -> None:
    assert np.array_equal(permuted(3)(7, 9), permuted(3)(7, 9))
    assert not np.array_equal(permuted(3)(7, 9), permuted(4)(7, 9))


def test_a_spiral_ends_in_the_middle() -> None:
    assert ORDERS["spiral-in"](5, 5)[-1] == 12
    assert ORDERS["spiral-out"](5, 5)[0] == 12


def test_reversed_is_the_same_steps_backwards() -> None:
    x_BCHW = torch.rand(2, 3, 9, 9)
    ahead, back = parse("rows+rows-reversed")
    assert torch.equal(ahead.read(x_BCHW).flip(1), back.read(x_BCHW))


KNOWN = (
    "columns, columns5-stride2, hilbert, patches, patches4, patches4-hilbert, patches4-snake, patches4-spiral-in, "
    "permuted, permuted0, pixels, rows, rows-outwards, rows-reversed, rows5-stride2, snake, spiral-in, spiral-out, zorder"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "rows+collumns",
            f"unknown reading 'collumns'\n  expected: one of {KNOWN}\n  to mend:  did you mean 'columns' or 'columns5-stride2'?",
        ),
        (
            "hilbrt",
            f"unknown reading 'hilbrt'\n  expected: one of {KNOWN}\n  to mend:  did you mean 'hilbert' or 'patches4-hilbert'?",
        ),
        ("", f"unknown reading ''\n  expected: one of {KNOWN}"),
        ("x" * 99, f"unknown reading '{'x' * 80}'\n  expected: one of {KNOWN}"),
        (
            "patches4-hilbrt",
            f"unknown reading 'patches4-hilbrt'\n  expected: one of {KNOWN}\n"
            "  to mend:  did you mean 'patches4-hilbert' or 'patches4' or 'patches4-spiral-in'?",
        ),
        (
            "raster",
            "unknown reading 'raster'\n"
            "  expected: one of columns, hilbert, patches, permuted, pixels, rows, snake, spiral-in, spiral-out, zorder\n"
            "  to mend:  did you mean 'zorder'?",
        ),
        ("rows+rows", "reading 'rows+rows' names the same reading twice\n  expected: different readings"),
        ("rows+rows1", "reading 'rows+rows1' names the same reading twice\n  expected: different readings"),
        (
            "rows2-stride3",
            "reading 'rows2-stride3' leaves out rows: windows of 2 every 3\n  expected: a stride of at most 2",
        ),
        (
            "columns-stride2",
            "reading 'columns-stride2' leaves out columns: windows of 1 every 2\n  expected: a stride of at most 1",
        ),
        ("patches0", "0 in the reading 'patches0'\n  expected: a whole number from 1 to 4,096"),
        ("rows4097", "4097 in the reading 'rows4097'\n  expected: a whole number from 1 to 4,096"),
        (
            "rows2-stride" + "9" * 80,
            f"999999999 in the reading 'rows2-stride{'9' * 68}'\n  expected: a whole number from 1 to 4,096",
        ),
        (
            "rows-reversed-reversed",
            "reading 'rows-reversed-reversed' is reversed twice\n  expected: -reversed once, or not at all",
        ),
        (
            "x" * 90 + "-reversed-reversed",
            f"reading '{'x' * 80}' is reversed twice\n  expected: -reversed once, or not at all",
        ),
        (
            "rows-outwards-outwards",
            "reading 'rows-outwards-outwards'\n  expected: -outwards once, before -reversed",
        ),
        (
            "rows-reversed-outwards",
            "reading 'rows-reversed-outwards'\n  expected: -outwards once, before -reversed",
        ),
        ("x" * 90 + "-outwards" * 2, f"reading '{'x' * 80}'\n  expected: -outwards once, before -reversed"),
        ("+".join(f"permuted{i}" for i in range(65)), "65 readings of one image\n  expected: at most 64"),
    ],
)
def test_wrong_readings_are_explained(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("rows1+columns1-stride1", ["rows", "columns"]),
        ("rows4+columns4-stride2+rows4096", ["rows4", "columns4-stride2", "rows4096"]),
        ("patches1+patches1-snake", ["pixels", "snake"]),
        ("patches4-raster+patches4-permuted7", ["patches4", "patches4-permuted7"]),
        ("permuted+permuted12-reversed", ["permuted0", "permuted12-reversed"]),
        ("rows-outwards-reversed", ["rows-outwards-reversed"]),
        ("+".join(f"permuted{i}" for i in range(64)), [f"permuted{i}" for i in range(64)]),
    ],
)
def test_a_reading_has_one_name_however_it_was_written(text: str, names: list[str]) -> None:
    assert [reading.name for reading in parse(text)] == names
    assert parse("+".join(names)) == parse(text)


def test_windows_and_patches_are_as_large_as_their_names_say() -> None:
    """On an image of 12 × 10: steps, and pixels of each."""
    sizes = {
        "rows": (12, 10), "rows4": (9, 40), "rows4-stride3": (4, 40), "columns": (10, 12), "columns3-stride2": (5, 36),
        "pixels": (120, 1), "hilbert": (120, 1), "patches4": (9, 16), "patches5-snake": (6, 25), "permuted2": (120, 1),
    }  # fmt: skip
    assert {name: parse(name)[0].size(12, 10) for name in sizes} == sizes


def test_orders_stay_what_they_were() -> None:
    """A saved network needs the order it was trained with. These were followed on paper."""
    assert ORDERS["hilbert"](4, 4).tolist() == [0, 1, 5, 4, 8, 12, 13, 9, 10, 14, 15, 11, 7, 6, 2, 3]
    assert ORDERS["hilbert"](2, 6).tolist() == [0, 6, 7, 1, 2, 8, 9, 3, 4, 10, 11, 5]
    assert ORDERS["hilbert"](2, 3).tolist() == [0, 3, 4, 5, 2, 1]
    assert ORDERS["hilbert"](3, 1).tolist() == [0, 1, 2]
    assert ORDERS["zorder"](3, 5).tolist() == [0, 1, 5, 6, 2, 3, 7, 8, 10, 11, 12, 13, 4, 9, 14]
    assert ORDERS["spiral-in"](3, 4).tolist() == [0, 1, 2, 3, 7, 11, 10, 9, 8, 4, 5, 6]
    assert ORDERS["snake"](3, 2).tolist() == [0, 1, 3, 2, 4, 5]
    assert permuted(3)(2, 3).tolist() == np.random.default_rng(3).permutation(6).tolist()


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^an image of shape \(1, 0, 5\) has no pixels$"):
        parse("hilbert")[0].read(torch.zeros(1, 1, 0, 5))


def test_readings_are_values() -> None:
    first, same, other = parse("rows5-stride2")[0], parse("rows5-stride2")[0], parse("rows5")[0]
    assert first == same != other
    assert first != "rows5-stride2"
    assert hash(first) == hash(same)
    assert repr(first) == "Reading('rows5-stride2')"
