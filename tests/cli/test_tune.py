"""`linewise tune` and `--tune`: what is printed, what is refused, what stays secret."""

from __future__ import annotations

import io
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from linewise.analysis.intervals import wilson
from linewise.cli.display import Display
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import TuningPlan
from linewise.foundations.tuning import NetworkTuning, TrialRecord
from linewise.study import comparison
from linewise.study.heartbeat import Beat
from studies import add_tuning, make_study

SMALL = ["digits", "--images", "200", "--models", "linear,majority", "--epochs", "1", "--jobs", "0"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINEWISE_STORAGE", raising=False)


def test_settings_are_printed_with_n_and_interval_and_the_command_goes_on(linewise: Any) -> None:
    said = linewise("tune", *SMALL, "--trials", "2", "--tune-images", "100", "--out", "s")
    assert said.code == 0, said.err
    record = StudyFolder.open(Path("s")).tuning()
    assert record is not None
    (network,) = record.networks  # majority learns nothing
    best = network.best
    assert best is not None
    assert best.validation_accuracy is not None
    low, high = wilson(round(best.validation_accuracy * 288), 288)
    settings = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in best.settings.items())
    lines = said.out.splitlines()
    assert lines[:4] == [
        "",
        "linear: 2 trials finished",
        f"  {settings} (trial {best.number + 1})",
        f"  validation {best.validation_accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}, n = 288)",
    ]
    assert said.err.startswith("tuning: 1 network × 2 trials, 1 epoch on 100 training images each\n")
    assert "linear: trial 1 of 2, lr 0.005, weight decay 0.01, clip 1, label smoothing 0: validation " in said.err
    command = shlex.split(lines[-1])
    assert command[:2] == ["linewise", "compare"]
    assert linewise("report", "s").code == 0
    again = linewise(*command[1:], "--no-report", "--seeds", "1")
    assert again.code == 0, again.err
    assert "trial" not in again.err
    assert StudyFolder.open(Path("s")).runs()[0].record.recipe.lr == best.settings["lr"]


def test_one_command_tunes_and_compares(linewise: Any) -> None:
    said = linewise("compare", *SMALL, "--tune", "2", "--no-report", "--seeds", "2", "--out", "s")
    assert said.code == 0, said.err
    assert "tuning: 1 network × 2 trials" in said.err
    assert "linear: trial 2 of 2" in said.err
    folder = StudyFolder.open(Path("s"))
    record, runs = folder.tuning(), folder.runs()
    assert record is not None
    assert len(runs) == 4
    assert [run.record.recipe.lr for run in runs[:2]] == [record.networks[0].settings["lr"]] * 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tune-epochs", "3"], "--tune-epochs: 3, and nothing is tuned\n  to mend:  give --tune, such as 20"),
        (["--tune-images", "50"], "--tune-images: 50, and nothing is tuned\n  to mend:  give --tune, such as 20"),
        (["--tune", "2", "--tune-images", "201"], "--tune-images: 201 images for each trial\n"
         "  expected: from 16, one batch, to 200, all training images"),
        (["--tune", "2", "--tune-images", "9"], "--tune-images: 9 images for each trial\n"
         "  expected: from 16, one batch, to 200, all training images"),
        (["--storage", "sqlite:///t.db"], "--storage: nothing is tuned, so no trials to keep\n"
         "  to mend:  give --tune, such as 20"),
        (["--tune", "2", "--storage", "t.db"], "--storage: not a database's address\n"
         "  expected: postgresql://USER:PASSWORD@HOST/DATABASE, or sqlite:///FILE"),
    ],
)  # fmt: skip
def test_wrong_options_write_nothing(linewise: Any, options: list[str], message: str) -> None:
    said = linewise("compare", *SMALL, *options, "--out", "s")
    assert (said.code, said.err) == (2, f"error: {message}\n")
    assert not Path("s").exists()


@pytest.mark.parametrize("options", [["--tune", "0"], ["--tune-epochs", "0"], ["--tune-images", "0"]])
def test_a_number_below_one_is_told_with_its_option(linewise: Any, options: list[str]) -> None:
    said = linewise("compare", *SMALL, *options, "--out", "s")
    assert said.code == 2
    assert f"Invalid value for '{options[0]}'" in said.err
    assert not Path("s").exists()


def test_a_missing_package_is_named_before_anything_else(linewise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import util

    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *more: None if name == "optuna" else real(name, *more))
    for verb in (["compare", "--no-report", "--tune"], ["tune", "--trials"]):
        said = linewise(verb[0], *SMALL, *verb[1:], "2", "--out", "s")
        assert said.code == 2
        assert said.err == (
            "error: tuning needs the package 'optuna', which is not installed\n"
            "  to mend:  pip install 'linewise[tune]'\n"
        )


