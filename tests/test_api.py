"""Linewise from Python, as the documentation shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import linewise
from linewise import ConfigError, DataError, Study

QUICK = {"models": ["gru", "linear"], "epochs": 1, "budget": 3000, "seeds": 2, "jobs": 0}


def test_arrays_go_in_tables_and_figures_come_out(tmp_path: Path) -> None:
    digits = load_digits()
    images = (digits.images[:400] * 15.9).astype(np.uint8)
    study = linewise.compare(images, digits.target[:400], out=tmp_path / "mine", **QUICK)
    assert study.answer.startswith("No convolutional network has answers")
    assert [row["model"] for row in study.table] == ["gru", "linear"]
    assert [(row["model"], row["seed"]) for row in study.runs] == [
        ("gru", 0), ("gru", 1), ("linear", 0), ("linear", 1),
    ]  # fmt: skip
    assert study.figures["accuracy"].read_bytes().startswith(b"\x89PNG")
    assert repr(study) == f"Study({str(tmp_path / 'mine')!r})"
    again = Study(tmp_path / "mine")
    assert again.table == study.table
    network = linewise.load_model(tmp_path / "mine" / "runs" / "gru-1").network
    assert network.config.name == "gru"


def test_a_pair_of_images_and_labels_is_the_same(tmp_path: Path) -> None:
    digits = load_digits()
    images, labels = (digits.images[:300] * 15.9).astype(np.uint8), digits.target[:300]
    one = linewise.compare(images, labels, out=tmp_path / "one", report=False, **QUICK)
    two = linewise.compare((images, labels), out=tmp_path / "two", report=False, **QUICK)
    assert [r["test_accuracy"] for r in one.runs] == [r["test_accuracy"] for r in two.runs]


def test_a_new_folder_is_made_under_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dials = {**QUICK, "seeds": 1, "report": False, "split_options": {"images": 100}}
    assert linewise.compare("digits", **dials).path == Path("studies/digits")
    assert linewise.compare("digits", **dials).path == Path("studies/digits-2")
    assert linewise.api.latest_folder("digits") == Path("studies/digits-2")


def test_images_without_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="an array of images without labels"):
        linewise.compare(np.zeros((10, 8, 8), np.uint8), out=tmp_path / "s", **QUICK)
    assert not (tmp_path / "s").exists()


def test_an_unknown_dial_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="epoch = 3"):
        linewise.compare("digits", epoch=3, out=tmp_path / "s")


def test_no_study_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no study here"):
        Study(tmp_path)
