"""Nothing that is chosen or trained depends on the test labels; what is chosen depends on nothing but the plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from linewise.foundations.folder import StudyFolder
from linewise.images import load
from linewise.images.sets import ImageSet
from linewise.study.comparison import run_study
from linewise.study.config import make_config
from linewise.study.executors import InProcess, WorkerProcesses

DIALS = {"models": ["linear", "lstm:hidden=4"], "seeds": 2, "epochs": 1, "tune": 5, "match": "none"}


def folders(root: Path, scramble: bool) -> Path:
    """An `npz` with splits, whose test labels may be scrambled."""
    digits = load_digits()
    images, labels = (digits.images[:900] * 15).astype(np.uint8), digits.target[:900].astype(np.int64)
    test = labels[700:].copy()
    if scramble:
        np.random.default_rng(0).shuffle(test)
    path = root / ("scrambled.npz" if scramble else "true.npz")
    np.savez(path, x_train=images[:700], y_train=labels[:700], x_test=images[700:], y_test=test)
    return path


def study(root: Path, name: str, images: ImageSet, workers: int = 0) -> StudyFolder:
    executor = WorkerProcesses(workers, 1) if workers else InProcess()
    return run_study(images, make_config(**DIALS), root / name, executor)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture(scope="module")
def true(root: Path) -> StudyFolder:
    return study(root, "true", load(folders(root, False)))


def chosen(folder: StudyFolder) -> dict[str, object]:
    record = folder.tuning()
    assert record is not None
    return {
        n.label: (n.chosen, n.settings, [(t.settings, t.validation_accuracy) for t in n.trials])
        for n in record.networks
    }


def weights(folder: StudyFolder) -> dict[str, bytes]:
    return {run.path.name: (run.path / "model.safetensors").read_bytes() for run in folder.runs()}


def test_scrambled_test_labels_change_no_setting_and_no_weight(root: Path, true: StudyFolder) -> None:
    scrambled = study(root, "scrambled", load(folders(root, True)))
    assert chosen(scrambled) == chosen(true)
    assert weights(scrambled) == weights(true)
    before = {run.path.name: run.record.test_accuracy for run in true.runs()}
    after = {run.path.name: run.record.test_accuracy for run in scrambled.runs()}
    assert after["linear-0"] < before["linear-0"]  # type: ignore[operator]


def test_two_workers_choose_what_one_process_chooses(root: Path, true: StudyFolder) -> None:
    again = study(root, "workers", load(folders(root, False)), workers=2)
    assert chosen(again) == chosen(true)
    assert weights(again) == weights(true)


def test_equal_trials_fresh_seeds_and_the_first_is_the_recipe(true: StudyFolder) -> None:
    record, spec = true.tuning(), true.spec()
    assert record is not None
    assert {n.label: len(n.trials) for n in record.networks} == dict.fromkeys((m.label for m in spec.models), 5)
    seeds = {t.seed for n in record.networks for t in n.trials}
    assert not seeds & set(spec.seeds)
    for network in record.networks:
        assert network.trials[0].settings == {dial.name: dial.default for dial in network.space}
        finished = [t for t in network.trials if t.validation_accuracy is not None]
        best = max(t.validation_accuracy for t in finished if t.validation_accuracy is not None)
        assert network.chosen is not None
        assert network.trials[network.chosen].validation_accuracy == best
        assert network.settings == network.trials[network.chosen].settings
        for run in (r for r in true.runs() if r.label == network.label):
            told = {**run.record.recipe.model_dump(), **run.record.model.sizes}
            assert {name: told[name] for name in network.settings} == network.settings
