"""What of a study or a run must repeat to the bit, whatever happened meanwhile."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILES = ("model.safetensors", "model.json", "predictions.npz", "steps.npz")
TIMES = {
    "train_s", "common_s", "epoch_s", "seconds_to_target", "images_per_s", "latency", "latency_ms_1", "latency_ms_1000",
    "started", "created", "times", "command", "seconds",
}  # fmt: skip
"""Fields that tell of time, and of what was typed."""
HISTORY = {"retried", "openings", "opening"}
"""Fields that tell what happened on the way: they differ, and are right to."""


def of_study(folder: Path) -> dict[str, Any]:
    """By file: every run, and the report's numbers where there is one."""
    found: dict[str, Any] = {}
    for run in sorted(folder.glob("runs/[!.]*")):
        found |= {f"{run.name}/{name}": value for name, value in of_run(run).items()}
    for name in ("tuning/tuning.json", "report/results.json", "report/verdict.json"):
        if (folder / name).exists():
            found[name] = dict(_flat(json.loads((folder / name).read_text())))
    return found


def of_run(run: Path) -> dict[str, Any]:
    """By file; the numbers of `run.json` and `epochs.csv` but for times."""
    found: dict[str, Any] = {}
    for name in FILES:
        if (run / name).exists():
            found[name] = hashlib.sha256((run / name).read_bytes()).hexdigest()
    with (run / "epochs.csv").open(newline="") as file:
        found["epochs.csv"] = [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]
    found["run.json"] = dict(_flat(json.loads((run / "run.json").read_text())))
    return found


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Files that are missing, too many, or other than they should be, with the first field that differs."""
    told = []
    for name in sorted(found.keys() | wanted.keys()):
        a, b = found.get(name), wanted.get(name)
        if a != b:
            field = ""
            if isinstance(a, dict) and isinstance(b, dict):
                at = next(key for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key))
                field = f" at {at}: {a.get(at)!r}, was {b.get(at)!r}"
            told.append(f"{name} {'is missing' if a is None else 'is there' if b is None else 'differs'}{field}")
    return told


def leftovers(folder: Path) -> list[str]:
    """Files of writers that never came to their end."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.partial"))


def _flat(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in TIMES | HISTORY:
                yield from _flat(inner, f"{at}/{key}")
    elif isinstance(value, list):
        value = [v for v in value if not (isinstance(v, dict) and v.get("code") == "test-opened-again")]
        for i, inner in enumerate(value):
            yield from _flat(inner, f"{at}[{i}]")
    else:
        yield at, value
