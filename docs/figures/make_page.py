"""Pictures of the page: python docs/figures/make_page.py RUN [RUN…] (the first an LSTM trained on MNIST)

Serves the runs, draws a 4 with a pointer in a headless Chromium (on PATH, or named by LINEWISE_CHROMIUM), and
saves a picture of each view and reading.gif beside this file. Prints how long strokes took to be answered.
"""

from __future__ import annotations

import io
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from scipy.stats import binom

HERE = Path(__file__).parent
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FOUR = [[(0.36, 0.14), (0.27, 0.5), (0.32, 0.54), (0.72, 0.5)], [(0.66, 0.18), (0.62, 0.55), (0.57, 0.88)]]
CIRCLE = [[(0.5 + 0.32 * math.sin(a / 4), 0.5 - 0.32 * math.cos(a / 4)) for a in range(26)]]
CROSS = [[(0.22, 0.2), (0.78, 0.8)], [(0.8, 0.22), (0.2, 0.78)]]
STROKES_TIMED = 40
ROW_MS, START_MS, LAST_MS, FILM_WIDTH = 130, 500, 2200, 720
COLOURS, CLEAR = 96, 255


@contextmanager
def served(runs: list[str]) -> Iterator[str]:
    """The address of a server with these runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([sys.executable, "-m", "linewise", "serve", *runs, "--port", str(port)])
    try:
        for _ in range(600):
            try:
                urlopen(f"{address}/v1/page").close()
                break
            except URLError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()


def draw(page: Page, strokes: list[list[tuple[float, float]]] = FOUR, size: float = 1.0) -> None:
    """A drawing on the pad; the size is a factor."""
    box = page.locator(".pad").bounding_box()
    assert box is not None
    for stroke in strokes:
        points = [
            (
                box["x"] + (0.5 + size * (x - 0.5)) * box["width"],
                box["y"] + (0.5 + size * (y - 0.5)) * box["height"],
            )
            for x, y in stroke
        ]
        page.mouse.move(*points[0])
        page.mouse.down()
        for before, after in pairwise(points):
            for i in range(1, 11):
                page.mouse.move(*(a + (b - a) * i / 10 for a, b in zip(before, after, strict=True)))
        page.mouse.up()


def film(page: Page) -> list[Image.Image]:
    """The card of the answer after each row."""
    slider, card = page.locator("input[type=range]"), page.locator(".result")
    frames = []
    for row in range(1, int(slider.get_attribute("max") or 1) + 1):
        slider.fill(str(row))
        slider.blur()
        frame = Image.open(io.BytesIO(card.screenshot())).convert("RGB")
        height = round(frame.height * FILM_WIDTH / frame.width)
        frames.append(frame.resize((FILM_WIDTH, height), Image.Resampling.LANCZOS))
    return frames


def save_film(frames: list[Image.Image], path: Path) -> None:
    """One palette for all frames, and in each only what changed: the rest is transparent, which packs well."""
    palette = frames[len(frames) // 2].quantize(COLOURS, dither=Image.Dither.NONE)
    colours = palette.getpalette() or []
    brightest = max(range(0, len(colours), 3), key=lambda i: sum(colours[i : i + 3]))
    colours[brightest : brightest + 3] = [255, 255, 255]  # paper is to be white
    palette.putpalette(colours)
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    pictures = [np.asarray(frame) for frame in drawn]
    changes = [drawn[0]]
    for before, after in pairwise(pictures):
        change = Image.fromarray(np.where(after == before, CLEAR, after).astype(np.uint8), "P")
        change.putpalette(drawn[0].getpalette() or [])
        changes.append(change)
    times = [START_MS, *[ROW_MS] * (len(drawn) - 2), LAST_MS]
    changes[0].save(
        path, save_all=True, append_images=changes[1:], duration=times, loop=0, optimize=False, disposal=1,
        transparency=CLEAR,
    )  # fmt: skip


def teach(page: Page) -> None:
    """Two classes from four drawings each, and one more to try."""
    for number, strokes in (("1", CIRCLE), ("2", CROSS)):
        for size in (1.0, 0.8, 1.15, 0.9):
            draw(page, strokes, size)
            page.keyboard.press(number)
    page.click(".pupil .main")
    page.get_by_role("button", name="Save as a run").wait_for()
    draw(page, CIRCLE, 0.95)
    page.wait_for_selector(".trial .says b")


def stroke_times(page: Page) -> list[float]:
    """Milliseconds from the pointer's event to the answer on the screen, one stroke at a time."""
    box = page.locator(".pad").bounding_box()
    assert box is not None
    times = []
    for i in range(STROKES_TIMED):
        page.mouse.move(box["x"] + 60 + 4 * i, box["y"] + 60)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_selector(".detail[data-latency]:not([data-latency=''])")
        times.append(float(page.locator(".detail").get_attribute("data-latency") or 0))
    return sorted(times)


def main() -> None:
    browser = os.environ.get("LINEWISE_CHROMIUM") or shutil.which("chromium")
    with served(sys.argv[1:]) as address, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=FLAGS)
        page = chromium.new_page(
            viewport={"width": 1280, "height": 860}, device_scale_factor=1.5, reduced_motion="reduce"
        )
        page.goto(address)
        page.wait_for_selector(".thumb")
        page.wait_for_timeout(500)
        draw(page)
        page.wait_for_timeout(500)
        settled = int(page.locator(".settled-line").get_attribute("data-step") or 1)
        page.locator("input[type=range]").fill(str(max(1, settled - 1)))
        page.evaluate("document.activeElement.blur()")
        page.screenshot(path=HERE / "page-read.png", full_page=True)
        save_film(film(page), HERE / "reading.gif")
        page.goto(f"{address}/#duel")
        page.wait_for_selector("[data-timed=true]")
        page.wait_for_selector(".shot")
        page.wait_for_timeout(500)
        top = {"x": 0, "y": 0, "width": 1280, "height": 1290}
        page.screenshot(path=HERE / "page-duel.png", clip=top, full_page=True)
        page.mouse.move(0, 0)
        page.goto(f"{address}/#mistakes")
        page.wait_for_selector(".shot")
        page.wait_for_timeout(500)
        page.screenshot(path=HERE / "page-mistakes.png", full_page=True)
        page.goto(f"{address}/#teach")
        teach(page)
        page.wait_for_timeout(500)
        page.screenshot(path=HERE / "page-teach.png", full_page=True)
        page.goto(f"{address}/#cell")
        page.wait_for_selector(".equation")
        page.wait_for_timeout(300)
        page.screenshot(path=HERE / "page-cell.png", full_page=True)
        page.goto(f"{address}/#read")
        page.click("text=Clear")
        times = stroke_times(page)
        chromium.close()
    low, high = (int(binom.ppf(q, len(times), 0.5)) for q in (0.025, 0.975))
    print(
        f"{len(times)} strokes: median {statistics.median(times):.0f} ms from pointer to answer "
        f"(95 % interval, by order statistics: {times[low - 1]:.0f} to {times[high]:.0f}), "
        f"9 in 10 within {times[int(0.9 * len(times)) - 1]:.0f} ms, most {times[-1]:.0f} ms"
    )


if __name__ == "__main__":
    main()
