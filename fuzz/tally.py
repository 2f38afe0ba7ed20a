"""What the long form of the fuzzing has done so far, over all its sittings: a line of JSON for each turn."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass
class Turn:
    """One target for some minutes.

    Attributes:
        date: when it ended, such as 2026-11-26.
        commit: of the code, with a `+` where files were changed since; in a copy without git, "unknown".
        led_by: `coverage` or `mutator`.
        seed: of libFuzzer, or of the mutator; -1 where it was not written down.
        seconds: from start to end, imports included; 0 where it was not written down.
        edges: of the code that libFuzzer saw, 0 without it.
        findings: what went wrong that must not, and how often.
    """

    target: str
    date: str
    commit: str
    led_by: str
    seed: int
    inputs: int
    seconds: float
    edges: int = 0
    findings: dict[str, int] = field(default_factory=dict)


def read(path: Path) -> list[Turn]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Turn(**json.loads(line)) for line in lines if line.strip()]


def append(path: Path, turn: Turn) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(turn), ensure_ascii=False) + "\n")


def commit() -> str:
    """Of the code that is fuzzed."""
    said = [
        subprocess.run(["git", *asked], cwd=HERE, capture_output=True, text=True, check=False).stdout.strip()
        for asked in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "../src"))
    ]
    return said[0] + ("+" if said[1] else "") or "unknown"


def table(turns: list[Turn], targets: Iterable[str]) -> str:
    """As Markdown: a row for each target, then all of them."""
    lines = [
        "| target | inputs | led by coverage | edges | minutes | inputs/s | seeds | last commit | findings |",
        "|---|--:|--:|--:|--:|--:|--:|---|---|",
    ]
    lines += [_row(name, [turn for turn in turns if turn.target == name]) for name in targets]
    return "\n".join([*lines, _row("all", turns)])


def _row(name: str, turns: list[Turn]) -> str:
    inputs = sum(turn.inputs for turn in turns)
    timed = [turn for turn in turns if turn.seconds]
    rate = sum(t.inputs for t in timed) / max(sum(t.seconds for t in timed), 1)
    led = sum(turn.inputs for turn in turns if turn.led_by == "coverage")
    found: dict[str, int] = {}
    for turn in turns:
        for what, number in turn.findings.items():
            found[what] = found.get(what, 0) + number
    columns = (
        name,
        f"{inputs:,}",
        f"{led:,}",
        f"{max((turn.edges for turn in turns), default=0):,}" if name != "all" else "",
        f"{sum(turn.seconds for turn in turns) / 60:,.0f}",
        f"{rate:,.0f}" if timed else "–",
        str(len({turn.seed for turn in turns})),
        turns[-1].commit if turns else "–",
        "; ".join(f"{number} × {what}" for what, number in found.items()) or "none",
    )
    return f"| {' | '.join(columns)} |"
