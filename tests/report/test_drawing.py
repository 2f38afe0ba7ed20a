"""Drawing beside the page: the same pictures, whatever becomes of the process that draws; the script is kept."""

from __future__ import annotations

import os
from pathlib import Path

import altair as alt
import pytest
import vl_convert

from linewise.report import page
from linewise.report.charts.chart import PNG_SCALE, Chart, make
from linewise.report.drawing import Drawing


def chart(name: str, high: int) -> Chart:
    data = alt.Data(values=[{"a": i, "b": i * i % high} for i in range(9)])
    return make(name, "a test", alt.Chart(data).mark_line().encode(x="a:Q", y="b:Q", color=alt.value("teal")))


def test_pictures_are_those_of_the_specification_and_old_ones_go(tmp_path: Path) -> None:
    (tmp_path / "older.png").write_bytes(b"")
    (tmp_path / "kept.txt").write_text("")
    made = [chart("one", 5), chart("two", 7)]
    with Drawing(tmp_path) as drawing:
        drawing.add(made[:1])
        drawing.add(made[1:])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept.txt", "one.png", "one.svg", "two.png", "two.svg"]
    for each in made:
        png = vl_convert.vegalite_to_png(each.for_files(), scale=PNG_SCALE)
        assert (tmp_path / f"{each.name}.png").read_bytes() == png
        assert (tmp_path / f"{each.name}.svg").read_text().startswith("<svg ")


def test_where_the_drawing_process_dies_the_charts_are_drawn_here(tmp_path: Path) -> None:
    made = chart("one", 5)
    with Drawing(tmp_path) as drawing:
        drawing._pool.submit(os._exit, 1)
        drawing.add([made])
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_a_chart_that_cannot_be_drawn_is_an_error_and_old_pictures_stay(tmp_path: Path) -> None:
    (tmp_path / "older.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"Vega|Invalid|error"), Drawing(tmp_path) as drawing:
        drawing.add([Chart("bad", "", {"mark": 7, "$schema": "https://vega.github.io/schema/vega-lite/v5.json"})])
    assert (tmp_path / "older.png").exists()


def test_the_script_is_bundled_once_and_a_damaged_one_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEWISE_CACHE", str(tmp_path))
    bundled: list[str] = []

    def bundle(snippet: str, vl_version: str | None = None) -> str:
        bundled.append(snippet)
        return "let a = '</script>';\nlet b = 'Größe';"

    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    wanted = "let a = '<\\/script>';\nlet b = 'Größe';"
    scripts = page.scripts.__wrapped__
    assert [scripts("v6_1"), scripts("v6_1")] == [wanted, wanted]
    assert len(bundled) == 1
    assert scripts("v5_8") == wanted  # another version is another script
    assert len(bundled) == 2
    for path in (tmp_path / "scripts").iterdir():
        path.write_text(path.read_text().replace("let a", "let x"))
    assert scripts("v6_1") == wanted
    assert len(bundled) == 3
