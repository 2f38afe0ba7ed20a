"""The view Read in a real browser."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable

import numpy as np
import pytest

pytestmark = pytest.mark.browser
GENEROUS_MS = 400
"""Strokes answer within 100 ms on a machine at rest (docs/page.md); tests run beside others."""


def test_a_drawing_is_answered_while_it_is_drawn(visit: Callable) -> None:
    seen = visit()
    seen.wait_answer()
    seen.draw(7)
    seen.page.wait_for_selector(".pad-hint", state="hidden")
    seen.page.wait_for_timeout(300)
    trace = seen.trace()
    answer = trace["class_names"][int(np.argmax(trace["probabilities_K"]))]
    assert seen.text(".sentence").startswith(f"It says {answer}, ")
    assert seen.text(".glyph") == answer
    assert f"The network says {answer}" in seen.text("#said")


def test_the_row_where_it_settled_is_the_networks(visit: Callable) -> None:
    seen = visit()
    seen.wait_answer()
    for digit in (4, 2):
        seen.draw(digit)
        seen.page.wait_for_timeout(300)
        settled = seen.trace()["settled"]
        mark = seen.page.locator(".settled-line")
        assert mark.get_attribute("data-step") == str(settled)
        assert mark.inner_text() == f"settled: row {settled}"
        plot, line = seen.page.locator(".plot").first.bounding_box(), mark.bounding_box()
        assert abs(line["y"] - (plot["y"] + plot["height"] * settled / 8)) < 2.1
        seen.page.click("text=Clear")


def test_image_and_charts_stand_exactly_beside_each_other(visit: Callable) -> None:
    for options in ({}, {"device_scale_factor": 1.5}, {"viewport": {"width": 360, "height": 740}}):
        seen = visit(**options)
        seen.wait_answer()
        boxes = [plot.bounding_box() for plot in seen.page.locator(".plot canvas").all()]
        assert len(boxes) == 3
        assert len({(round(box["y"], 2), round(box["height"], 2)) for box in boxes}) == 1
        for row in (1, 5, 8):
            seen.page.locator("input[type=range]").fill(str(row))
            line = seen.page.locator(".scan-line").bounding_box()
            top, height = seen.page.locator(".plot").first.bounding_box()["y"], boxes[0]["height"] / 8
            assert abs(line["y"] - (top + (row - 1) * height)) < 0.6
            assert abs(line["height"] - height) < 0.6
            assert line["x"] <= boxes[0]["x"]
            assert line["x"] + line["width"] >= boxes[2]["x"] + boxes[2]["width"]


def test_scrubbing_shows_what_it_believed_then(visit: Callable) -> None:
    seen = visit()
    seen.wait_answer()
    seen.draw(3)
    seen.page.wait_for_timeout(300)
    trace = seen.trace()
    plot = seen.page.locator(".plot").nth(1).bounding_box()
    for row in (2, 6):
        seen.page.mouse.move(plot["x"] + 5, plot["y"] + plot["height"] * (row - 0.5) / 8)
        p_K = trace["probabilities_TK"][row - 1]
        assert seen.page.locator(".scan-line").get_attribute("data-step") == str(row)
        assert seen.text(".sentence").startswith(f"After row {row} it says {int(np.argmax(p_K))}, ")
        assert seen.page.locator("input[type=range]").input_value() == str(row)
    # what is not read yet is veiled: with the last row shown it is not
    before = seen.page.evaluate("document.querySelector('.plot canvas').toDataURL()")
    seen.page.mouse.move(plot["x"] + 5, plot["y"] + plot["height"] - 2)
    assert seen.page.evaluate("document.querySelector('.plot canvas').toDataURL()") != before


def test_what_is_shown_are_the_numbers_of_the_network(visit: Callable) -> None:
    """The heat map of probabilities has its darkest field of each row where the network's answer is."""
    seen = visit()
    seen.wait_answer()
    seen.draw(5)
    seen.page.wait_for_timeout(300)
    trace = seen.trace()
    image = np.asarray(trace["image_HWC"])[:, :, 0]
    read = """([column, n, t, N, T]) => {
      const canvas = document.querySelectorAll('.plot canvas')[column];
      const at = (i, of, size) => Math.floor(((i + 0.12) / of) * size);
      return [...canvas.getContext('2d').getImageData(at(n, N, canvas.width), at(t, T, canvas.height), 1, 1).data];
    }"""
    shown = [[seen.page.evaluate(read, [0, x, y, 8, 8])[0] for x in range(8)] for y in range(8)]
    np.testing.assert_allclose(shown, image, atol=1)
    for t in (2, 7):
        reds = [seen.page.evaluate(read, [1, k, t, 10, 8])[0] for k in range(10)]
        p_K = np.array(trace["probabilities_TK"][t])
        assert int(np.argmin(reds)) == int(p_K.argmax())
        order = np.argsort(p_K)
        assert all(a >= b for a, b in zip(np.array(reds)[order], np.array(reds)[order][1:], strict=False))


