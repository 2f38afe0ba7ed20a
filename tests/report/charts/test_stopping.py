"""The chart of a stopping rule: what is on it, and readers of extreme kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vl_convert
from PIL import Image

from linewise.analysis.stopping import find_threshold, judge
from linewise.foundations.stopping import Answered, StopRule, StopTest
from linewise.report.charts.stopping import stopping_chart


def answered(seed: int, *, sure_at_once: bool = False) -> Answered:
    """Six steps; doubts fall by a random factor each, and answers are wrong as often as they are doubted."""
    rng = np.random.default_rng(seed)
    labels_N = rng.integers(0, 4, 2000)
    doubt_NT = np.clip(0.7 * np.cumprod(rng.uniform(0.01, 1, (2000, 6)), axis=1), 1e-9, 1)
    wrong_NT = rng.random((2000, 6)) < doubt_NT
    if sure_at_once:
        doubt_NT[:], wrong_NT[:] = 1e-9, np.arange(6) < 5
    answers_NT = np.where(wrong_NT, (labels_N[:, None] + 1) % 4, labels_N[:, None])
    return Answered(answers_NT, doubt_NT, labels_N, np.zeros(2000, dtype=np.int64))


def rule(*, sure_at_once: bool = False) -> StopRule:
    found = find_threshold(answered(0, sure_at_once=sure_at_once), 0.01, 0.95)
    test = judge(answered(1, sure_at_once=sure_at_once), found.doubt)
    return StopRule(
        sha256="0" * 64, data="synthetic", budget=0.01, confidence=0.95, num_images=2000, num_steps=6,
        **vars(found), test=StopTest(data="synthetic", num_images=2000, **vars(test)),
    )  # fmt: skip


def values(spec: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Rows of each layer."""
    return [layer["data"]["values"] for layer in spec["layer"]]


def test_the_line_is_the_curve_and_the_dot_is_the_rule(tmp_path: Path) -> None:
    kept = rule()
    assert kept.test is not None
    assert kept.doubt is not None
    chart = stopping_chart(kept)
    line = next(rows for rows in values(chart.spec) if "doubt" in rows[0])
    full = kept.test.full.estimate
    near = [p for p in kept.test.curve if p.accuracy > full - 0.3]
    assert len(near) > 20
    assert [row["doubt"] for row in line] == [p.doubt for p in near]
    assert [row["accuracy"] for row in line] == pytest.approx([100 * p.accuracy for p in near])
    assert [row["read"] for row in line] == pytest.approx([100 * p.read for p in near])
    dot = values(chart.spec)[-1]
    assert dot == [{"read": 100 * kept.test.read.estimate, "accuracy": 100 * kept.test.stopped.estimate}]
    low, high = chart.spec["layer"][1]["encoding"]["y"]["scale"]["domain"]
    shown = [100 * full - 1, *(row["accuracy"] for row in (*line, *dot))]
    assert low <= min(shown) < max(shown) <= high
    assert "2,000 test images" in chart.caption
    assert "the dot is the rule found on 2,000 validation images" in chart.caption
    chart.save(tmp_path)
    svg = (tmp_path / "stop.svg").read_text()
    assert all(text in svg for text in ("reading all", "1 point less", "accuracy on the test images, %"))
    with Image.open(tmp_path / "stop.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10


def test_a_reader_that_is_sure_at_once_and_wrong_has_its_chart_without_a_dot() -> None:
    kept = rule(sure_at_once=True)
    assert kept.doubt is None
    chart = stopping_chart(kept)
    line = next(rows for rows in values(chart.spec) if "doubt" in rows[0])
    assert {row["accuracy"] for row in line} == {0.0}
    assert all("read" not in row or "doubt" in row for rows in values(chart.spec) for row in rows)
    assert "no threshold was found on 2,000 validation images" in chart.caption
    assert "the dot" not in chart.caption
    assert "reading all" in vl_convert.vegalite_to_svg(chart.for_files())
