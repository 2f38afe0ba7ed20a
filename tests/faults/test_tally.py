"""The long form of the fuzzing goes on where it stopped: what was done is added up over its sittings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FUZZ = Path(__file__).parents[2] / "fuzz"


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FUZZ))
    import tally

    return tally


def test_turns_are_added_up(tmp_path: Path, tally: ModuleType) -> None:
    path = tmp_path / "tally.jsonl"
    assert tally.read(path) == []
    turns = [
        tally.Turn("idx", "2026-01-01", "a", "coverage", 1, 1000, 60.0, 50, {"KeyError": 1}),
        tally.Turn("idx", "2026-01-02", "b", "mutator", 2, 500, 30.0, 0, {"KeyError": 2, "took 2 s": 1}),
        tally.Turn("csv", "2026-01-02", "b", "coverage", 2, 7, 0.0, 3),
    ]
    for turn in turns:
        tally.append(path, turn)
    assert tally.read(path) == turns
    assert tally.table(tally.read(path), ["csv", "idx", "npz"]).splitlines()[2:] == [
        "| csv | 7 | 7 | 3 | 0 | – | 1 | b | none |",
        "| idx | 1,500 | 1,000 | 50 | 2 | 17 | 2 | b | 3 × KeyError; 1 × took 2 s |",
        "| npz | 0 | 0 | 0 | 0 | – | 0 | – | none |",
        "| all | 1,507 | 1,007 |  | 2 | 17 | 2 | b | 3 × KeyError; 1 × took 2 s |",
    ]


@pytest.mark.long
def test_a_sitting_goes_on_where_the_last_one_stopped(tmp_path: Path, tally: ModuleType) -> None:
    """Really run; the target that is ahead has no turn."""
    path = tmp_path / "tally.jsonl"
    tally.append(path, tally.Turn("csv", "2026-01-01", "a", "mutator", 1, 500_000, 60.0))
    options = {
        "targets": "csv,journal",
        "inputs": 1_000_000,
        "minutes": 0.1,
        "tally": path,
        "found": tmp_path / "found",
    }
    command = [sys.executable, FUZZ / "long.py", "--led-by", "mutator", "--seed", "5"]
    command += [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    _, turn = tally.read(path)
    assert (turn.target, turn.led_by, turn.seed, turn.findings) == ("journal", "mutator", 5, {})
    assert turn.inputs > 0
    total = f"{500_000 + turn.inputs:,} of 1,000,000 inputs so far, 0 kinds of findings in this sitting.\n"
    assert done.stdout.endswith(f"\n{total}")
