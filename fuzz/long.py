"""Fuzzing over hours: `make fuzz`, or `python fuzz/long.py --minutes 60 --targets idx,csv`.

Targets have turns in processes of their own, at low priority, the one that had the least time next, until all
together have had `--inputs` or the time is over. With atheris installed (Linux and
CPython: `pip install atheris`) inputs are led by coverage and spoilt by the target's own mutator in turn; without
it by the mutator alone. What was done is kept in `fuzz/tally.jsonl`, so that the same command goes on where it
stopped, with other seeds; inputs that reached something new are kept in `--found`, as are those that went wrong.
Ends by printing the tally.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import tally
from tally import Turn

HERE = Path(__file__).resolve().parent
TURN_S = 180
"""Seconds of one turn at most; what a sitting has done is lost only as far as its last turn."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="of this sitting")
    parser.add_argument("--inputs", type=int, default=10_000_000, help="to be reached in all, over all sittings")
    parser.add_argument(
        "--targets", default="all", help="with commas; all: but `report`, which takes seconds each"
    )
    parser.add_argument("--tally", type=Path, default=HERE / "tally.jsonl")
    parser.add_argument("--found", type=Path, default=HERE / "found")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first turn; each has its own")
    parser.add_argument("--led-by", choices=("coverage", "mutator"), default="coverage")
    parser.add_argument("--table", action="store_true", help="only print the tally")
    asked = parser.parse_args()
    sys.path.insert(0, str(HERE.parent / "tests"))
    from fuzzing.every import TARGETS

    names = [name for name in TARGETS if name != "report"] if asked.targets == "all" else asked.targets.split(",")
    until, seed, worst = time.monotonic() + 60 * asked.minutes, asked.seed, 0
    while not asked.table:
        done = tally.read(asked.tally)
        left = until - time.monotonic()
        if left < 5 or sum(turn.inputs for turn in done) >= asked.inputs:
            break
        spent = {name: sum(turn.seconds for turn in done if turn.target == name) for name in names}
        name = min(names, key=lambda name: spent[name])
        turn = one(name, min(left, TURN_S), seed, asked.found, asked.led_by)
        tally.append(asked.tally, turn)
        told = f"{turn.inputs:,} inputs in {turn.seconds:.0f} s, {turn.edges:,} edges"
        say(f"{name}: {told}, {turn.findings or 'no findings'}\n")
        seed, worst = seed + 1, worst + len(turn.findings)
    done = tally.read(asked.tally)
    say(tally.table(done, TARGETS) + "\n")
    total = sum(turn.inputs for turn in done)
    say(f"\n{total:,} of {asked.inputs:,} inputs so far, {worst} kinds of findings in this sitting.\n")
    sys.exit(1 if worst else 0)


def one(name: str, seconds: float, seed: int, found: Path, led_by: str) -> Turn:
    """One target in a process of its own. An input that kills the process is a finding, and ends the turn."""
    found.mkdir(parents=True, exist_ok=True)
    state = found / f".{name}.{os.getpid()}.json"
    state.unlink(missing_ok=True)
    command = [sys.executable, HERE / "target.py", name, str(int(seconds)), str(seed), found, state, led_by]
    started = time.monotonic()
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    told = json.loads(state.read_text()) if state.exists() else {}
    state.unlink(missing_ok=True)
    findings = dict(told.get("findings", {}))
    if not told or ended.returncode not in (0, 1):
        last = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        findings[f"the process ended with {ended.returncode} ({''.join(last)[:120]})"] = 1
    return Turn(
        target=name,
        date=time.strftime("%Y-%m-%d"),
        commit=tally.commit(),
        led_by=told.get("led_by", ""),
        seed=seed,
        inputs=max(told.get("inputs", 0), 0),
        seconds=round(time.monotonic() - started, 1),
        edges=edges(ended.stderr),
        findings=findings,
    )


def edges(stderr: bytes) -> int:
    """What libFuzzer says of coverage, the last time it says it."""
    words = stderr.rpartition(b"cov: ")[2].split(None, 1) if b"cov: " in stderr else []
    return int(words[0]) if words else 0


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
