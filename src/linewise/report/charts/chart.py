"""What a chart is, how it looks, and how it becomes a file."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linewise.analysis import Summary
from linewise.foundations.atomic import replace_file, write_text

FONT = "DejaVu Sans, Verdana, sans-serif"
INK, GRID = "#26303a", "#e4e8ec"
RECURRENT = ["#0072b2", "#56b4e9", "#004466", "#7b6fd0", "#009e9e", "#8fb8de", "#3d3d99", "#66c2c2"]
CONVOLUTIONAL = ["#d55e00", "#e69f00", "#8c3300", "#f0b27a"]
ATTENTION = ["#117733", "#44aa66", "#88cc88"]
OTHER = ["#aa3377", "#cc6699", "#dd99bb"]
CONTROL = ["#555555", "#8c8c8c", "#b3b3b3", "#333333"]
SHAPES = [
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
]
DASHES = [[1, 0], [6, 2], [2, 2], [8, 2, 2, 2], [4, 4], [10, 3], [1, 3], [6, 2, 1, 2]]
CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": "#ffffff",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": INK, "gridColor": GRID, "domainColor": "#9aa5b1", "tickColor": "#9aa5b1",
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 220,
    },
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "labelLimit": 420, "symbolStrokeWidth": 2},
    "title": {"fontSize": 14, "fontWeight": 600, "color": INK, "anchor": "start", "offset": 10},
}  # fmt: skip
PNG_SCALE = 2
LEGEND_WIDTH, LETTER_WIDTH, SYMBOL_WIDTH = 580, 6.7, 30
"""Pixels: what a row of the legend may take, and what of it a letter and a symbol take."""


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        name: of its files and of its place in the page.
        caption: what it shows, for people who cannot see it too.
        spec: Vega-Lite, without a width where it may grow with the page.
        width: pixels in files; None where the specification has its own.
        least: pixels that its names need; a narrower page scrolls.
    """

    name: str
    caption: str
    spec: dict[str, Any]
    width: int | None = 460
    least: int = 0

    def for_files(self) -> dict[str, Any]:
        """The specification with the width it has in files."""
        return {**self.spec, "width": self.width} if self.width else self.spec

    def for_page(self) -> dict[str, Any]:
        """The specification with a width that follows the page."""
        if not self.width:
            return self.spec
        return {**self.spec, "width": "container", "autosize": {"type": "fit-x", "contains": "padding"}}

    def save(self, folder: Path) -> None:
        """Write `NAME.svg` and `NAME.png` (twice the size in pixels)."""
        draw(self.for_files(), folder / self.name)


def draw(spec: dict[str, Any], path: Path) -> None:
    """Write a Vega-Lite specification as SVG and as PNG beside it, `path` with `.svg` and `.png`."""
    import vl_convert

    svg = vl_convert.vegalite_to_svg(spec)
    write_text(path.with_name(f"{path.name}.svg"), svg)
    with replace_file(path.with_name(f"{path.name}.png")) as file:
        file.write(vl_convert.svg_to_png(svg, scale=PNG_SCALE))  # the same bytes as from the specification


def make(
    name: str, caption: str, chart: Any, *, width: int | None = 460, height: int | None = 260, least: int = 0
) -> Chart:
    """A chart from Altair's, with the house's looks."""
    if height:
        chart = chart.properties(height=height)
    spec = chart.to_dict()
    spec["config"] = CONFIG
    return Chart(name, caption, spec, width, least)


def log_scale(values: list[float], *, margin: float = 1.2, reverse: bool = False) -> tuple[Any, list[float]]:
    """A logarithmic scale around values above 0, and round ticks (1, 2, 5 times powers of ten) on it.

    Args:
        values: what is to be shown.
        margin: factor of room on both sides.
        reverse: small values at the far end.
    """
    import altair as alt

    low, high = min(values) / margin, max(values) * margin
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    shown = [float(f"{tick:.6g}") for tick in ticks if low <= tick <= high]
    if len(shown) < 3:
        shown = [
            t for power in powers for digit in range(1, 10) if low <= (t := float(f"{digit}e{power}")) <= high
        ]
    if len(shown) > 9:
        shown = [tick for tick in shown if f"{tick:e}".startswith("1")]
    return alt.Scale(type="log", domain=[low, high], nice=False, reverse=reverse), shown


def accuracy_axis(ticks: list[float]) -> Any:
    """Marks an axis of errors in percent with accuracies: 0.5 becomes 99.5."""
    import altair as alt

    return alt.Axis(values=ticks, labelExpr="format(100 - datum.value, '.6~g')")


class Looks:
    """The same colour, shape and dash for a network in every chart: hue tells the family."""

    def __init__(self, summary: Summary) -> None:
        hues = {
            "recurrent": RECURRENT,
            "convolutional": CONVOLUTIONAL,
            "attention": ATTENTION,
            "control": CONTROL,
            "other": OTHER,
        }
        taken = dict.fromkeys(hues, 0)
        self.labels, self.colours, self.dashes = [], [], []
        for network in summary.networks:
            place = taken[network.family]
            taken[network.family] += 1
            self.labels.append(network.label)
            self.colours.append(hues[network.family][place % len(hues[network.family])])
            self.dashes.append(DASHES[place % len(DASHES)])
        self.shapes = [SHAPES[i % len(SHAPES)] for i in range(len(self.labels))]

    def keep(self, labels: set[str]) -> Looks:
        """The same looks for some of the networks: a legend names only what is shown."""
        kept = copy.copy(self)
        chosen = [i for i, label in enumerate(self.labels) if label in labels]
        for name in ("labels", "colours", "dashes", "shapes"):
            setattr(kept, name, [getattr(self, name)[i] for i in chosen])
        return kept

    def colour(self, **legend: Any) -> Any:
        """Colour by network."""
        import altair as alt

        scale = alt.Scale(domain=self.labels, range=self.colours)
        return alt.Color("network:N", scale=scale, title=None, legend=self._legend(legend))

    def shape(self, **legend: Any) -> Any:
        """Shape by network."""
        import altair as alt

        scale = alt.Scale(domain=self.labels, range=self.shapes)
        return alt.Shape("network:N", scale=scale, title=None, legend=self._legend(legend))

    def dash(self, **legend: Any) -> Any:
        """Dash by network."""
        import altair as alt

        scale = alt.Scale(domain=self.labels, range=self.dashes)
        return alt.StrokeDash("network:N", scale=scale, title=None, legend=self._legend(legend))

    @property
    def letters(self) -> int:
        """Of the longest label."""
        return max(map(len, self.labels), default=0)

    @property
    def columns(self) -> int:
        """Of the legend: as many, up to four, as the longest label leaves room for."""
        return min(4, max(1, int(LEGEND_WIDTH / (SYMBOL_WIDTH + LETTER_WIDTH * self.letters))))

    @property
    def legend_width(self) -> int:
        """Pixels that the legend needs."""
        return round(self.columns * (SYMBOL_WIDTH + LETTER_WIDTH * self.letters))

    def _legend(self, options: dict[str, Any]) -> Any:
        import altair as alt

        return alt.Legend(orient="bottom", columns=self.columns, **options)


MOST_TICKS = 16


def whole_ticks(most: int) -> Any:
    """An axis from 1 to `most` with whole numbers alone."""
    import altair as alt

    if most <= MOST_TICKS:  # of so few, Vega would put some between them
        return alt.Axis(values=list(range(1, most + 1)), format="d")
    return alt.Axis(tickMinStep=1, format="d")
