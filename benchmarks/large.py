"""A million images of 64×64 through check, one epoch and evaluation, with less memory than they take.

    python benchmarks/large.py FOLDER [--images 1000000] [--limit 2G] [--model gru@patches16:hidden=32] [--keep]

Makes the images in FOLDER/images (large_images.py) unless they are there, with a cache of its own beside them, and
runs `linewise data check`, `train` and `evaluate`, each as a process of its own in a control group with the limit
where that can be made (Linux, root; page cache counts there too), else without a limit, which is said. Twice a
second the resident memory of the whole tree of processes is summed up, pages that several share counted for each
(RSS), and in parts (PSS). Printed: a table in Markdown. FOLDER is emptied at the end unless `--keep`.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from large_images import make
from linewise.foundations.amounts import parse_bytes
from linewise.foundations.environment import processor
from linewise.foundations.records import RunRecord

EVERY_S = 0.5


@dataclass(frozen=True)
class Stage:
    """One line of the table; memory in bytes."""

    name: str
    images: int
    seconds: float
    rss: int
    pss: int
    said: str


class Group:
    """A control group for memory, of either version; `path` is None where none can be made."""

    def __init__(self, limit: int) -> None:
        self.path, self.limit = None, limit
        places = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}
        lines = Path("/proc/self/cgroup").read_text().splitlines() if sys.platform == "linux" else []
        for line in lines:
            _, controllers, own = line.split(":", 2)
            if controllers in places:
                top, limit_file = places[controllers]
                path = Path("/sys/fs/cgroup", top, own.lstrip("/"), f"linewise-large-{os.getpid()}")
                try:
                    path.mkdir()
                    if (path / limit_file).is_file():  # made by the system: this is a control group
                        (path / limit_file).write_text(str(limit))
                        self.path = path
                        return
                    path.rmdir()
                except OSError:
                    continue

    def command(self, command: list[str]) -> list[str]:
        """The same, in the group from its first moment."""
        if self.path is None:
            return command
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh", *command]

    def killed(self) -> int:
        """Processes that the system killed because the limit was reached."""
        for name in ("memory.oom_control", "memory.events"):
            if self.path is not None and (self.path / name).exists():
                words = dict(line.split() for line in (self.path / name).read_text().splitlines())
                return int(words.get("oom_kill", 0))
        return 0

    def close(self) -> None:
        for _ in range(20):
            try:
                if self.path is not None:
                    self.path.rmdir()
                break
            except OSError:  # a process of it is still ending
                time.sleep(0.5)


def resident(process: psutil.Process) -> tuple[int, int]:
    """RSS and PSS of a process and all below it, in bytes."""
    rss = pss = 0
    for each in [process, *process.children(recursive=True)]:
        try:
            rss += each.memory_info().rss
            pss += getattr(each.memory_full_info(), "pss", 0)
        except psutil.Error:
            continue
    return rss, pss


def stage(name: str, images: int, command: list[str], group: Group, environment: dict[str, str]) -> Stage:
    print(f"$ {' '.join(command[2:])}", flush=True)
    started = time.perf_counter()
    process = subprocess.Popen(group.command(command), env=environment, text=True, stdout=subprocess.PIPE)
    rss = pss = 0
    while process.poll() is None:
        try:
            now = resident(psutil.Process(process.pid))
            rss, pss = max(rss, now[0]), max(pss, now[1])
        except psutil.Error:
            pass
        time.sleep(EVERY_S)
    said = process.stdout.read() if process.stdout else ""  # some lines: less than a pipe holds
    print(said, flush=True)
    if process.returncode:
        sys.exit(f"{name} ended with {process.returncode}")
    done = Stage(name, images, time.perf_counter() - started, rss, pss, said)
    print(line(done), flush=True)
    return done


def show(stages: list[Stage], group: Group, killed: int) -> None:
    """The table, and what it was measured on."""
    limit = f"a control group of {group.limit / 2**20:,.0f} MiB" if group.path else "no limit could be set"
    cores = len(os.sched_getaffinity(0))
    print(f"{processor()}, {cores} cores, {platform.system()}; {limit}; processes killed for memory: {killed}\n")
    print("| stage | images | seconds | images/s | largest RSS | largest PSS |\n|---|---|---|---|---|---|")
    for each in stages:
        print(line(each))


def line(each: Stage) -> str:
    memory = " | ".join(f"{number / 2**20:,.0f} MiB" for number in (each.rss, each.pss))
    return (
        f"| {each.name} | {each.images:,} | {each.seconds:,.0f} | {each.images / each.seconds:,.0f} | {memory} |"
    )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--images", type=int, default=1_000_000)
    asked.add_argument("--limit", default="2GiB")
    asked.add_argument("--model", default="gru@patches16:hidden=32")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--keep", action="store_true")
    given = asked.parse_args()
    images, run = given.folder / "images", given.folder / "run"
    stages: list[Stage] = []
    if not images.is_dir():
        started = time.perf_counter()
        make(images, given.images, given.seed)
        print(f"made {given.images:,} images in {time.perf_counter() - started:.0f} s", flush=True)
    shutil.rmtree(run, ignore_errors=True)
    group = Group(parse_bytes(given.limit, "--limit"))
    environment = {**os.environ, "LINEWISE_CACHE": str(given.folder / "cache")}
    linewise = [sys.executable, "-m", "linewise"]

    def add(name: str, number: int, *words: str) -> None:
        stages.append(stage(name, number, [*linewise, *words], group, environment))

    try:
        add("check: list, decode, compare", given.images, "data", "check", str(images))
        add("train: check, one epoch", given.images, "train", str(images), "--model", given.model, "--epochs", "1",
            "--out", str(run))  # fmt: skip
        times = RunRecord.load(run / "run.json").times
        assert times is not None
        learned = round(times.images_per_s * times.train_s)
        stages.append(Stage("… of it the epoch alone", learned, times.train_s, stages[-1].rss, stages[-1].pss, ""))
        add("evaluate: check, test images", given.images, "evaluate", str(run), "--data", str(images), "--json")
    finally:
        killed = group.killed()
        group.close()
    show(stages, group, killed)
    if not given.keep:
        shutil.rmtree(given.folder)


if __name__ == "__main__":
    main()
