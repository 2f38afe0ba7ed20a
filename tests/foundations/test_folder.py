"""Records of a study that are missing, torn or wrong: whole messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from linewise.foundations.errors import DataError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import Opening, Recipe
from studies import make_study

OPENING = Opening(time="2026-01-01T00:00:00+00:00", reason="asked", runs=["lstm-0"])


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(make_study(tmp_path, errors={"lstm": 0.1}, seeds=1))


def said(call) -> str:
    with pytest.raises(DataError) as refused:
        call()
    return str(refused.value)


def test_a_folder_without_a_study(tmp_path: Path) -> None:
    assert said(lambda: StudyFolder.open(tmp_path)) == (
        f"{tmp_path}: no study here (no study.json)\n  expected: a folder that `linewise compare --out` wrote"
    )


def test_a_wrong_number_in_the_table_of_epochs(folder: StudyFolder) -> None:
    path = folder.path / "runs" / "lstm-0" / "epochs.csv"
    head, first, *_ = path.read_text().splitlines()
    (run,) = folder.runs()
    path.write_text("\n".join([head, "x" + first[1:]]))
    assert said(run.epochs) == (
        f"{path}: epoch = 'x'\n  expected: Input should be a valid integer, unable to parse string as an integer"
    )
    path.write_text(head + "\n")
    assert said(run.epochs) == f"{path}: no epoch is told\n  expected: a line for each epoch of a finished run"
    path.write_bytes(b"\xff\xfe")
    assert said(run.epochs) == (
        f"{path}: cannot be read ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"
    )


def test_what_a_run_does_not_have(folder: StudyFolder) -> None:
    (run,) = folder.runs()
    assert len(run.epochs()) == 4
    (run.path / "predictions.npz").unlink()
    assert (run.predictions("test"), run.learning(), run.steps("test")) == (None, None, None)


def test_the_last_opening_counts_where_it_is_whole(folder: StudyFolder) -> None:
    line = OPENING.model_dump_json()
    for text, count in ((line + "\n" + line, 2), (line + "\n\n" + line[:-1], 1), (line[:9], 0), ("", 0)):
        folder.openings_path.write_text(text)
        assert folder.openings() == [OPENING] * count
    folder.openings_path.write_text("{}\n" + line)
    assert said(folder.openings) == f"{folder.openings_path}: time = {{}}\n  expected: Field required"


def test_a_record_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(b"\xff")
    assert said(lambda: Recipe.load(tmp_path / "r.json")) == (
        f"{tmp_path}/r.json: cannot be read ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"
    )
    Recipe().save(tmp_path / "r.json")
    assert (tmp_path / "r.json").read_text().startswith('{\n "epochs": ')