def test_with_the_keyboard_alone(visit: Callable) -> None:
    seen = visit()
    seen.wait_answer()
    page = seen.page
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "thumb":
            break
    name = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert name.startswith("Example: ")
    page.keyboard.press("Tab")
    second = page.evaluate("document.activeElement.getAttribute('aria-label')").split()[1]
    page.keyboard.press("Enter")
    seen.settled()
    page.wait_for_selector(f"#said:text('says {second}')", state="attached")
    slider = page.locator("input[type=range]")
    slider.focus()
    for key, row in (("ArrowUp", 7), ("ArrowUp", 6), ("Home", 1), ("ArrowDown", 2), ("End", 8)):
        page.keyboard.press(key)
        assert slider.input_value() == str(row)
        assert slider.get_attribute("aria-valuetext").startswith(f"Row {row} of 8: ")
    page.locator(".tabs a").nth(3).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".equation")


def test_the_last_stroke_wins(visit: Callable) -> None:
    """Answers that come late and out of turn do not undo what came after."""
    seen = visit()
    seen.wait_answer()
    delay = iter([0.5, 0.0] + [0.0] * 400)

    def slow(route) -> None:
        seen.page.wait_for_timeout(1000 * next(delay))
        route.continue_()

    seen.page.route("**/v1/read", slow)
    seen.draw(1)
    seen.page.click("text=Clear")
    seen.draw(0)
    seen.page.wait_for_timeout(900)
    trace = seen.trace()
    assert seen.text(".glyph") == str(int(np.argmax(trace["probabilities_K"])))
    seen.page.click("text=Clear")
    assert seen.text(".sentence") == "Nothing to read yet"


def test_strokes_are_answered_fast(visit: Callable, record_property: Callable) -> None:
    seen = visit()
    seen.wait_answer()
    times = []
    for digit in range(4):
        seen.page.click("text=Clear")
        seen.draw(digit)
        seen.wait_answer()
        seen.page.wait_for_timeout(150)
        times.append(float(seen.page.locator(".detail").get_attribute("data-latency")))
    record_property("median_ms", statistics.median(times))
    assert statistics.median(times) < GENEROUS_MS


def test_a_busy_server_is_asked_again(visit: Callable) -> None:
    seen = visit()
    seen.wait_answer()
    refusals = iter([True, True])

    def busy(route) -> None:
        if next(refusals, False):
            body = json.dumps({"id": "1", "title": "Busy", "detail": "x"})
            route.fulfill(status=503, body=body, headers={"Retry-After": "1", "Content-Type": "application/json"})
        else:
            route.continue_()

    seen.page.route("**/v1/read", busy)
    seen.draw(7)
    answer = int(np.argmax(seen.trace()["probabilities_K"]))
    assert answer != 4  # what the page begins with
    seen.page.wait_for_selector(f".glyph:text-is('{answer}')")
    seen.complaints[:] = [each for each in seen.complaints if "503" not in each]  # the browser's own word on it


def test_networks_without_answers_on_the_way_say_so(visit: Callable) -> None:
    seen = visit()
    seen.wait_answer()
    for model, said, plots in (("cnn-0", "whole picture at once", 1), ("bilstm-0", "reads from both ends", 2)):
        seen.choose(model)
        seen.page.wait_for_selector(f"text={said}")
        assert seen.page.locator(".plot").count() == plots
        shares = seen.page.locator(".bar em").all_inner_texts()
        assert len(shares) == 10
        assert seen.page.locator(".settled-line").is_hidden()
    seen.choose("lstm@columns-0")
    seen.page.wait_for_selector("text=Belief after each step")
    scan, plots = seen.page.locator(".scan-line").bounding_box(), seen.page.locator(".plot").all()
    assert scan["x"] > plots[0].bounding_box()["x"] + plots[0].bounding_box()["width"]


@pytest.mark.parametrize(("stopped", "told"), [(5, "read only 5 of 8 rows"), (8, ""), (None, "")])
def test_a_rule_for_stopping_early_is_told(visit: Callable, stopped: int | None, told: str) -> None:
    seen = visit()

    def with_rule(route) -> None:
        response = route.fetch()
        answer = response.json()
        answer["trace"]["stopped"] = stopped
        route.fulfill(response=response, body=json.dumps(answer))

    seen.page.route("**/v1/read", with_rule)
    seen.draw(3)
    seen.page.wait_for_timeout(400)
    note = seen.text(".shown > .note >> nth=0")
    assert "mind" in note
    assert (told in note) if told else ("stopping early" not in note)


def test_a_scan_is_played_when_the_pen_rests(visit: Callable) -> None:
    seen = visit(reduced_motion="no-preference")
    seen.wait_answer()
    seen.settled()
    seen.draw(8)
    seen.page.wait_for_selector(".play:text-is('Stop')")
    rows = set()
    while seen.text(".play") == "Stop":
        rows.add(seen.page.locator(".scan-line").get_attribute("data-step"))
    assert len(rows) > 3
    assert seen.page.locator(".scan-line").get_attribute("data-step") == "8"
    seen.page.emulate_media(reduced_motion="reduce")
    seen.draw(8)
    seen.page.wait_for_timeout(700)
    assert seen.text(".play") == "Read again"
