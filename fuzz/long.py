"""Fuzzing for minutes or hours: `make fuzz`, or `python fuzz/long.py --minutes 60 --targets idx,csv`.

Each target has its share of the time in a process of its own, at low priority. With atheris installed (Linux and
CPython: `pip install atheris`) inputs are led by coverage and spoilt by the target's own mutator in turn; without
it by the mutator alone. At the end one table is printed; inputs that went wrong are kept in `--found`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARES = {"idx": 2, "csv": 3, "npz": 2, "image": 3, "configuration": 2, "report": 1}
"""Parts of the time; 2 for the others."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--targets", default="all")
    parser.add_argument("--found", type=Path, default=HERE / "found")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    sys.path.insert(0, str(HERE.parent / "tests"))
    from fuzzing.every import TARGETS

    names = list(TARGETS) if asked.targets == "all" else asked.targets.split(",")
    parts = sum(SHARES.get(name, 2) for name in names)
    say("| target | led by | inputs | distinct edges | minutes | inputs/s | findings |\n")
    say("|---|---|--:|--:|--:|--:|---|\n")
    total, worst = 0, 0
    for name in names:
        seconds = 60 * asked.minutes * SHARES.get(name, 2) / parts
        result = one(name, seconds, asked.seed, asked.found)
        total, worst = total + result["inputs"], worst + len(result["findings"])
        told = "; ".join(f"{number} × {what}" for what, number in result["findings"].items()) or "none"
        row = (
            name,
            result["led_by"],
            f"{result['inputs']:,}",
            result["edges"] or "–",
            f"{result['seconds'] / 60:.1f}",
        )
        say(f"| {' | '.join(map(str, row))} | {result['inputs'] / max(result['seconds'], 1):,.0f} | {told} |\n")
    say(f"\n{total:,} inputs, {worst} kinds of findings, seed {asked.seed}.\n")
    sys.exit(1 if worst else 0)


def one(name: str, seconds: float, seed: int, found: Path) -> dict:
    """Fuzz one target in a process of its own, begun again where an input kills it."""
    result = {"inputs": 0, "edges": 0, "seconds": 0.0, "findings": {}, "led_by": ""}
    until = time.monotonic() + seconds
    for attempt in range(20):
        left = until - time.monotonic()
        if left < 1:
            break
        state = found / f".{name}.{os.getpid()}.json"
        state.unlink(missing_ok=True)
        found.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            str(HERE / "target.py"),
            name,
            str(int(left)),
            str(seed + attempt),
            str(found),
            str(state),
        ]
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        told = json.loads(state.read_text()) if state.exists() else {}
        state.unlink(missing_ok=True)
        result["inputs"] += told.get("inputs", 0)
        result["edges"] = max(result["edges"], edges(ended.stderr))
        result["seconds"] += told.get("seconds", 0.0)
        result["led_by"] = told.get("led_by", "")
        for what, number in told.get("findings", {}).items():
            result["findings"][what] = result["findings"].get(what, 0) + number
        if not told or ended.returncode < 0 or ended.returncode not in (0, 1):
            last = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            what = f"the process ended with {ended.returncode} ({''.join(last)[:120]})"
            result["findings"][what] = result["findings"].get(what, 0) + 1
            if not told:
                break
    return result


def edges(stderr: bytes) -> int:
    """What libFuzzer says of coverage, the last time it says it."""
    words = stderr.rpartition(b"cov: ")[2].split(None, 1) if b"cov: " in stderr else []
    return int(words[0]) if words else 0


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
