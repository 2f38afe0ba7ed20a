"""Every Python block of the documentation runs, and every picture and page it names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = [ROOT / "docs" / "readings.md", *sorted((ROOT / "docs" / "networks").glob("*.md"))]


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.stem)
def test_examples_run(page: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(page), "exec"), {})


def test_the_python_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs no images of one's own, from top to bottom, in a folder of its own."""
    page = ROOT / "docs" / "python.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    left_out = [block for block in blocks if "compare(images" in block or '"mnist"' in block]
    assert len(left_out) == 2
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks:
        if block not in left_out:
            exec(compile(block.replace("seeds=5", "seeds=1, epochs=1"), str(page), "exec"), names)
    assert names["reader"].score(names["test"], names["y_test"]) > 0.95
    assert names["again"].score(names["test"], names["y_test"]) > 0.95


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize(
    "table", sorted((ROOT / "docs" / "results").rglob("table.md")), ids=lambda t: t.parent.name
)
def test_results_are_shown_as_they_were_collected(table: Path) -> None:
    shown = (table.parent / "README.md").read_text(encoding="utf-8")
    rows = [line for line in table.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows
    assert not [row for row in rows if row not in shown]


def test_statistics_show_the_simulation_as_it_was_counted() -> None:
    results, pages = ROOT / "docs" / "results" / "simulation", ROOT / "docs"
    counted = (results / "README.md").read_text(encoding="utf-8").split("## In short")[1].split("Missed of")[0]
    rows = [line for line in counted.splitlines() if line.startswith("|")]
    assert len(rows) > 3
    shown = (pages / "statistics.md").read_text(encoding="utf-8").splitlines()
    assert not [row for row in rows if row not in shown]
    ways = (results / "variants.md").read_text(encoding="utf-8").splitlines()
    decision = (pages / "decisions" / "0003-interval-over-seeds-and-images.md").read_text(encoding="utf-8")
    rows = [line for line in decision.splitlines() if line.startswith("|")]
    assert len(rows) > 3
    assert not [row for row in rows if row not in ways]


def test_the_spaces_of_tuning_are_shown_as_they_are() -> None:
    from linewise.study.tuning.space import RECIPE_DIALS, SIZE_DIALS, SPACES

    lines = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8").splitlines()
    for family, space in SPACES.items():
        ranges = [f"{space[dial][0]:g} to {space[dial][1]:g}" for dial in (*RECIPE_DIALS, *SIZE_DIALS)]
        (row,) = (line for line in lines if line.startswith((f"| {family} |", f"| {family} (")))
        assert row.split(" | ")[1:] == [*ranges[:-1], f"{ranges[-1]} |"]
        assert [space[dial][2] for dial in (*RECIPE_DIALS, *SIZE_DIALS)] == [True] * 3 + [False] * 3


def test_every_registered_network_is_in_the_documentation() -> None:
    from linewise.models import list_models

    text = "\n".join(page.read_text(encoding="utf-8") for page in SHOWN)
    for name in list_models():
        stem = re.sub(r"^sequencer2d_(s|m|l|nano|tiny)(_pooling|_identity)?$", "sequencer2d_", name)
        assert stem.removeprefix("bi") in text, name
