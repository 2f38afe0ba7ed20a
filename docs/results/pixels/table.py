"""The table of pixel-by-pixel MNIST from the results beside it: python docs/results/pixels/table.py"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
READINGS = ("pixels", "permuted0")


def networks(name: str) -> list[dict[str, Any]]:
    return json.loads((HERE / name / "results.json").read_text(encoding="utf-8"))["networks"]


def percent(test: dict[str, Any]) -> str:
    return f"**{100 * test['estimate']:.2f}** ({100 * test['low']:.2f}–{100 * test['high']:.2f})"


def main() -> None:
    by_cell: dict[str, dict[str, dict[str, Any]]] = {}
    for reading in READINGS:
        for network in networks(reading):
            by_cell.setdefault(network["label"].partition("@")[0], {})[reading] = network
    columns = ["cell", "parameters", "pixels, test % (95 %)", "permuted, test % (95 %)", "training s, pixels"]
    lines = [f"| {' | '.join(columns)} |"]
    lines += ["|---|--:|--:|--:|--:|"]
    for cell, found in by_cell.items():
        pixels, permuted = (found[reading] for reading in READINGS)
        cells = [f"`{cell}`", f"{pixels['parameters']:,}", percent(pixels["test"]), percent(permuted["test"])]
        lines.append(f"| {' | '.join([*cells, format(pixels['train_s'], '.0f')])} |")
    (best,) = networks("pixels-best")
    cells = [f"`{best['label']}`, all images, 15 epochs", f"{best['parameters']:,}", percent(best["test"]), "–"]
    lines.append(f"| {' | '.join([*cells, format(best['train_s'], ',.0f')])} |")
    test = networks("pixels")[0]["test"]
    lines += ["", f"n = {test['num_seeds']} seed × {test['num_images']:,} test images."]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
