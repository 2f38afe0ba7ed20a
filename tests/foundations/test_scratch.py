"""Folders that are gone at the end, and after a kill when the next one is made."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from linewise.foundations.scratch import HELD, PREFIX, YOUNG_S, scratch

HOLDS = """
from linewise.foundations.scratch import scratch
with scratch() as folder:
    (folder / "images.npy").write_bytes(b"0" * 1000)
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def aged(folder: Path) -> Path:
    long_ago = time.time() - YOUNG_S - 1
    os.utime(folder / HELD, (long_ago, long_ago))
    return folder


def test_it_is_gone_at_the_end_and_after_an_error(temporary: Path) -> None:
    with scratch() as folder:
        (folder / "file").touch()
        assert folder.parent == temporary
    with pytest.raises(ValueError, match="no"), scratch() as second:
        raise ValueError("no")
    assert second != folder
    assert list(temporary.iterdir()) == []


def test_a_killed_processs_is_removed_by_the_next_and_a_live_ones_stays(temporary: Path) -> None:
    """A lock that is held in another process, and what the system does with it when that is killed."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    theirs = aged(Path(other.stdout.readline().strip()))
    try:
        with scratch():
            assert (theirs / "images.npy").stat().st_size == 1000
        other.kill()
        other.wait(60)
        assert theirs.exists()
        with scratch():
            assert not theirs.exists()
    finally:
        other.kill()
        other.communicate()


def test_what_may_still_be_being_made_and_what_is_not_ours_stays(temporary: Path) -> None:
    young, bare, foreign = (temporary / name for name in (f"{PREFIX}young", f"{PREFIX}bare", "linewise-pg-1"))
    for folder in (young, bare, foreign):
        folder.mkdir()
    (young / HELD).touch()
    (foreign / HELD).touch()
    aged(foreign)
    with scratch():
        pass
    assert sorted(temporary.iterdir()) == sorted([young, bare, foreign])


def test_one_of_this_process_stays_while_it_is_used(temporary: Path) -> None:
    with scratch() as first:
        (aged(first) / "file").touch()
        with scratch():
            pass
        assert (first / "file").exists()
