"""Digits drawn by script as a hand with a mouse would: strokes of points, in several ways of writing each.

x runs to the right and y downwards, both from 0 to 1; a style slants, squeezes, shakes and places them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Stroke = list[tuple[float, float]]
PAD = 280
"""Pixels of the pad's side."""


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Stroke:
    """Part of an ellipse; degrees, 0 to the right, 90 downwards."""
    angles = np.radians(np.linspace(start, end, 25))
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


WAYS: dict[int, list[list[Stroke]]] = {
    0: [
        [_arc(0.5, 0.5, 0.3, 0.48, -90, 270)],
        [_arc(0.5, 0.5, 0.38, 0.45, -60, 310)],
    ],
    1: [
        [[(0.5, 0.02), (0.5, 0.98)]],
        [[(0.35, 0.22), (0.52, 0.02), (0.52, 0.98)]],
    ],
    2: [
        [[*_arc(0.5, 0.28, 0.3, 0.26, 190, 395), (0.2, 0.97), (0.85, 0.97)]],
        [[*_arc(0.48, 0.27, 0.28, 0.25, 200, 400), (0.25, 0.9), *_arc(0.3, 0.88, 0.08, 0.07, 180, 330), (0.85, 0.95)]],
    ],
    3: [
        [[*_arc(0.45, 0.26, 0.3, 0.24, 200, 450), *_arc(0.45, 0.74, 0.33, 0.25, 270, 510)]],
        [[(0.2, 0.05), (0.75, 0.05), (0.45, 0.42), *_arc(0.45, 0.7, 0.32, 0.28, 280, 510)]],
    ],
    4: [
        [[(0.25, 0.03), (0.2, 0.55), (0.85, 0.55)], [(0.7, 0.05), (0.68, 0.98)]],
        [[(0.65, 0.98), (0.65, 0.03), (0.15, 0.65), (0.9, 0.65)]],
    ],
    5: [
        [[(0.8, 0.03), (0.28, 0.03), (0.25, 0.42), *_arc(0.45, 0.68, 0.33, 0.3, 235, 500)]],
        [[(0.28, 0.05), (0.25, 0.45), *_arc(0.45, 0.7, 0.3, 0.27, 240, 510)], [(0.28, 0.05), (0.8, 0.04)]],
    ],
    6: [
        [[(0.7, 0.03), (0.42, 0.28), *_arc(0.48, 0.72, 0.27, 0.26, 200, 560)]],
        [[*_arc(0.62, 0.5, 0.4, 0.47, 270, 150), *_arc(0.5, 0.73, 0.25, 0.23, 180, 530)]],
    ],
    7: [
        [[(0.18, 0.05), (0.82, 0.05), (0.42, 0.98)]],
        [[(0.15, 0.15), (0.18, 0.06), (0.8, 0.06), (0.5, 0.98)], [(0.38, 0.5), (0.78, 0.48)]],
    ],
    8: [
        [_arc(0.5, 0.26, 0.25, 0.24, 90, 450), _arc(0.5, 0.74, 0.3, 0.25, -90, 270)],
        [[*_arc(0.5, 0.26, 0.24, 0.23, -30, -270), *_arc(0.5, 0.74, 0.27, 0.24, -90, 270), *_arc(0.5, 0.26, 0.24, 0.23, 90, -30)]],
    ],
    9: [
        [_arc(0.48, 0.28, 0.27, 0.26, 0, 360), [(0.75, 0.28), (0.7, 0.98)]],
        [[*_arc(0.48, 0.28, 0.27, 0.25, -20, -360), (0.74, 0.5), *_arc(0.45, 0.68, 0.28, 0.28, 10, 110)]],
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How digits are written.

    Attributes:
        size: height on the pad, as a fraction.
        x, y: middle on the pad, as fractions.
        slant: sideways for each step up.
        wide: width, as a multiple of its own.
        pen: thickness of lines, in pixels of the pad.
        shake: standard deviation of points, as a fraction of the digit.
        turn: rotation to the right, in degrees.
    """

    size: float = 0.7
    x: float = 0.5
    y: float = 0.5
    slant: float = 0.0
    wide: float = 0.7
    pen: int = 20
    shake: float = 0.0
    turn: float = 0.0


STYLES = {
    "upright": Style(),
    "slanted": Style(slant=0.25),
    "backwards": Style(slant=-0.12, pen=16),
    "small in a corner": Style(size=0.35, x=0.28, y=0.3, pen=16),
    "thin": Style(pen=6),
    "thick": Style(pen=34),
    "wide": Style(wide=0.95),
    "narrow": Style(wide=0.5, slant=0.1),
    "shaky": Style(shake=0.012, pen=18),
    "in a bus": Style(shake=0.03, pen=14),
    "turned": Style(turn=14),
    "turned back": Style(turn=-12, pen=12),
}


def strokes(digit: int, way: int, style: Style, seed: int = 0) -> list[Stroke]:
    """A digit's strokes, in pixels of the pad."""
    rng, placed = np.random.default_rng(seed), []
    for stroke in WAYS[digit][way]:
        xy = np.array(stroke) + rng.normal(0, style.shake, (len(stroke), 2))
        x = style.wide * (xy[:, 0] - 0.5) + style.slant * (0.5 - xy[:, 1])
        cos, sin = math.cos(math.radians(style.turn)), math.sin(math.radians(style.turn))
        x, y = cos * x - sin * (xy[:, 1] - 0.5), sin * x + cos * (xy[:, 1] - 0.5)
        points = np.stack([style.x + style.size * x, style.y + style.size * y], axis=1)
        placed.append([(float(a), float(b)) for a, b in PAD * points])
    return placed


def draw(
    digit: int, way: int, style: Style, seed: int = 0, ink: str = "black", paper: str = "white"
) -> Image.Image:
    """The pad with the digit on it."""
    image = Image.new("RGB", (PAD, PAD), paper)
    pen = ImageDraw.Draw(image)
    for stroke in strokes(digit, way, style, seed):
        pen.line(stroke, fill=ink, width=style.pen, joint="curve")
        for x, y in (stroke[0], stroke[-1]):
            r = style.pen / 2
            pen.ellipse((x - r, y - r, x + r, y + r), fill=ink)
    return image
