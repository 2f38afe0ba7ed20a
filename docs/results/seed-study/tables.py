"""Writes the tables of the page beside from the records: python docs/results/seed-study/tables.py STUDY…"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NETWORKS = [
    "network",
    "parameters",
    "MACs",
    "test % (95 % interval)",
    "training, × `cnn` (quartiles)",
    "chosen of 20 trials",
]


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def networks(study: Path) -> list[str]:
    results, tuning = read(study / "report/results.json"), read(study / "tuning/tuning.json")
    chosen = {network["label"]: network["settings"] for network in tuning["networks"]}
    lines = [f"| {' | '.join(NETWORKS)} |", "|---|--:|--:|--:|--:|---|"]
    for network in results["networks"]:
        test, label = network["test"], network["label"]
        settings = ", ".join(f"{name} {value:.3g}" for name, value in chosen[label].items())
        ratio = training_time(study, label)
        lines.append(
            f"| `{label}` | {network['parameters']:,} | {network['macs']:,} | **{100 * test['estimate']:.2f}** "
            f"({100 * test['low']:.2f}–{100 * test['high']:.2f}) | {ratio} | {settings} |"
        )
    test = results["networks"][0]["test"]
    return [*lines, "", f"n = {test['num_seeds']} seeds × {test['num_images']:,} test images."]


def training_time(study: Path, label: str) -> str:
    """Time of the same training images, median of the paired ratios, and their quartiles."""
    import numpy as np

    training = read(study / "speed.json")["work"]["train"]
    seconds = {turns["label"]: np.array(turns["seconds"]) / turns["images"] for turns in training}
    low, ratio, high = np.quantile(seconds[label] / seconds["cnn"], [0.25, 0.5, 0.75])
    return "1" if label == "cnn" else f"{ratio:.2f} ({low:.2f}–{high:.2f})"


def claims(study: Path) -> list[str]:
    found = read(study / "report/verdict.json")["claims"]
    rows = [f"| {claim['statement']} | **{claim['verdict']}** | {claim['sentence']} |" for claim in found]
    return ["| claim | verdict | why |", "|---|---|---|", *rows]


def main() -> None:
    page = HERE / "README.md"
    text = page.read_text(encoding="utf-8")
    for name in sys.argv[1:]:
        body = "\n".join([*networks(HERE / name), "", *claims(HERE / name)])
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not marks.search(text):
            raise SystemExit(f"no place for {name} in {page.name}")
        text = marks.sub(lambda found, body=body: f"{found[1]}\n{body}\n\n{found[2]}", text)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
