"""The view Inside a cell in a real browser: its numbers are those of the network, and fit its equations."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import tanh

import httpx
import pytest

pytestmark = pytest.mark.browser


def gates(seen, model: str) -> dict:
    """What the server says of the picture that the page begins with."""
    found = httpx.get(f"{seen.address}/v1/examples?model=lstm-0").json()["examples"][4]
    body = {"model": model, "image": found["image"], "drawn": found["drawn"], "gates": True}
    return httpx.post(f"{seen.address}/v1/read", json=body, timeout=20).json()["trace"]["gates"]


def numbers(text: str) -> list[float]:
    return [float(x.replace("−", "-")) for x in re.findall(r"−?\d+\.\d+", text)]


def open_cell(visit: Callable, model: str = "lstm-0"):
    seen = visit()
    seen.wait_answer()
    seen.choose(model)
    seen.page.goto(f"{seen.address}/#cell")
    seen.page.wait_for_selector(".equation")
    return seen


def where(seen) -> tuple[int, int]:
    """The row and the unit of the heading, both from 0."""
    row, unit = (
        re.search(r"row (\d+), unit (\d+)", seen.text("h2 >> nth=0") + seen.text(".equations >> xpath=.."))[1],
        0,
    )
    unit = re.search(r"unit (\d+)", seen.text(".equations >> xpath=.."))[1]
    return int(row) - 1, int(unit) - 1


def test_numbers_of_an_lstm_are_the_networks_and_add_up(visit: Callable) -> None:
    seen = open_cell(visit)
    known = gates(seen, "lstm-0")
    for row in (1, 3, 8):
        seen.page.locator("input[type=range]").fill(str(row))
        t, u = where(seen)
        assert t == row - 1
        chips = [numbers(text)[0] for text in seen.page.locator(".chip").all_inner_texts()]
        for name, value in zip(("forget", "input", "candidate", "cell", "output", "hidden"), chips, strict=True):
            assert value == pytest.approx(known[name][t][u], abs=0.0051)
        before = known["cell"][t - 1][u] if t else 0.0
        *put, cell = numbers(seen.page.locator(".put").nth(3).inner_text())
        assert put == pytest.approx(
            [known["forget"][t][u], before, known["input"][t][u], known["candidate"][t][u]], abs=0.0051
        )
        assert put[0] * put[1] + put[2] * put[3] == pytest.approx(cell, abs=0.03)
        output, inner, hidden = numbers(seen.page.locator(".put").nth(5).inner_text())
        assert output * tanh(inner) == pytest.approx(hidden, abs=0.02)
        kept = [numbers(text)[0] for text in seen.page.locator(".keep em").all_inner_texts()]
        assert kept[1] + kept[2] == pytest.approx(kept[3], abs=0.011)


def test_numbers_of_a_gru_are_the_networks_and_add_up(visit: Callable) -> None:
    seen = open_cell(visit, "gru-0")
    known = gates(seen, "gru-0")
    seen.page.wait_for_selector("text=GRU, row")
    for row in (1, 6):
        seen.page.locator("input[type=range]").fill(str(row))
        t, u = where(seen)
        chips = [numbers(text)[0] for text in seen.page.locator(".chip").all_inner_texts()]
        for name, value in zip(("reset", "candidate", "update", "hidden"), chips, strict=True):
            assert value == pytest.approx(known[name][t][u], abs=0.0051)
        z, n, again, before, hidden = numbers(seen.page.locator(".put").nth(3).inner_text())
        assert z == again
        assert before == pytest.approx(known["hidden"][t - 1][u] if t else 0, abs=0.0051)
        assert (1 - z) * n + z * before == pytest.approx(hidden, abs=0.03)


def test_the_second_direction_reads_from_below(visit: Callable) -> None:
    """Of a unit that reads backwards, what came before stands in the row beneath."""
    seen = open_cell(visit, "bilstm-0")
    known = gates(seen, "bilstm-0")
    seen.page.locator(".strips").focus()
    seen.page.keyboard.press("End")
    seen.page.locator("input[type=range]").fill("3")
    t, u = where(seen)
    assert u == len(known["cell"][0]) - 1
    put = numbers(seen.page.locator(".put").nth(3).inner_text())
    assert put[1] == pytest.approx(known["cell"][t + 1][u], abs=0.0051)
    assert put[0] * put[1] + put[2] * put[3] == pytest.approx(known["cell"][t][u], abs=0.03)
    assert "reads backwards" in seen.text(".note >> nth=0")


def test_units_by_pointer_and_by_key(visit: Callable) -> None:
    seen = open_cell(visit)
    units = int(seen.page.get_attribute(".strips", "aria-valuemax"))
    seen.page.locator(".strips").scroll_into_view_if_needed()
    field = seen.page.locator(".strip-field").nth(2).bounding_box()
    wanted = units // 3
    seen.page.mouse.click(field["x"] + field["width"] * (wanted + 0.5) / units, field["y"] + 5)
    assert where(seen)[1] == wanted
    mark = seen.page.locator(".unit-mark").bounding_box()
    assert abs(mark["x"] + mark["width"] / 2 - (field["x"] + field["width"] * (wanted + 0.5) / units)) < 2.5
    row = where(seen)[0]
    seen.page.locator(".strips").focus()
    seen.page.keyboard.press("ArrowRight")
    assert where(seen) == (row, wanted + 1)
    assert seen.page.get_attribute(".strips", "aria-valuenow") == str(wanted + 2)


def test_the_row_follows_the_pointer_over_the_image(visit: Callable) -> None:
    seen = open_cell(visit)
    plot = seen.page.locator(".plot").first.bounding_box()
    seen.page.mouse.move(plot["x"] + 20, plot["y"] + plot["height"] * 1.5 / 8)
    assert where(seen)[0] == 1


def test_other_cells_are_told_in_a_sentence(visit: Callable) -> None:
    seen = open_cell(visit)
    for model, said in (("rnn-0", "no gate to protect anything"), ("cnn-0", "has no cell to open")):
        seen.choose(model)
        seen.page.wait_for_selector(f"text={said}")
        assert seen.page.locator(".equation").first.is_hidden()
    seen.choose("photos-0")
    seen.page.wait_for_selector("text=Nothing has been read yet")
