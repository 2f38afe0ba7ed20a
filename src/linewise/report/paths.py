"""How an image is read, drawn: the path over the image, and the reading step by step as an animation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from linewise.foundations.amounts import count
from linewise.foundations.atomic import replace_file

SIDE = 280
"""Pixels on the screen of the longer side of the image."""
MOST_FRAMES, FRAME_MS, FILM_MS, LAST_MS = 56, 90, 3000, 1500
"""Frames, the time of one, the least time of all, the time of the last."""
PAPER, INK, MARK = (255, 255, 255), (38, 48, 58), (213, 94, 0)
EARLY_TO_LATE = ((0, 68, 119), (0, 132, 150), (60, 175, 110), (190, 205, 60), (253, 220, 60))
SEQUENCE_HEIGHT, BAR, GAP = 64, 12, 8
MOST_JUMPS = 24
"""Steps of a leaping path that are drawn as a line; colours tell the rest."""


@dataclass(frozen=True)
class ReadingPath:
    """A reading of one image.

    Attributes:
        name: of the reading.
        image_HWC: uint8, 1 or 3 channels.
        order_TP: pixels by step, -1 for padding.
    """

    name: str
    image_HWC: np.ndarray
    order_TP: np.ndarray

    @property
    def num_steps(self) -> int:
        return len(self.order_TP)

    @cached_property
    def scale(self) -> int:
        """Whole-number magnification."""
        return max(1, round(SIDE / max(self.image_HWC.shape[:2])))

    @cached_property
    def first_read_HW(self) -> np.ndarray:
        """The step in which each pixel is read first."""
        height, width = self.image_HWC.shape[:2]
        steps_P = np.full(height * width, self.num_steps)
        for t in range(self.num_steps - 1, -1, -1):
            held = self.order_TP[t]
            steps_P[held[held >= 0]] = t
        return steps_P.reshape(height, width)

    @cached_property
    def centres(self) -> list[tuple[float, float]]:
        """The middle of each step on the screen, (x, y)."""
        width = self.image_HWC.shape[1]
        middles = []
        for held in self.order_TP:
            rows, columns = np.divmod(held[held >= 0], width)
            middles.append(((columns.mean() + 0.5) * self.scale, (rows.mean() + 0.5) * self.scale))
        return middles

    @property
    def jumps(self) -> bool:
        """The path leaps about: a line over all of it would hide the image."""
        leaps = np.abs(np.diff(np.array(self.centres), axis=0)).sum(axis=1) / self.scale
        return bool(len(leaps) and leaps.mean() > 3 and self.num_steps > MOST_JUMPS)

    @cached_property
    def sequence_PTC(self) -> np.ndarray:
        """What the network gets, as a picture: one column per step."""
        flat_PC = self.image_HWC.reshape(-1, self.image_HWC.shape[2])
        padded_PC = np.concatenate([flat_PC, np.zeros_like(flat_PC[:1])])
        return np.broadcast_to(padded_PC[self.order_TP], (*self.order_TP.shape, 3)).transpose(1, 0, 2)

    def rgb(self, brightness_HW: np.ndarray | float = 1.0) -> np.ndarray:
        """The image in colour, darkened."""
        image_HWC = np.broadcast_to(self.image_HWC, (*self.image_HWC.shape[:2], 3)).astype(float)
        factor = np.asarray(brightness_HW, dtype=float)
        return image_HWC * (factor[..., None] if factor.ndim else factor)


def draw_path(path: ReadingPath) -> Image.Image:
    """The image with its steps tinted from early (blue) to late (yellow), and the path over them."""
    late_HW = np.minimum(path.first_read_HW / max(1, path.num_steps - 1), 1.0)
    tinted = 0.55 * path.rgb() + 0.45 * _colours(late_HW)
    canvas = _enlarge(tinted, path.scale)
    picture = _sheet(canvas, path, GAP + BAR + GAP + 14)
    draw = ImageDraw.Draw(picture)
    points, wide = path.centres, max(1, path.scale // 5)
    line = points[: MOST_JUMPS + 1] if path.jumps else points
    if len(line) > 1:
        draw.line(line, fill=PAPER, width=wide, joint="curve")
    _dot(draw, points[0], wide * 2.2, PAPER)
    _square(draw, points[-1], wide * 2.2, MARK)
    top = canvas.height + GAP
    bar = _colours(np.linspace(0, 1, canvas.width)[None, :])
    picture.paste(_enlarge(bar, 1).resize((canvas.width, BAR)), (0, top))
    font, under = ImageFont.load_default(size=12), top + BAR + 3
    draw.text((0, under), "step 1", fill=INK, font=font)
    draw.text((canvas.width, under), f"step {path.num_steps}", fill=INK, font=font, anchor="ra")
    return picture


def draw_frames(path: ReadingPath) -> list[Image.Image]:
    """The reading step by step; beneath the image, the sequence that the network gets so far.

    Long readings take several steps to a frame.
    """
    per_frame = -(-path.num_steps // MOST_FRAMES)
    ends = [min(end, path.num_steps) for end in range(per_frame, path.num_steps + per_frame, per_frame)]
    return [_frame(path, max(0, end - per_frame), end) for end in ends]


def save_path(path: ReadingPath, folder: Path) -> tuple[Path, Path]:
    """Write `NAME.png` and `NAME.gif`, whole or not at all; returns where they are."""
    png, gif = folder / f"{path.name}.png", folder / f"{path.name}.gif"
    with replace_file(png) as file:
        draw_path(path).save(file, format="PNG", optimize=True)
    frames = [frame.quantize(64, dither=Image.Dither.NONE) for frame in draw_frames(path)]
    times = [max(FRAME_MS, FILM_MS // len(frames))] * (len(frames) - 1) + [LAST_MS]
    with replace_file(gif) as file:
        options: dict[str, Any] = {"save_all": True, "loop": 0, "optimize": False}
        frames[0].save(file, format="GIF", append_images=frames[1:], duration=times, **options)
    return png, gif


def _frame(path: ReadingPath, start: int, end: int) -> Image.Image:
    read_HW = path.first_read_HW < end
    canvas = _enlarge(path.rgb(np.where(read_HW, 1.0, 0.3)), path.scale)
    picture = _sheet(canvas, path, GAP + SEQUENCE_HEIGHT + 18)
    draw = ImageDraw.Draw(picture)
    now_HW = np.zeros(path.image_HWC.shape[:2], dtype=bool)
    for held in path.order_TP[start:end]:
        now_HW.ravel()[held[held >= 0]] = True
    _outline(draw, now_HW, path.scale)
    shown = Image.fromarray(np.ascontiguousarray(path.sequence_PTC[:, :end]))
    right = max(1, round(canvas.width * end / path.num_steps))
    top = canvas.height + GAP
    draw.rectangle((0, top, canvas.width - 1, top + SEQUENCE_HEIGHT - 1), fill=(228, 232, 236))
    picture.paste(shown.resize((right, SEQUENCE_HEIGHT), Image.Resampling.NEAREST), (0, top))
    left = round(canvas.width * start / path.num_steps)
    draw.rectangle((left, top, max(left + 2, right - 1), top + SEQUENCE_HEIGHT - 1), outline=MARK, width=2)
    numbers = path.order_TP.shape[1] * path.image_HWC.shape[2]
    text = f"step {end} of {path.num_steps}, {count(numbers, 'number')} each"
    font = ImageFont.load_default(size=12)
    draw.text((0, top + SEQUENCE_HEIGHT + 3), text, fill=INK, font=font)
    return picture


def _colours(late: np.ndarray) -> np.ndarray:
    """Colours by time, 0 to 1: a scale whose lightness rises, so that it can be read without hue."""
    stops = np.linspace(0, 1, len(EARLY_TO_LATE))
    return np.stack([np.interp(late, stops, [c[i] for c in EARLY_TO_LATE]) for i in range(3)], axis=-1)


def _enlarge(pixels: np.ndarray, scale: int) -> Image.Image:
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def _sheet(canvas: Image.Image, path: ReadingPath, below: int) -> Image.Image:
    picture = Image.new("RGB", (canvas.width, canvas.height + below), PAPER)
    picture.paste(canvas, (0, 0))
    return picture


def _outline(draw: ImageDraw.ImageDraw, mask_HW: np.ndarray, scale: int) -> None:
    """A line around the pixels of a mask."""
    padded = np.pad(mask_HW, 1)
    wide = max(2, scale // 5)
    for y, x in np.argwhere(mask_HW):
        left, top = x * scale, y * scale
        right, bottom = left + scale, top + scale
        edges = {
            (y, x + 1): (left, top, right, top),
            (y + 2, x + 1): (left, bottom, right, bottom),
            (y + 1, x): (left, top, left, bottom),
            (y + 1, x + 2): (right, top, right, bottom),
        }
        for place, line in edges.items():
            if not padded[place]:
                draw.line(line, fill=MARK, width=wide)


def _dot(draw: ImageDraw.ImageDraw, at: tuple[float, float], r: float, colour: tuple[int, int, int]) -> None:
    draw.ellipse((at[0] - r, at[1] - r, at[0] + r, at[1] + r), fill=colour, outline=INK)


def _square(draw: ImageDraw.ImageDraw, at: tuple[float, float], r: float, colour: tuple[int, int, int]) -> None:
    draw.rectangle((at[0] - r, at[1] - r, at[0] + r, at[1] + r), fill=colour, outline=INK)
