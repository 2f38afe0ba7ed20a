"""Files of another study, put into a study that is whole, are told by name; nothing is computed from them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from linewise.analysis import summarise
from linewise.foundations.errors import DataError
from linewise.foundations.folder import StudyFolder
from linewise.report import build
from studies import add_tuning, make_study


def edit(path: Path, **changes: Callable[[np.ndarray], np.ndarray]) -> None:
    with np.load(path) as file:
        arrays = dict(file)
    for key, change in changes.items():
        arrays[key] = change(arrays[key])
    np.savez(path, **arrays)


def write(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_study(tmp_path_factory.mktemp("whole"), errors={"lstm": 0.2, "cnn": 0.1}, readers=("lstm",))
    add_tuning(path, {"lstm": [0.9, 0.8], "cnn": [0.9, 0.8]})
    build(path)
    return path


@pytest.fixture
def study(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / whole.name))


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("runs/lstm-1/run.json", lambda p: write(p, data_fingerprint="e" * 64), "of other images than the study"),
        ("tuning/tuning.json", lambda p: write(p, data_fingerprint="e" * 64), "the tuning of another study"),
        ("films.npz", lambda p: edit(p, indices=lambda a: a + 10**12), "films of other images or classes"),
        (
            "films.npz",
            lambda p: edit(p, probabilities_lstm=lambda a: a[:, :, :3]),
            "films of other images or classes",
        ),
        ("films.npz", lambda p: edit(p, seen_lstm=lambda a: a[:0]), "films of other images or classes"),
    ],
)
def test_a_file_of_another_study_is_told(
    study: Path, file: str, damage: Callable[[Path], None], said: str
) -> None:
    damage(study / file)
    with pytest.raises(DataError) as told:
        build(study)
    assert said in str(told.value)
    assert str(study / file) in str(told.value)


def test_answers_after_each_step_of_fewer_images(study: Path) -> None:
    path = study / "runs/lstm-0/steps.npz"
    with np.load(path) as file:
        arrays = {key: a[:-1] if a.ndim and len(a) == 400 else a for key, a in file.items()}
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="399 test images"):
        summarise(StudyFolder(study))


def test_an_importance_that_lacks_a_dial(study: Path) -> None:
    path = study / "tuning/tuning.json"
    record = json.loads(path.read_text())
    record["networks"][0]["importance"] = {}
    path.write_text(json.dumps(record))
    build(study)
