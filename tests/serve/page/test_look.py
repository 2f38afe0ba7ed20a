"""What the page looks like on a phone, in the dark, and to those who forbid nothing but what is ours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytestmark = pytest.mark.browser
VIEWS = ["#read", "#duel", "#mistakes", "#teach", "#cell"]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("model", ["lstm-0", "cnn-0", "photos-0"])
def test_a_phone_does_not_scroll_sideways(visit: Callable, view: str, model: str) -> None:
    seen = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, device_scale_factor=2)
    seen.wait_answer()
    seen.choose(model)
    seen.page.goto(f"{seen.address}/{view}")
    seen.page.wait_for_timeout(250)
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 360
    wide = seen.page.evaluate(
        "[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > 361).map((e) => e.className)"
    )
    assert not wide


def test_a_finger_draws(visit: Callable) -> None:
    seen = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    seen.wait_answer()
    box = seen.page.locator(".pad").bounding_box()
    session = seen.page.context.new_cdp_session(seen.page)

    def touch(kind: str, x: float, y: float) -> None:
        points = (
            [] if kind == "touchEnd" else [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}]
        )
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.5, 0.1)
    for step in range(1, 17):
        touch("touchMove", 0.5, 0.1 + 0.05 * step)
    touch("touchEnd", 0, 0)
    seen.page.wait_for_timeout(300)
    trace = seen.trace()
    assert seen.text(".glyph") == str(int(np.argmax(trace["probabilities_K"])))
    ink_HW = np.asarray(trace["image_HWC"])[:, :, 0] > 100
    assert ink_HW.any(axis=1).sum() == 8
    assert ink_HW.any(axis=0).sum() < 4
    assert seen.page.evaluate("scrollY") == 0


def test_the_label_of_the_settled_row_stays_inside_the_picture(visit: Callable) -> None:
    seen = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    seen.wait_answer()
    for digit in (0, 1, 4, 7):
        seen.draw(digit)
        seen.page.wait_for_timeout(300)
        plot = seen.page.locator(".plot").first.bounding_box()
        label = seen.page.locator(".settled-line span").bounding_box()
        assert label["y"] + label["height"] <= plot["y"] + plot["height"]
        seen.page.click("text=Clear")


def brightness(seen, where: str) -> float:
    colour = seen.page.evaluate(f"getComputedStyle(document.querySelector('{where}')).backgroundColor")
    numbers = [float(part) for part in colour.split("(")[1].rstrip(")").replace(",", " ").split()[:3]]
    return sum(numbers) / 3


def test_dark_as_the_system_and_by_the_button(visit: Callable) -> None:
    seen = visit(color_scheme="dark")
    seen.wait_answer()
    assert brightness(seen, "body") < 60
    heat = "document.querySelectorAll('.plot canvas')[1].toDataURL()"
    dark = seen.page.evaluate(heat)
    seen.page.click("#theme")
    assert brightness(seen, "body") > 200
    assert seen.page.evaluate(heat) != dark
    seen.page.reload()
    seen.wait_answer()
    assert brightness(seen, "body") > 200
    seen.page.click("#theme")
    assert brightness(seen, "body") < 60
    assert seen.page.get_attribute("#theme", "aria-pressed") == "true"


CONTRAST = """() => {
  const shine = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((x) => x / 255).map((x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/^rgba.*, 0\\)$|transparent/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join('');
    if (!text || !e.checkVisibility() || e.closest('.pad-hint, :disabled, option, .unseen')) continue;
    const [a, b] = [shine(getComputedStyle(e).color), shine(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push([text, e.className, ((a + 0.05) / (b + 0.05)).toFixed(2)]);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_text_stands_out(visit: Callable, scheme: str, view: str) -> None:
    """Contrast of 4.5 to 1 at least, as WCAG AA asks for."""
    seen = visit(color_scheme=scheme)
    seen.wait_answer()
    seen.page.goto(f"{seen.address}/{view}")
    seen.page.wait_for_timeout(300)
    assert seen.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("view", VIEWS)
def test_everything_that_can_be_reached_has_a_name(visit: Callable, view: str) -> None:
    seen = visit()
    seen.wait_answer()
    seen.page.goto(f"{seen.address}/{view}")
    seen.page.wait_for_timeout(300)
    nameless = seen.page.evaluate(
        """[...document.querySelectorAll('a, button, input, select, [tabindex="0"], canvas[role=img]')]
          .filter((e) => e.checkVisibility())
          .filter((e) => !(e.innerText?.trim() || e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim()))
          .map((e) => e.outerHTML)"""
    )
    assert not nameless


def test_nothing_in_the_page_is_inline() -> None:
    """A content policy without 'unsafe-inline' suffices."""
    import re
    from pathlib import Path

    import linewise.serve

    static = Path(linewise.serve.__file__).parent / "static"
    html = (static / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    for path in [static / "index.html", *static.glob("*.css"), *static.rglob("*.js")]:
        told = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|\beval\(|document\.write", told), path.name
