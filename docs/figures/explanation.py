"""A picture of a page of `predict --explain`: `python docs/figures/explanation.py PAGE.html PICTURE.png`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu"]


def main(page: Path, picture: Path) -> None:
    """Draw it as Chromium shows it, 1,240 pixels wide."""
    with sync_playwright() as play:
        program = os.environ.get("LINEWISE_CHROMIUM") or shutil.which("chromium")
        browser = play.chromium.launch(executable_path=program, args=FLAGS)
        shown = browser.new_page(viewport={"width": 1240, "height": 600}, color_scheme="light")
        shown.goto(page.resolve().as_uri())
        shown.screenshot(path=picture, full_page=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
