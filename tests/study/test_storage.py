"""What is written of runs and studies comes back as it was, and what a killed process left is cleared away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linewise.foundations.arrays import read_learning, read_predictions
from linewise.foundations.errors import DataError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import Epoch, Opening, RunRecord
from linewise.study.storage import (
    log_opening,
    sweep,
    write_epochs,
    write_failed,
    write_learning,
    write_predictions,
    write_retries,
)
from studies import make_study

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(("classes", "kind"), [(3, np.uint8), (256, np.uint8), (257, np.uint16)])
def test_answers_and_what_was_learnt_share_a_file(tmp_path: Path, classes: int, kind: type) -> None:
    labels_N = np.array([0, 1, 2, classes - 1])
    probabilities_NK = RANDOM.dirichlet(np.ones(classes), 4).astype(np.float32)
    probabilities_NK[3] = 0
    probabilities_NK[3, -2:] = 0.49999, 0.50001  # the same as float16: the answer is taken before
    right_EN = RANDOM.random((5, 11)) < 0.5
    write_predictions(tmp_path, "validation", probabilities_NK, labels_N)
    write_learning(tmp_path, right_EN)
    write_predictions(tmp_path, "test", probabilities_NK[:2], labels_N[:2])
    path = tmp_path / "predictions.npz"
    for split, count in (("validation", 4), ("test", 2)):
        found = read_predictions(path, split)
        assert found is not None
        np.testing.assert_allclose(found.probabilities_NK, probabilities_NK[:count], atol=5e-4)
        assert found.predicted_N.tolist() == probabilities_NK[:count].argmax(1).tolist()
        assert found.labels_N.tolist() == labels_N[:count].tolist()
    np.testing.assert_array_equal(read_learning(path), right_EN)
    with np.load(path) as arrays:
        assert {arrays[f"test_{name}"].dtype for name in ("predicted", "labels")} == {np.dtype(kind)}
        assert arrays["test_probabilities"].dtype == np.float16


def test_a_failed_run_and_its_attempts_have_their_place(tmp_path: Path) -> None:
    folder = StudyFolder(make_study(tmp_path, errors={"lstm": 0.1}, seeds=2, missing=("lstm", 1)))
    (done,) = folder.runs()
    record = done.record.model_copy(update={"seed": 1, "status": "failed", "reason": "no memory"})
    write_failed(folder, record)
    assert [run.record for run in folder.runs()] == [done.record, record]
    write_retries(tmp_path / "runs" / "lstm-1", ["killed"])
    write_retries(tmp_path / "runs" / "lstm-1", ["hung", "killed"])
    found = RunRecord.load(tmp_path / "runs" / "lstm-1" / "run.json")
    assert found == record.model_copy(update={"retried": ["killed", "hung", "killed"]})


def test_openings_are_added_and_a_torn_one_is_swept_away(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "s")
    told = [Opening(time=f"2026-01-0{day}", reason="猫", runs=[f"lstm-{day}"]) for day in (1, 2)]
    for opening in told:
        log_opening(folder, opening)
    assert folder.openings() == told
    whole = folder.openings_path.read_bytes()
    folder.openings_path.write_bytes(whole + b'{"time": "2026')
    sweep(folder)
    assert folder.openings_path.read_bytes() == whole
    folder.openings_path.write_bytes(b"torn")
    sweep(folder)
    assert folder.openings() == []


def test_only_what_is_half_written_is_swept_away(tmp_path: Path) -> None:
    folder = StudyFolder(make_study(tmp_path, errors={"lstm": 0.1}, seeds=1))
    whole = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for draft in (".study.json.partial", "runs/lstm-0/.run.json.partial"):
        (tmp_path / draft).write_text("half")
    (tmp_path / "runs" / ".lstm-1.partial").mkdir()
    (tmp_path / "runs" / ".lstm-1.partial" / "run.json").write_text("half")
    sweep(folder)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == whole
    assert not (tmp_path / "runs" / ".lstm-1.partial").exists()


def test_a_replaced_run_is_swept_away_or_comes_back(tmp_path: Path) -> None:
    for name in (".a-0.replaced.partial", "a-0", ".b-0.replaced.partial"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text(name)
    sweep(StudyFolder(tmp_path))
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.json")}
    assert found == {"runs/a-0/run.json": "a-0", "runs/b-0/run.json": ".b-0.replaced.partial"}
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a-0", "b-0"]


def test_epochs_are_a_table_with_unix_lines(tmp_path: Path) -> None:
    (run,) = StudyFolder(make_study(tmp_path, errors={"lstm": 0.1}, seeds=1)).runs()
    write_epochs(tmp_path, run.epochs()[:2])
    lines = (tmp_path / "epochs.csv").read_bytes().split(b"\n")
    assert lines[0].decode().split(",") == list(Epoch.model_fields)
    assert [line.split(b",")[0] for line in lines[1:]] == [b"1", b"2", b""]


def test_a_log_of_openings_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "openings.jsonl").mkdir()
    with pytest.raises(DataError) as refused:
        sweep(StudyFolder(tmp_path))
    assert str(refused.value) == f"{tmp_path}/openings.jsonl: cannot be read (Is a directory)"
