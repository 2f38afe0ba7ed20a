"""Film strips: an image as it is read, and what the network thinks of it step by step."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from linewise.analysis import Summary
from linewise.analysis.belonging import fitting_films
from linewise.analysis.depth import Depth
from linewise.analysis.depth.turns import PairTurns, last_turns
from linewise.foundations.arrays import Films
from linewise.report.charts.depth import RIGHT, WRONG
from linewise.report.pictures import Pictures

FRAMES, PER_PAIR = 6, 3
FRAME_SIDE, GAP, BAR_HEIGHT = 56, 6, 64
UNREAD, REST = 226, "#d3d8dd"


@dataclass(frozen=True)
class Film:
    """One image in frames.

    Attributes:
        index: position in the test set.
        title: `4, ends as 9: turns in step 17`.
        strip: the frames side by side, a `data:` address.
        bars: SVG of the probabilities after each step.
        steps: how many are read in each frame.
        width, height: of the strip, in pixels.
    """

    index: int
    title: str
    strip: str
    bars: Any
    steps: list[int]
    width: int
    height: int


@dataclass(frozen=True)
class PairFilms:
    """Films behind a pair of classes."""

    pair: PairTurns
    films: list[Film]


def pair_films(summary: Summary, found: Depth, pictures: Pictures | None) -> list[PairFilms]:
    """For each pair that the main reader confuses: images whose answer turns, those that end wrong first."""
    folder, evidence = summary.evidence.folder, summary.evidence
    classes = len(evidence.spec.data.class_names)
    films = fitting_films(folder.films(), folder.films_path, len(evidence.labels_N), classes)
    if films is None or pictures is None or found.main.label not in films.probabilities:
        return []
    shown = [PairFilms(pair, _films(summary, films, found, pair, pictures)) for pair in found.pairs]
    return [pair for pair in shown if pair.films]


def _films(summary: Summary, films: Films, found: Depth, pair: PairTurns, pictures: Pictures) -> list[Film]:
    label, labels_N = found.main.label, summary.evidence.labels_N
    answers_FT = films.probabilities[label].argmax(axis=2)
    turned_F = last_turns(answers_FT, pair.first, pair.second)
    ranked: list[tuple[tuple[bool, bool, int], int]] = []
    for f, index in enumerate(films.indices_F.tolist()):
        both = {int(labels_N[index]), int(answers_FT[f, -1])} <= {pair.first, pair.second}
        if both and index in pictures.places:
            wrong = bool(answers_FT[f, -1] != labels_N[index])
            if wrong or turned_F[f]:
                ranked.append(((not wrong, not turned_F[f], index), f))
    return [
        _film(summary, films, found, pair, pictures, f, int(turned_F[f])) for _, f in sorted(ranked)[:PER_PAIR]
    ]


def _film(
    summary: Summary, films: Films, found: Depth, pair: PairTurns, pictures: Pictures, f: int, turned: int
) -> Film:
    label, names, index = found.main.label, summary.evidence.spec.data.shown_names, int(films.indices_F[f])
    true = int(summary.evidence.labels_N[index])
    other = pair.second if true == pair.first else pair.first
    probabilities_TK, kept_T = films.probabilities[label][f], films.kept[label]
    columns = len(kept_T)
    ends = [max(1, round((i + 1) * columns / min(FRAMES, columns))) for i in range(min(FRAMES, columns))]
    image_HWC = pictures.images_GHWC[pictures.places[index]]
    scale = max(1, round(FRAME_SIDE / max(image_HWC.shape[:2])))
    height, frame = image_HWC.shape[0] * scale, image_HWC.shape[1] * scale
    answer = int(probabilities_TK[-1].argmax())
    title = f"{names[true]}, recognised" if answer == true else f"{names[true]}, ends as {names[answer]}"
    if turned:
        title += f": turns in step {kept_T[turned]}"
    width = len(ends) * (frame + GAP) - GAP
    return Film(
        index=index,
        title=title,
        strip=_strip(image_HWC, films.seen.get(label), [int(kept_T[end - 1]) for end in ends], scale),
        bars=_bars(probabilities_TK, true, other, turned, width, names),
        steps=[int(kept_T[end - 1]) for end in ends],
        width=width,
        height=height,
    )


def _strip(image_HWC: np.ndarray, seen_HW: np.ndarray | None, steps: list[int], scale: int) -> str:
    """Frames side by side; pixels that are not read yet are pale."""
    height, width, channels = image_HWC.shape
    seen = np.ones((1, 1), dtype=np.int64) if seen_HW is None else seen_HW
    rows = np.arange(height) * seen.shape[0] // height
    cells = np.arange(width) * seen.shape[1] // width
    shown_HW = seen[np.ix_(rows, cells)]  # pictures may be smaller than what was read
    frames = []
    for step in steps:
        read_HW1 = (shown_HW <= step)[..., None]
        pale_HWC = (0.12 * image_HWC + 0.88 * UNREAD).astype(np.uint8)
        large = np.where(read_HW1, image_HWC, pale_HWC).repeat(scale, axis=0).repeat(scale, axis=1)
        gap = np.full((large.shape[0], GAP, channels), 255, dtype=np.uint8)
        frames += [large, gap]
    strip = np.concatenate(frames[:-1], axis=1)
    file = io.BytesIO()
    Image.fromarray(strip[:, :, 0] if channels == 1 else strip).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _bars(probabilities_TK: np.ndarray, true: int, other: int, turned: int, width: int, names: list[str]) -> Any:
    """Probabilities after each step, one upon the other: the true class, the other of the pair, the rest."""
    import markupsafe

    columns = len(probabilities_TK)
    step = width / columns
    parts = [(probabilities_TK[:, true], RIGHT), (probabilities_TK[:, other], WRONG)]
    shapes, below_T = [_rectangle(0, 0, width, BAR_HEIGHT, REST)], np.zeros(columns)
    for share_T, colour in parts:
        for t in range(columns):
            top, high = BAR_HEIGHT * (1 - below_T[t] - share_T[t]), BAR_HEIGHT * share_T[t]
            if high >= 0.25:
                shapes.append(_rectangle(t * step + 0.5, top, max(0.5, step - 1), high, colour))
        below_T = below_T + share_T
    if turned:
        at = f"{turned * step:.1f}"
        shapes.append(f'<line x1="{at}" x2="{at}" y2="{BAR_HEIGHT}" stroke="#26303a" stroke-dasharray="3 2"/>')
    told = markupsafe.escape(
        f"probability of {names[true]} and of {names[other]} after each step: "
        + ", ".join(f"{a:.0%} and {b:.0%}" for a, b in zip(parts[0][0], parts[1][0], strict=True))
    )
    return markupsafe.Markup(
        f'<svg viewBox="0 0 {width} {BAR_HEIGHT}" width="{width}" height="{BAR_HEIGHT}" role="img" '
        f'aria-label="{told}">{"".join(shapes)}</svg>'
    )


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
