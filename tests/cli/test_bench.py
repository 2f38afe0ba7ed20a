"""`linewise bench`: what it measures adds up, what it refuses; never how long anything takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from linewise.foundations.bench import Bench
from linewise.models import create_model
from linewise.models.create import count_parameters

FAST = ("--size", "8", "--budget", "2k", "--batch-size", "4", "--rounds", "2")


def test_json_is_the_record_and_its_table(linewise: Callable, tmp_path: Path) -> None:
    board = tmp_path / "board.md"
    said = linewise("bench", "--models", "lstm:layers=2,cnn", *FAST, "--json", "--write", board)
    assert (said.code, said.err) == (0, "")
    found = json.loads(said.out)
    table = found.pop("table")
    bench = Bench.model_validate(found)
    assert [timed.model.label for timed in bench.networks if timed.layers == "linewise"] == [
        "lstm,layers=2",
        "cnn",
    ]
    assert table == bench.rows()
    assert {(p.kind, p.threads) for p in bench.probes} >= {("product", 1), ("convolution", 1)}
    for timed in bench.networks:
        network = create_model(timed.model.name, num_classes=10, img_size=(8, 8), **timed.model.sizes)
        assert timed.model.cost.parameters == count_parameters(network)
        assert abs(timed.model.cost.parameters / 2000 - 1) <= 0.051
        assert {kind: turns.images for kind, turns in timed.work.items()} == {"1": 1, "1000": 1000, "train": 16}
        assert all(len(turns.seconds) == 2 for turns in timed.work.values())
        assert timed.model.cost.macs < timed.training_macs <= 3 * timed.model.cost.macs
    text = board.read_text()
    assert f"## {bench.date}, {bench.environment.processor}" in text
    assert "| `lstm,layers=2` |" in text


def test_people_read_a_table(linewise: Callable) -> None:
    said = linewise("bench", "--models", "rnn,lstm:layers=2", *FAST)
    assert said.code == 0
    (row,) = [line for line in said.out.splitlines() if line.startswith("rnn  ")]  # not "rnn on torch's layers"
    assert row.count("%") == 6  # two shares, each with quartiles
    assert "a large matrix product, 1 thread: " in said.out
    assert "8×8, about 2,000 params, batch 4, 1 thread" in said.out
    assert "n = 2 rounds" in said.out
    assert "lstm,layers=2: sizes are whole numbers: 2,100 params, 5.00% over the budget" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "lsmt"], "error: unknown model 'lsmt'\n"),
        (["--models", "cnn,cnn"], "error: --models: named twice: cnn\n  expected: each network once\n"),
        (["--models", ""], "error: --models: no network\n  expected: names such as lstm,cnn\n"),
        (["--budget", "80q"], "error: --budget: '80q'\n"),
        (["--budget", "3", "--models", "lstm"], "error: --budget: a budget of 3 params is too small for lstm\n"),
        (["--budget", "none", "--match", "macs"], "error: --match: macs, and no budget to count\n"),
        (["--size", "big"], "error: --size: 'big' is no size\n"),
        (["--write", "no/board.md"], "error: no/board.md: there is no folder no\n"),
    ],
)
def test_what_cannot_be_timed_is_refused(
    linewise: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = linewise("bench", *arguments)
    assert said.code == 2
    assert said.err.startswith(message)
    assert "Traceback" not in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", [["--threads", "0"], ["--rounds", "1"], ["--batch-size", "1"]])
def test_numbers_out_of_range(linewise: Callable, option: list[str]) -> None:
    said = linewise("bench", *option)
    assert said.code == 2
    assert f"Invalid value for '{option[0]}'" in said.err
