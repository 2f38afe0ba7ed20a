"""Charts become files in a process of their own, while this one goes on with the page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, final

from linewise.report.charts.chart import Chart, draw

if TYPE_CHECKING:
    from concurrent.futures import Future


@final
class Drawing:
    """Writes charts to a folder as PNG and SVG; at the end of the context all are there.

    The part that draws (V8, inside vl-convert) holds Python's lock for as long as it works, so a thread would
    not do. Where no process can be had, or it dies, the charts are drawn here at the end.

    Args:
        folder: pictures of an earlier report that this one does not have go from it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._drawn: list[tuple[Chart, Future[Any]]] = []

    def __enter__(self) -> Drawing:
        from loky.process_executor import ProcessPoolExecutor

        self._pool = ProcessPoolExecutor(max_workers=1, timeout=60)
        self._pool.submit(_begin)
        return self

    def add(self, charts: Iterable[Chart]) -> None:
        for chart in charts:
            self._drawn.append((chart, self._pool.submit(draw, chart.for_files(), self.folder / chart.name)))

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        from loky.process_executor import BrokenProcessPool

        try:
            for chart, future in self._drawn if kind is None else []:
                try:
                    future.result()
                except BrokenProcessPool:
                    chart.save(self.folder)
        finally:
            self._pool.shutdown(wait=True, kill_workers=True)
        if kind is None:
            names = {chart.name for chart, _ in self._drawn}
            for path in [*self.folder.glob("*.png"), *self.folder.glob("*.svg")]:
                if path.stem not in names:
                    path.unlink()


def _begin() -> None:
    """Loads what draws, before there is something to draw."""
    import vl_convert

    vl_convert.vegalite_to_svg({"data": {"values": [{}]}, "mark": "point"})