def test_a_network_of_which_no_trial_finished_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from linewise.api import Study
    from linewise.cli.tune import _print

    path = add_tuning(make_study(tmp_path), {"lstm": [0.9, 0.8], "cnn": [None, None]})
    monkeypatch.setattr(sys, "argv", ["linewise", "tune", "digits"])
    _print(Study(path), {"trials": 2})
    said = capsys.readouterr().out
    assert "cnn: 0 trials finished, 2 diverged\n  its final runs have the study's recipe, untuned\n" in said
    assert said.count("untuned") == 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("me:geheim@127.0.0.1:9/trials?sslmode=disable", "me:***@127.0.0.1:9/trials?sslmode=disable"),
        ("me:a%2Fgeheim%7B@127.0.0.1:9/trials", "me:***@127.0.0.1:9/trials"),
        ("me:a/geheim?@127.0.0.1:9/trials", "me:***@127.0.0.1:9/trials"),
        ("me@127.0.0.1:9/trials?password=geheim&sslmode=disable",
         "me@127.0.0.1:9/trials?password=***&sslmode=disable"),
        ("127.0.0.1:9/trials?user=me&pass%77ord=%67eheim", "127.0.0.1:9/trials?user=me&pass%77ord=***"),
        ("127.0.0.1:9/trials?pasword=geheim", "127.0.0.1:9/trials?pasword=***"),
    ],
)  # fmt: skip
def test_passwords_are_not_written_down(
    linewise: Any, monkeypatch: pytest.MonkeyPatch, url: str, shown: str
) -> None:
    monkeypatch.setattr(comparison, "reach", lambda url: None)  # it went away after that
    said = linewise("tune", *SMALL, "--trials", "2", "--out", "s", "--storage", f"postgresql://{url}")
    assert said.code == 2
    assert "postgresql://127.0.0.1:9/trials cannot be used (" in said.err
    secrets = ("geheim", "%67eheim")
    assert not [secret for secret in secrets if secret in said.err + said.out]
    assert f"postgresql://{shown}" in json.loads(Path("s/study.json").read_text())["command"]
    for path in Path("s").rglob("*"):
        assert path.is_dir() or not [secret for secret in secrets if secret.encode() in path.read_bytes()]


def test_with_a_server_that_does_not_answer_no_study_is_begun(linewise: Any) -> None:
    said = linewise("tune", *SMALL, "--trials", "2", "--out", "s", "--storage", "postgresql://127.0.0.1:9/trials")
    assert said.code == 2
    assert "postgresql://127.0.0.1:9/trials cannot be used (" in said.err
    assert not Path("s").exists()


def test_a_database_from_the_environment_does_not_disturb_a_study_without_tuning(
    linewise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linewise import ConfigError, api

    def told(*images: Any, **given: Any) -> None:
        raise ConfigError(f"storage {given['storage']}")

    monkeypatch.setattr(api, "compare", told)
    monkeypatch.setenv("LINEWISE_STORAGE", "sqlite:///t.db")
    assert linewise("compare", *SMALL, "--out", "s").err == "error: storage None\n"
    assert linewise("compare", *SMALL, "--tune", "2", "--out", "s").err == "error: storage sqlite:///t.db\n"
    typed = linewise("compare", *SMALL, "--storage", "sqlite:///u.db", "--out", "s")
    assert typed.err == "error: storage sqlite:///u.db\n"


def test_sqlite_keeps_trials_too(linewise: Any) -> None:
    said = linewise("tune", *SMALL, "--trials", "2", "--out", "a", "--storage", "sqlite:///t.db")
    assert said.code == 0, said.err
    assert linewise("tune", *SMALL, "--trials", "2", "--out", "b").code == 0
    first, second = (StudyFolder.open(Path(name)).tuning() for name in "ab")
    assert first is not None
    assert second is not None
    assert first.storage == "sqlite:///t.db"
    assert first.networks[0].settings == second.networks[0].settings


def test_a_terminal_shows_trials_as_they_run() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=100, height=30)
    with Display(screen) as display:
        events = display.events
        events.tuning(TuningPlan(trials=4, epochs=2), {"lstm": 1, "cnn": 0})
        events.trying({"lstm-trial-1": Beat(step=5, steps=10)})
        trial = TrialRecord(
            number=0, seed=1, settings={"lr": 0.01}, status="finished", validation_accuracy=0.75, seconds=2
        )
        events.tried("cnn", trial)
        table = Console(file=io.StringIO(), width=100)
        table.print(display.trials.table())
        shown = table.file.getvalue()  # type: ignore[attr-defined]
        network = NetworkTuning(
            label="cnn",
            name="cnn",
            family="convolutional",
            space=[],
            trials=[trial],
            chosen=0,
            settings={"lr": 0.01},
        )
        events.chosen(network)
        assert display.trials.live is None
    assert shown.splitlines()[0].startswith("tuning: 2 of 8 trials done, 0:00 so far")
    lstm, cnn = (next(line for line in shown.splitlines() if line.startswith(name)) for name in ("lstm", "cnn"))
    assert lstm.split()[-4:] == ["1", "of", "4", "1"]
    assert cnn.split()[-4:] == ["1", "of", "4", "75.00%"]
    assert "cnn: lr 0.01 chosen, trial 1 of 1, validation 75.00%" in screen.file.getvalue()  # type: ignore[attr-defined]
