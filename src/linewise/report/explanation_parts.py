"""What a page about one image shows, from its trace: places on the page, shapes and words."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from PIL import Image

from linewise.tracing.record import Trace

MOST_STEPS, MOST_UNITS = 512, 1024
"""Steps and hidden units shown at most, evenly chosen."""
MOST_CLASSES, MOST_ROWS = 5, 64
"""Classes with a colour of their own; rows of the table."""
SIDE = 1000
"""Of the drawings, in units of their own; the page stretches them."""
ABOVE, BELOW = (30, 130, 210), (232, 112, 18)
"""Colours above and below zero; how opaque says how far, so that both themes show through at zero."""
TALL, LOW = 392, 190
FAINT = 0.0005
"""Of a probability: less than this is not shown."""


@dataclass(frozen=True)
class Line:
    """A mark across the charts.

    Attributes:
        kind: `settled` or `stopped`.
        place: from the top, as a fraction.
        under: its name stands below it, where there is no room above.
    """

    kind: str
    place: float
    under: bool


@dataclass(frozen=True)
class Share:
    """A class in the chart of probabilities: its colour's number (None: all other classes) and its shape."""

    name: str
    colour: int | None
    path: str


class Parts:
    """The parts of a page, each made when it is asked for.

    Attributes:
        trace: what is shown.
        aligned: the steps follow the rows of the image, so that charts by step lie beside it row by row.
        by_row: each step is one row.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.height, self.width = trace.image_HWC.shape[:2]
        self.row_step_H = _row_steps(trace)
        self.aligned = self.row_step_H is not None
        self.by_row = self.aligned and trace.num_steps == self.height
        steps = np.arange(trace.num_steps or 0)
        self.kept_T = steps if self.aligned else _evenly(steps, MOST_STEPS)

    @property
    def tall(self) -> int:
        """Height of the charts, pixels of the screen."""
        return round(min(TALL, max(140, TALL * self.height / self.width)))

    @property
    def low(self) -> int:
        """The same on a narrow screen."""
        return round(min(LOW, max(110, LOW * self.height / self.width)))

    @property
    def unit(self) -> str:
        """What a step is called."""
        return "row" if self.by_row else "step"

    @cached_property
    def image(self) -> str:
        """The image as a `data:` address."""
        return data_address(self.trace.image_HWC)

    @cached_property
    def order(self) -> str:
        """When each pixel is read, early ones pale; a `data:` address."""
        assert self.trace.step_HW is not None
        late_HW = self.trace.step_HW / max(1, self.trace.num_steps or 1)
        return data_address(_tinted(np.full((*late_HW.shape, 3), ABOVE), late_HW))

    def spans(self) -> list[tuple[float, float]]:
        """Top and bottom of each kept step, as fractions of the height."""
        if self.row_step_H is None:
            count = len(self.kept_T)
            return [(t / count, (t + 1) / count) for t in range(count)]
        rows = [np.flatnonzero(self.row_step_H == t + 1) for t in self.kept_T]
        return [(int(r[0]) / self.height, (int(r[-1]) + 1) / self.height) for r in rows]

    def lines(self) -> list[Line]:
        """Where the answer settled, and where reading stops by the rule."""
        steps = {"settled": self.trace.settled, "stopped": self.trace.stopped}
        places = {kind: self._end_of(step) for kind, step in steps.items() if step is not None}
        low = max(places, key=lambda kind: places[kind], default="")
        return [
            Line(kind, place, place < 0.1 or (kind == low and len(places) > 1 and place < 0.9))
            for kind, place in places.items()
        ]

    def _end_of(self, step: int) -> float:
        if self.row_step_H is None:
            return step / (self.trace.num_steps or 1)
        top, bottom = self.spans()[step - 1]
        return top if self.row_step_H[0] > self.row_step_H[-1] else bottom

    def ticks(self, number: int) -> list[tuple[int, float]]:
        """Some of `number` rows or steps, from 1, and where their middles are."""
        apart = next(size for size in _round_sizes() if number / size <= 7)
        shown = [1, *range(apart, number + 1, apart)] if apart > 1 else list(range(1, number + 1))
        if len(shown) > 1 and shown[1] - shown[0] < apart / 2:
            shown.pop(1)
        return [(n, (n - 0.5) / number) for n in shown]

    @cached_property
    def shown_classes(self) -> list[int]:
        """The answer, then those that were most likely at some time, at most five."""
        assert self.trace.probabilities_TK is not None
        most_K = self.trace.probabilities_TK.max(axis=0).copy()
        most_K[self.trace.answer] = np.inf
        return [int(k) for k in np.argsort(-most_K, kind="stable")[:MOST_CLASSES]]

    def shares(self) -> list[Share]:
        """Probabilities after each step, side by side; the answer at the left, all other classes at the right."""
        assert self.trace.probabilities_TK is not None
        p_TK, spans = self.trace.probabilities_TK[self.kept_T], self.spans()
        left_T, found = np.zeros(len(p_TK)), []
        for colour, k in enumerate(self.shown_classes):
            right_T = left_T + p_TK[:, k]
            found.append(Share(self.trace.class_names[k], colour, _bars(left_T, right_T, spans)))
            left_T = right_T
        if len(self.trace.class_names) > MOST_CLASSES:
            found.append(Share("all others", None, _bars(left_T, np.ones(len(p_TK)), spans)))
        return found

    @cached_property
    def strongest(self) -> float:
        """What blanking a row changes at most."""
        return 0.0 if self.trace.occlusion_H is None else float(np.abs(self.trace.occlusion_H).max())

    @property
    def rows_matter(self) -> bool:
        return self.strongest >= FAINT

    def occluded(self) -> tuple[str, str]:
        """Rows that hold the answer up, right of the middle, and rows that speak against it, left of it."""
        assert self.trace.occlusion_H is not None
        half_H = self.trace.occlusion_H / max(self.strongest, FAINT) / 2
        spans = [(row / self.height, (row + 1) / self.height) for row in range(self.height)]
        middle_H = np.full(self.height, 0.5)
        return (
            _bars(middle_H, 0.5 + np.maximum(half_H, 0), spans),
            _bars(0.5 + np.minimum(half_H, 0), middle_H, spans),
        )

    @property
    def points(self) -> str:
        """What half the width of the chart of rows stands for."""
        return f"{100 * self.strongest:.2g}" if self.strongest < 0.995 else "100"

    def key_row(self) -> int:
        """The row, from 1, whose loss costs the answer most."""
        assert self.trace.occlusion_H is not None
        return int(self.trace.occlusion_H.argmax()) + 1

    @cached_property
    def loudest(self) -> float:
        """The number remembered that is farthest from zero."""
        assert self.trace.hidden_TU is not None
        return float(np.abs(self.trace.hidden_TU).max()) or 1.0

    def heat(self) -> str:
        """The hidden state by row of the image, or by step; a `data:` address."""
        hidden_TU = self.trace.hidden_TU
        assert hidden_TU is not None
        rows = self.kept_T if self.row_step_H is None else self.row_step_H - 1
        hidden_TU = hidden_TU[rows][:, _evenly(np.arange(hidden_TU.shape[1]), MOST_UNITS)]
        colours = np.where(hidden_TU[..., None] >= 0, ABOVE, BELOW)
        return data_address(_tinted(colours, np.abs(hidden_TU) / self.loudest))

    def turns(self) -> list[tuple[str, int, int]]:
        """The answers on the way: a class, and the steps from and to which it was the answer."""
        assert self.trace.probabilities_TK is not None
        found, step = [], 1
        for k, group in groupby(self.trace.probabilities_TK.argmax(axis=1).tolist()):
            count = len(list(group))
            found.append((self.trace.class_names[k], step, step + count - 1))
            step += count
        return found

    def best(self, top: int) -> list[tuple[str, float]]:
        """The most likely classes at the end."""
        order = np.argsort(-self.trace.probabilities_K, kind="stable")[:top]
        return [(self.trace.class_names[k], float(self.trace.probabilities_K[k])) for k in order]

    def table(self) -> list[tuple[int, list[tuple[str, float]]]]:
        """The three most likely classes after some of the steps."""
        assert self.trace.probabilities_TK is not None
        rows = []
        for t in _evenly(np.arange(len(self.trace.probabilities_TK)), MOST_ROWS).tolist():
            row_K = self.trace.probabilities_TK[t]
            best = np.argsort(-row_K, kind="stable")[:3]
            rows.append((t + 1, [(self.trace.class_names[k], float(row_K[k])) for k in best]))
        return rows


def data_address(image_HWC: np.ndarray) -> str:
    """A picture as PNG, as an address that holds it."""
    file = io.BytesIO()
    Image.fromarray(image_HWC[:, :, 0] if image_HWC.shape[2] == 1 else image_HWC).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def thumb(image_HWC: np.ndarray) -> str:
    """The image, or every so many of its pixels where it is large, as an address that holds it."""
    apart = -(-max(image_HWC.shape[:2]) // 96)
    return data_address(np.ascontiguousarray(image_HWC[::apart, ::apart]))


def _row_steps(trace: Trace) -> np.ndarray | None:
    """The step that first reads each row, `H`, where steps go through the rows one after another; else None."""
    if trace.step_HW is None:
        return None
    row_step_H = trace.step_HW[:, 0]
    whole = (trace.step_HW == row_step_H[:, None]).all()
    turns_H = np.diff(row_step_H)
    in_turn = (turns_H >= 0).all() or (turns_H <= 0).all()
    return row_step_H if whole and in_turn and len(np.unique(row_step_H)) == trace.num_steps else None


def _evenly(numbers: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the numbers, the first and the last among them."""
    if len(numbers) <= most:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, most).round().astype(int)]


def _round_sizes() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def _bars(left_T: np.ndarray, right_T: np.ndarray, spans: list[tuple[float, float]]) -> str:
    """One bar in each span, as an SVG path; those too thin to be seen are left out."""
    gap = 0.08 / len(spans) if len(spans) <= MOST_ROWS else 0.0
    parts = []
    for left, right, (top, bottom) in zip(left_T.tolist(), right_T.tolist(), spans, strict=True):
        if right - left >= FAINT:
            x, y = SIDE * left, SIDE * (top + gap / 2)
            parts.append(
                f"M{x:.1f} {y:.1f}h{SIDE * (right - left):.1f}v{SIDE * (bottom - top - gap):.1f}H{x:.1f}z"
            )
    return "".join(parts)


def _tinted(colour_HWC: np.ndarray, opaque_HW: np.ndarray) -> np.ndarray:
    """Colours with transparency, uint8 `HWC`, C = 4."""
    alpha_HW1 = (255 * np.clip(opaque_HW, 0, 1)).round()[..., None]
    return np.concatenate([colour_HWC, alpha_HW1], axis=2).astype(np.uint8)
