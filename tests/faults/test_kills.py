"""A study whose launcher, worker or writer is killed: nothing lost or doubled, the bits of the undisturbed one.

The long form is `make torture`.
"""

from __future__ import annotations

from pathlib import Path

from torture import bits
from torture.kills import Study, play

SEED = 2
"""Kills a launcher first and then a writer."""


def test_killed_and_given_again_until_it_ends(tmp_path: Path, linewise) -> None:
    what = Study(models=("gru,hidden=4",), epochs=8)
    said = linewise(*what.command(tmp_path / "whole", jobs=0))
    assert said.code == 0, said.err
    account = play(what, tmp_path, SEED, 2, bits.of_study(tmp_path / "whole"))
    assert account.wrong == []
    assert account.kills["launcher"] == 1
    assert account.launches >= 2
