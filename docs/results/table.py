"""A Markdown table of a study from its `results.json`: python docs/results/table.py RESULTS.json"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

COLUMNS = ["network", "parameters", "MACs", "train %", "validation %", "test % (95 % interval)"]
COLUMNS += ["training s", "1 image ms", "1,000 ms"]


def row(network: dict[str, Any]) -> str:
    test, validation, latency = network["test"], network["validation"], network["latency"]
    cells = [
        f"`{network['label']}`",
        f"{network['parameters']:,}",
        f"{network['macs']:,}",
        f"{100 * network['train']:.2f}",
        f"{100 * validation['estimate']:.2f}",
        f"**{100 * test['estimate']:.2f}** ({100 * test['low']:.2f}–{100 * test['high']:.2f})",
        f"{network['train_s']:.0f}",
        f"{latency['1']['median_ms']:.2g}",
        f"{latency['1000']['median_ms']:,.0f}"
        if latency["1000"]["median_ms"] >= 1000
        else f"{latency['1000']['median_ms']:.3g}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    test = results["networks"][0]["test"]
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|" + "--:|" * (len(COLUMNS) - 1), *map(row, results["networks"])]
    lines += ["", f"n = {test['num_seeds']} seeds × {test['num_images']:,} test images. {results['answer']}"]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
