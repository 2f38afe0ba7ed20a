"""Writes the tables of the page beside from the records: python docs/results/depth/table.py"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def percent(interval: dict[str, Any], scale: float = 100, digits: int = 2) -> str:
    estimate, low, high = (scale * interval[key] for key in ("estimate", "low", "high"))
    return f"**{estimate:.{digits}f}** ({low:.{digits}f}–{high:.{digits}f})"


def readers() -> Iterator[str]:
    yield (
        "| network | steps | test %, loss at the end | test %, `--read-along` | depth, loss at the end | "
        "depth, `--read-along` |"
    )
    yield "|---|--:|--:|--:|--:|--:|"
    end, along = read(HERE / "end.json"), read(HERE / "along.json")
    for before, after in zip(end["networks"], along["networks"], strict=True):
        label = before["label"]
        depths = ["–", "–", "–"]
        if label in along["depth"]["readers"]:
            found = [study["depth"]["readers"][label] for study in (end, along)]
            depths = [str(found[0]["num_steps"]), *(percent(one["depth"], 1, 1) for one in found)]
        cells = [f"`{label}`", depths[0], percent(before["test"]), percent(after["test"]), *depths[1:]]
        yield f"| {' | '.join(cells)} |"
    test = along["networks"][0]["test"]
    yield ""
    yield f"n = {test['num_seeds']} seeds × {test['num_images']:,} test images; 95 % intervals over both."


def stops() -> Iterator[str]:
    yield (
        "| run | at most lost, by validation | test %, all read | points lost on test | steps read % | "
        "computed % | × as fast as to the end, one by one | 1,000 together |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for path in sorted((HERE / "stops").glob("*.json")):
        rule = read(path)
        test = rule["test"]
        cells = [f"`{path.stem}`", f"{100 * rule['bound']:.3f}", percent(test["full"])]
        cells += [percent(test["loss"], digits=3), percent(test["read"], digits=1)]
        cells += [percent(test["computed"], digits=1)]
        cells += [faster(test["times"], size) for size in (1, 1000)]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        f"n = {rule['num_images']:,} validation images for the rule, {test['num_images']:,} test images for what "
        "it did; 95 % intervals over images, quartiles over rounds in alternation."
    )


def faster(times: list[dict[str, Any]], size: int) -> str:
    seconds = {t["way"]: np.array(t["seconds"]) / t["images"] for t in times if t["batch_size"] == size}
    low, median, high = np.quantile(seconds["steps"] / seconds["stopping"], [0.25, 0.5, 0.75])
    return f"{median:.2f} ({low:.2f}–{high:.2f})"


def main() -> None:
    page = HERE / "README.md"
    text = page.read_text(encoding="utf-8")
    for name, lines in (("readers", readers()), ("stops", stops())):
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        body = "\n".join(lines)
        text = marks.sub(lambda found, body=body: f"{found[1]}\n{body}\n\n{found[2]}", text)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
