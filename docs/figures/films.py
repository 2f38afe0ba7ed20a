"""Film strips of a study as one picture: python docs/figures/films.py STUDY FILE.png [PAIRS]"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import vl_convert
from PIL import Image, ImageDraw, ImageFont

from linewise.analysis import summarise
from linewise.foundations.folder import StudyFolder
from linewise.report.films import Film, pair_films
from linewise.report.pictures import pictures

SVG = '<svg xmlns="http://www.w3.org/2000/svg"'
WIDTH, SCALE, LINE, MARGIN = 366, 2, 18, 14


def drawn(film: Film) -> Image.Image:
    """Title, strip and bars below each other."""
    strip = Image.open(io.BytesIO(base64.b64decode(film.strip.partition(",")[2]))).convert("RGB")
    svg = str(film.bars).replace("<svg", SVG, 1)
    bars = Image.open(io.BytesIO(vl_convert.svg_to_png(svg, scale=SCALE))).convert("RGB")
    strip = strip.resize((SCALE * WIDTH, SCALE * WIDTH * strip.height // strip.width), Image.Resampling.NEAREST)
    bars = bars.resize((SCALE * WIDTH, SCALE * WIDTH * bars.height // bars.width))
    top = SCALE * LINE
    sheet = Image.new("RGB", (SCALE * WIDTH, top + strip.height + 6 + bars.height), "white")
    font = ImageFont.load_default(SCALE * 12)
    ImageDraw.Draw(sheet).text((0, 2), f"{film.title} (no. {film.index})", "#26303a", font)
    sheet.paste(strip, (0, top))
    sheet.paste(bars, (0, top + strip.height + 6))
    return sheet


def main() -> None:
    summary = summarise(StudyFolder.open(Path(sys.argv[1])))
    assert summary.depth is not None, "no network of the study reads in one direction"
    pairs = pair_films(summary, summary.depth, pictures(summary.evidence))
    number = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    sheets = [[drawn(film) for film in pair.films] for pair in pairs[:number]]
    high, wide = sheets[0][0].height + SCALE * MARGIN, SCALE * (WIDTH + MARGIN)
    page = Image.new("RGB", (wide * max(map(len, sheets)), high * len(sheets)), "white")
    for row, films in enumerate(sheets):
        for column, sheet in enumerate(films):
            page.paste(sheet, (wide * column, high * row))
    page.save(sys.argv[2], optimize=True)


if __name__ == "__main__":
    main()
