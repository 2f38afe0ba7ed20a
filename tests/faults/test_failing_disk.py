"""A disk that is full or fails, at any call: said, nothing lost, and the same command comes to the same bits.

The long form, `make torture`, lets every call fail; here some of them.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from linewise.study import alone
from linewise.study.executors import InProcess
from torture import disk
from torture.calls import Counts
from torture.disk import Case

SAMPLE = {"study": 2, "tuned study": 1, "train": 1}
FOUND = {"study": ["openings.jsonl"], "tuned study": [".outcome"], "train": ["plan.json"]}
"""Files at which something was wrong once, or would weigh most."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """All in this process."""
    monkeypatch.setattr(alone, "WorkerProcesses", lambda *arguments: InProcess())


def chosen(scene: str, counts: Counts) -> list[Case]:
    """Some calls by chance, always the same ones, and those at which something was found."""
    some = random.Random(0).sample(disk.cases(scene, counts), SAMPLE[scene])
    for file in FOUND[scene]:
        at = [n for n, told in enumerate(counts.told["write"], start=1) if file.rpartition("/")[2] in told][-1]
        some.append(Case(scene, "write", at, "ENOSPC"))
    return some


@pytest.mark.parametrize("scene", disk.SCENES)
def test_a_call_fails(scene: str, tmp_path: Path) -> None:
    wanted, counts = disk.undisturbed(scene, tmp_path)
    assert min(counts.calls[kind] for kind in ("write", "fsync", "rename")) > 10
    for number, case in enumerate(chosen(scene, counts)):
        folder = tmp_path / str(number)
        folder.mkdir()
        how, wrong = disk.one(case, wanted, folder)
        assert not wrong, f"{case}: {wrong}"
        assert how in ("said", "passed over", "not reached")


def test_a_full_disk(tmp_path: Path) -> None:
    wanted, _ = disk.undisturbed("study", tmp_path)
    whole = sum(file.stat().st_size for file in (tmp_path / "whole").rglob("*") if file.is_file())
    try:
        how, wrong = disk.full("study", int(0.7 * whole / 1024), wanted, tmp_path / "disk")
    except disk.NoMountError as why:
        pytest.skip(f"no small disk: {why}")
    assert (how, wrong) == ("said", [])


def test_a_run_whose_disk_is_full_says_what_is_needed(tmp_path: Path) -> None:
    """The whole message, and nothing of it kept that would be in the way."""
    with disk.counted(tmp_path, "write", 2, 28) as counts:
        said = disk.play("train", tmp_path / "run")
    free = said.err.partition("(")[2].partition(" MB are free)")[0]
    path = tmp_path / "run"
    assert counts.failed.startswith("run/checkpoint/.plan.json.")
    assert (said.code, said.err) == (
        4,
        f"error: {path}/checkpoint/plan.json: No space left on device ({free} MB are free)\n"
        "  to mend:  make room; then the same command again\n",
    )
