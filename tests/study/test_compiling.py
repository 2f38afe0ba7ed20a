"""Kernels are compiled once, in the launching process, and a person is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

SAID = "compiling kernels for this processor (once, about 2 s) …"
OF_GRU = [
    "gru-ahead", "gru-back", "gru-of_inputs", "gru-one", "list", "rnn-ahead", "rnn-of_weights", "team",
]  # fmt: skip
TRAIN = ["train", "digits", "--images", "150", "--model", "gru", "--epochs", "1", "--budget", "2000", "--out"]


def kept(cache: Path) -> dict[str, int]:
    """When each program was written, by name."""
    return {path.name.rpartition("-")[0]: path.stat().st_mtime_ns for path in (cache / "kernels").iterdir()}


def python(cache: Path, *arguments: object) -> str:
    """What a new process says."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], env={**os.environ, "LINEWISE_CACHE": str(cache)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_first_training_says_that_it_compiles_before_it_trains_and_the_second_does_not(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    lines = python(cache, "-m", "linewise", *TRAIN, tmp_path / "a").splitlines()
    assert lines.count(SAID) == 1
    (first_epoch,) = [i for i, line in enumerate(lines) if "epoch 1," in line]
    assert lines.index(SAID) < first_epoch
    before = kept(cache)
    assert sorted(before) == OF_GRU
    assert SAID not in python(cache, "-m", "linewise", *TRAIN, tmp_path / "b")
    assert kept(cache) == before


def test_after_that_no_other_process_compiles_anything(tmp_path: Path) -> None:
    python(tmp_path, "-c", "from linewise.kernels import prepare; prepare(['gru'])")
    before = kept(tmp_path)
    assert sorted(before) == OF_GRU
    trains = (
        "import logging, torch\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "from linewise.kernels import recurrent_layer\n"
        "x = torch.randn(5, 64, 7, requires_grad=True)\n"
        "for threads in (1, 2):\n"
        "    torch.set_num_threads(threads)\n"
        "    recurrent_layer('gru', 7, 9)(x)[0].sum().backward()\n"
        "print('trained')"
    )
    assert python(tmp_path, "-c", trains) == "trained\n"
    assert kept(tmp_path) == before


def test_nothing_to_compile_is_not_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from linewise.kernels import cells_of, prepare
    from linewise.models import create_model

    monkeypatch.setenv("LINEWISE_CACHE", str(tmp_path))
    told: list[str] = []
    prepare([], lambda: told.append("compiles"))
    assert not told
    assert not list(tmp_path.iterdir())
    sizes = {"num_classes": 3, "img_size": (6, 6)}
    assert cells_of(create_model("cnn", **sizes)) == set()
    assert cells_of(create_model("bilstm", **sizes)) == {"lstm"}
    assert cells_of(create_model("gru", **sizes)) == {"gru"}
