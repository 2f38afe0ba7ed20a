"""Readings: what a step holds, and that nothing is lost."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linewise.foundations.errors import ConfigError
from linewise.reading import READINGS, parse

SIDES = st.integers(1, 64)


@pytest.mark.parametrize("name", list(READINGS))
@given(height=SIDES, width=SIDES, channels=st.sampled_from([1, 3]))
@settings(max_examples=40, deadline=None)
def test_reading_then_unreading_is_the_identity(name: str, height: int, width: int, channels: int) -> None:
    reading = READINGS[name]
    x_BCHW = torch.arange(2 * channels * height * width, dtype=torch.float32).view(2, channels, height, width)
    x_BTD = reading.read(x_BCHW)
    assert x_BTD.shape == (2, reading.num_steps(height, width), reading.num_features(channels, height, width))
    assert torch.equal(reading.unread(x_BTD, channels, height, width), x_BCHW)


def test_a_row_step_holds_one_row_of_pixels() -> None:
    x_BCHW = torch.rand(1, 3, 5, 4)
    step_D = READINGS["rows"].read(x_BCHW)[0, 2]
    assert step_D.tolist() == [x_BCHW[0, c, 2, w].item() for w in range(4) for c in range(3)]


def test_a_column_step_holds_one_column_of_pixels() -> None:
    x_BCHW = torch.rand(1, 3, 5, 4)
    step_D = READINGS["columns"].read(x_BCHW)[0, 3]
    assert step_D.tolist() == [x_BCHW[0, c, h, 3].item() for h in range(5) for c in range(3)]


def test_a_bundle_names_several_readings() -> None:
    assert parse("rows+columns") == (READINGS["rows"], READINGS["columns"])


def test_an_unknown_reading_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("rows+collumns")
    assert str(caught.value) == (
        "unknown reading 'collumns'\n  expected: one of columns, rows\n  to mend:  did you mean 'columns'?"
    )


def test_the_same_reading_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="names the same reading twice"):
        parse("rows+rows")
