"""Registry, seeds, amounts, atomic files, records: each in a few lines."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from linewise.foundations.amounts import parse_amount, write_amount
from linewise.foundations.arrays import read_learning
from linewise.foundations.atomic import replace_file, write_json, write_text
from linewise.foundations.errors import ConfigError, DataError, LinewiseError, missing_extra
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import Cost, Recipe
from linewise.foundations.registry import Registry
from linewise.foundations.seeds import stream


def test_a_registry_refuses_doubles_and_helps_with_unknown_names() -> None:
    cells = Registry[int]("cell")
    cells.add("lstm", 4)
    with pytest.raises(ValueError, match="cell 'lstm' is registered twice"):
        cells.add("lstm", 5)
    with pytest.raises(ConfigError) as caught:
        cells["lsmt"]
    assert str(caught.value) == "unknown cell 'lsmt'\n  expected: one of lstm\n  to mend:  did you mean 'lstm'?"
    cells.register("gru")(3)
    assert cells.names("*u") == ["gru"]
    assert "gru" in cells
    assert "rnn" not in cells


def test_streams_repeat_and_do_not_meet() -> None:
    assert stream(0, "weights") == 4194789700723333633
    found = {
        stream(seed, purpose) for seed in range(200) for purpose in ("weights", "order", "augment", "dropout")
    }
    assert len(found) == 800
    assert all(0 <= value < 2**63 for value in found)


@pytest.mark.parametrize(
    ("text", "amount"), [("80k", 80_000), ("2.5M", 2_500_000), ("1e3", 1000), ("80_000", 80_000), ("1G", 10**9)]
)
def test_amounts(text: str, amount: int) -> None:
    assert parse_amount(text, "--budget") == amount


@pytest.mark.parametrize("text", ["", "k", "-5", "0", "nan", "inf", "5q", "1e400"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ConfigError, match="expected: a positive amount"):
        parse_amount(text, "--budget")


def test_amounts_for_tables() -> None:
    assert [write_amount(n) for n in (0, 999, 1000, 79_894, 2_174_508, 3e9)] == [
        "0",
        "999",
        "1k",
        "79.9k",
        "2.17M",
        "3G",
    ]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "before")
    with pytest.raises(RuntimeError), replace_file(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "before"
    assert os.listdir(path.parent) == ["a.txt"]


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_errors_cross_process_borders_whole() -> None:
    error = DataError("found", where="here", expected="this", mend="do that")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.exit_code) == (DataError, str(error), 3)
    assert str(again) == "here: found\n  expected: this\n  to mend:  do that"
    assert isinstance(missing_extra("altair", "report", "the report"), LinewiseError)


def test_records_are_frozen_strict_and_named_in_errors(tmp_path: Path) -> None:
    recipe = Recipe()
    recipe.save(tmp_path / "r.json")
    assert Recipe.load(tmp_path / "r.json") == recipe
    with pytest.raises(ValueError, match="frozen"):
        recipe.epochs = 7  # type: ignore[misc]
    for change, message in [
        ({"lr": 0}, "lr = 0\n  expected: Input should be greater than 0"),
        ({"lrr": 1}, "lrr = 1\n  expected: Extra inputs are not permitted"),
    ]:
        (tmp_path / "r.json").write_text(json.dumps({**recipe.model_dump(), **change}))
        with pytest.raises(DataError) as caught:
            Recipe.load(tmp_path / "r.json")
        assert str(caught.value) == f"{tmp_path / 'r.json'}: {message}"
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Cost(parameters=-1, macs=0, activation_bytes=0, sequential_depth=0)


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no study here \(no study.json\)"):
        StudyFolder.open(tmp_path)


def test_freed_memory_is_kept_when_asked_and_only_then() -> None:
    """A block of 64 MB freed and asked for again: kept pages need not be touched afresh."""
    code = (
        "import resource, sys, numpy\n"
        "from linewise.foundations.allocator import keep_freed_memory\n"
        "understood = keep_freed_memory(sys.argv[1] == 'keep')\n"
        "for _ in range(3): numpy.ones(8_000_000)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(5): numpy.ones(8_000_000)\n"
        "print(int(understood), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    faults = {}
    for wish in ("keep", "give back"):
        said = subprocess.run([sys.executable, "-c", code, wish], capture_output=True, text=True, check=True)
        understood, faults[wish] = map(int, said.stdout.split())
    if understood:
        assert faults["keep"] < 100
        assert faults["give back"] > 10 * max(1, faults["keep"])


def test_kept_memory_can_be_given_back() -> None:
    code = (
        "import numpy, psutil\n"
        "from linewise.foundations.allocator import give_back_freed_memory, keep_freed_memory\n"
        "understood = keep_freed_memory()\n"
        "resident = lambda: psutil.Process().memory_info().rss >> 20\n"
        "before = resident()\n"
        "numpy.ones(25_000_000)\n"
        "kept = resident()\n"
        "give_back_freed_memory()\n"
        "print(int(understood), kept - before, resident() - before)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    understood, kept, left = map(int, said.stdout.split())
    if understood:
        assert kept > 150
        assert left < 50


@pytest.mark.parametrize(
    "arrays",
    [
        {"validation_epochs": np.zeros((2, 2), np.uint8)},
        {"validation_epochs": np.zeros((2, 2), np.uint8), "validation_count": np.array(17)},
        {"validation_epochs": np.zeros((2, 2), np.int64), "validation_count": np.array(16)},
        {"validation_epochs": np.zeros(2, np.uint8), "validation_count": np.array(16)},
        {"validation_epochs": np.zeros((2, 0), np.uint8), "validation_count": np.array(0)},
    ],
)
def test_damaged_epochs_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "predictions.npz", **arrays)
    with pytest.raises(DataError, match=r"the arrays of the epochs do not fit each other"):
        read_learning(tmp_path / "predictions.npz")
