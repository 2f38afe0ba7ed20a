"""`linewise data` as it is typed: output, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def linewise(*args: str, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LINEWISE_CACHE": str(cache), "COLUMNS": "100"}
    environment.pop("LINEWISE_DATA", None)
    command = [sys.executable, "-m", "linewise", *args]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    generator = np.random.default_rng(0)
    for label in ("[red]cat", "dog"):
        (root / label).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8)).save(root / label / f"{i}.png")
    return root


def test_check_for_people(pictures, own_cache):
    done = linewise("data", "check", str(pictures), cache=own_cache)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[0] == "pictures  (folder)"
    assert "  networks see   8×8, colour" in lines
    assert "  stored sizes   8×8 (12)" in lines
    assert "  duplicates     none" in lines
    table = [line.split() for line in lines]
    assert ["class", "train", "validation", "test"] in table
    assert ["[red]cat", "4", "1", "1"] in table  # no markup in class names
    assert ["all", "8", "2", "2"] in table
    assert lines[-1] == "usable"


def test_check_for_programs(pictures, own_cache):
    done = linewise("data", "check", str(pictures), "--json", "--size", "4x6", cache=own_cache)
    result = json.loads(done.stdout)
    assert result["usable"] is True
    assert result["shape"] == [4, 6, 3]
    assert result["counts"]["train"] == {"[red]cat": 4, "dog": 4}
    assert len(result["fingerprint"]) == 64


def test_data_that_cannot_be_used(pictures, own_cache):
    (pictures / "dog" / "0.png").write_bytes(b"")
    done = linewise("data", "check", str(pictures), cache=own_cache)
    assert done.returncode == 3
    assert done.stderr == ""
    assert done.stdout == (
        "pictures  (folder)\n"
        "unreadable: dog/0.png is empty\n"
        f"error: {pictures}: 1 file cannot be used: dog/0.png is empty\n"
        "  expected: whole images\n"
        "  to mend:  replace or remove them, or leave them out with --skip-unreadable\n"
        "cannot be used\n"
    )
    assert linewise("data", "check", str(pictures), "--skip-unreadable", cache=own_cache).returncode == 0


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (
            ("check", "digits", "--size", "big"),
            2,
            "error: --size: 'big' is no size\n"
            "  expected: HEIGHTxWIDTH in pixels, such as 32x48, or one number such as 28; at most 4096\n",
        ),
        (
            ("download", "mnits"),
            2,
            "error: unknown data set 'mnits'\n  expected: one of cifar10, fashion-mnist, kmnist, mnist\n"
            "  to mend:  did you mean 'mnist' or 'kmnist'?\n",
        ),
    ],
)
def test_slips(own_cache, args, code, message):
    done = linewise("data", *args, cache=own_cache)
    assert (done.returncode, done.stderr, done.stdout) == (code, message, "")


def test_missing_data_set_shows_the_way(own_cache):
    done = linewise("data", "check", "mnist", cache=own_cache)
    assert done.returncode == 3
    assert "to mend:  linewise data download mnist" in done.stdout


def test_digits_need_no_download(own_cache):
    done = linewise("data", "download", "digits", cache=own_cache)
    assert (done.returncode, done.stdout) == (0, "digits is inside scikit-learn: there is nothing to download\n")


def test_list(own_cache):
    done = linewise("data", "list", cache=own_cache)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "digits", "mnist", "fashion-mnist", "kmnist", "cifar10",
    ]  # fmt: skip
    assert "not found; linewise data download kmnist" in done.stdout
