"""What a person at a terminal reads after Ctrl-C."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from linewise import api
from linewise.cli import display
from linewise.study import single


@pytest.mark.parametrize("command", ["compare", "tune", "train"])
def test_told_after_the_table_is_gone(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linewise, capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[str] = []

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def leave(shown: AbstractContextManager[object], *_: object) -> None:
        closed.append(capsys.readouterr().err)

    monkeypatch.setattr(display.Display, "__exit__", leave)
    for place, name in ((api, "compare"), (api, "tune"), (single, "train_one")):
        monkeypatch.setattr(place, name, stop)
    said = linewise(command, "digits", "--out", tmp_path / "out")
    assert "interrupted" in said.err
    assert ("interrupted before it began, or its folder was moved; nothing was written here\n" in said.err) == (
        command == "train"
    )
    assert len(closed) == 1
    assert "interrupted" not in closed[0]


def test_while_a_run_to_go_on_with_is_still_being_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linewise
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "run" / "checkpoint").mkdir(parents=True)
    (tmp_path / "run" / "checkpoint" / "plan.json").touch()
    monkeypatch.setattr("linewise.cli.options.was_typed", stop)
    said = linewise("train", "--resume", tmp_path / "run")
    assert said.err == f"interrupted; it goes on with: linewise train --resume {tmp_path / 'run'}\n"
