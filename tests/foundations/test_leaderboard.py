"""Tables of speed in one file: the newest first, one per title, nobody else's file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from linewise.foundations.errors import ConfigError
from linewise.foundations.leaderboard import HEAD, keep


def test_the_newest_is_first_and_a_title_is_there_once(tmp_path: Path) -> None:
    board = tmp_path / "LEADERBOARD.md"
    keep(board, "a", "first\n")
    keep(board, "b", "second\n\n### of it\n")
    keep(board, "a", "third\n")
    text = board.read_text()
    assert text.startswith(HEAD)
    assert re.findall(r"(?m)^## (.*)$", text) == ["a", "b"]
    assert "first" not in text
    assert "### of it" in text
    again = text
    keep(board, "a", "third\n")
    assert board.read_text() == again


def test_another_file_is_left_alone(tmp_path: Path) -> None:
    board = tmp_path / "README.md"
    board.write_text("# Mine\n")
    with pytest.raises(ConfigError, match="is there already and is no table of speeds"):
        keep(board, "a", "text")
    assert board.read_text() == "# Mine\n"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        keep(tmp_path / "no" / "board.md", "a", "text")
