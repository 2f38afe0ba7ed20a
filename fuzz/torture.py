"""Torture: `make torture`, or `python fuzz/torture.py --rounds 300 --seed 1`.

Launchers, workers and writers of a small study are killed (kill -9) at random moments, and the same command is
given again until it ends; each write, fsync and rename of a study, of a tuning and of a single run fails once,
with ENOSPC, with EIO and with ENOSPC for good; and all are played on real disks of every size at which they do not
fit. What they come to must be the bits of the undisturbed ones. Ends by printing one table; a failure is told at
once, with the arguments that repeat it.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

KILLS = 5
"""Kills of one study."""
IDLE = 5
"""Studies in a row that ended before anybody was killed, after which no more are tried."""
DISK_KIB = 64
"""Steps in which real disks grow."""
WHOLE_S = 3


class Table:
    """Rows of what was done, and findings."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.wrong = 0

    def add(self, what: str, number: int, ends: str, wrong: int, started: float) -> None:
        row = (what, f"{number:,}", ends, str(wrong), f"{(time.monotonic() - started) / 60:.1f}")
        self.rows.append(f"| {' | '.join(row)} |")
        self.wrong += wrong
        say(f"so far: {self.rows[-1]}")

    def print(self, seed: int) -> None:
        say("\n| what | times | how it ended | wrong | minutes |\n|---|--:|---|--:|--:|")
        for row in self.rows:
            say(row)
        say(f"\nSeed {seed}, {os.cpu_count()} cores; {self.wrong} findings.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300, help="Kills in all.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("kills", "calls", "disks"))
    parser.add_argument("--calls", type=int, help="Failing calls of each scene, by chance. Default: every one.")
    parser.add_argument("--case", help="One failing call, as it is told: SCENE, KIND N, ERROR.")
    asked = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    table = Table()
    with tempfile.TemporaryDirectory(prefix="linewise-torture-") as name:
        os.environ["LINEWISE_CACHE"] = str(Path(name) / "cache")
        if asked.case:
            calls(Path(name), table, asked.seed, None, asked.case)
        else:
            if asked.only in (None, "kills"):
                kills(Path(name), table, asked.rounds, asked.seed)
            if asked.only in (None, "calls"):
                calls(Path(name), table, asked.seed, asked.calls, None)
            if asked.only in (None, "disks"):
                disks(Path(name), table)
    table.print(asked.seed)
    sys.exit(1 if table.wrong else 0)


def kills(folder: Path, table: Table, rounds: int, seed: int) -> None:
    """So many kills, in studies of a few each."""
    from torture import bits
    from torture.kills import VICTIMS, Study, launched, play

    place = fresh(folder / "kills")
    with launched(Study(), place / "whole", place / "told") as launcher:
        assert launcher.wait() == 0, (place / "told").read_text()
    wanted = bits.of_study(place / "whole")
    done, launches, wrong, idle, started, number = Counter[str](), 0, 0, 0, time.monotonic(), 0
    while (left := rounds - done.total()) > 0:
        account = play(Study(), fresh(place / "x"), seed + number, min(KILLS, left), wanted)
        done, launches, wrong = done + account.kills, launches + account.launches, wrong + len(account.wrong)
        for what in account.wrong:
            say(f"kills: {what}\n  again: --only kills --rounds {min(KILLS, left)} --seed {seed + number}")
        number += 1
        idle = 0 if account.kills else idle + 1
        if idle == IDLE:
            break
        progress(f"{done.total()} of {rounds} kills, {number} studies")
    ends = f"{number} studies of 4 runs, {launches} launches, all ended" if not wrong else f"{number} studies"
    table.add(
        "kill -9 of " + ", ".join(f"{who} ({done[who]})" for who in VICTIMS), done.total(), ends, wrong, started
    )


def calls(folder: Path, table: Table, seed: int, most: int | None, only: str | None) -> None:
    """Each call of each scene fails once with each error."""
    from torture import disk

    quick()
    for scene in disk.SCENES:
        place, started = fresh(folder / "calls"), time.monotonic()
        wanted, counts = disk.undisturbed(scene, place)
        cases = [case for case in disk.cases(scene, counts) if only in (None, str(case))]
        if most is not None and most < len(cases):
            cases = random.Random(seed).sample(cases, most)
        for kind in sorted({case.kind for case in cases}):
            ends, wrong = Counter[str](), 0
            chosen = [case for case in cases if case.kind == kind]
            for number, case in enumerate(chosen, start=1):
                how, found = disk.one(case, wanted, fresh(place / "x"))
                ends[how], wrong = ends[how] + 1, wrong + bool(found)
                for what in found:
                    say(f"calls: {what}\n  again: --case '{case}'")
                progress(f"{scene}: {number} of {len(chosen)} × {kind}")
            table.add(f"{scene}: {kind} fails", len(chosen), told(ends), wrong, started)
            started = time.monotonic()


def disks(folder: Path, table: Table) -> None:
    """Real disks of every size at which a scene does not fit."""
    from torture import disk

    quick()
    for scene in disk.SCENES:
        place, started, ends, wrong = fresh(folder / "disks"), time.monotonic(), Counter[str](), 0
        wanted, _ = disk.undisturbed(scene, place)
        kib, fitted = DISK_KIB, 0
        while fitted < WHOLE_S:
            try:
                how, found = disk.full(scene, kib, wanted, fresh(place / "x"))
            except disk.NoMountError as why:
                say(f"disks left out: {why}")
                return
            ends[how], wrong, fitted = ends[how] + 1, wrong + bool(found), fitted + (how == "not full")
            for what in found:
                say(f"disks: {scene}: {what}")
            progress(f"{scene}: {kib} KiB")
            kib += DISK_KIB
        table.add(f"{scene}: full disk of {DISK_KIB} KiB and more", ends.total(), told(ends), wrong, started)


def quick() -> None:
    """All in this process, and times taken from three rounds."""
    from linewise.study import single, stopwatch
    from linewise.study.executors import InProcess

    for kind in stopwatch.ROUNDS:
        stopwatch.ROUNDS[kind] = 3
    single.WorkerProcesses = lambda *arguments: InProcess()  # type: ignore[assignment]


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def told(ends: Counter[str]) -> str:
    return ", ".join(f"{number} {how}" for how, number in ends.most_common())


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}   ", end="", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
