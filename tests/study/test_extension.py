"""Further epochs for a run that has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from linewise.foundations.errors import ConfigError, DataError, SavedModelError
from linewise.foundations.folder import Run
from linewise.foundations.records import Origin, RunRecord
from linewise.foundations.seeds import stream
from linewise.images import ImageSet, SplitOptions, load
from linewise.images.batches import Batches
from linewise.models.saved import load_model
from linewise.study.config import make_config
from linewise.study.extension import extend
from linewise.study.job import pin_threads
from linewise.study.single import train_one
from linewise.training.loop import train


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("digits", splits=SplitOptions(images=200))


@pytest.fixture(scope="module")
def first(digits: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = make_config(
        models=["lstm:hidden=6:dropout=0.2"], match="none", epochs=2, batch_size=40, augment={"shift": 1.0}
    )
    return train_one(digits, config, 4, tmp_path_factory.mktemp("runs") / "first")


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_further_epochs_are_a_second_cycle_from_its_weights(first: Run, digits: ImageSet, tmp_path: Path) -> None:
    before = everything(first.path)
    more = extend(first.path, 3, out=tmp_path / "more", lr=0.001)
    assert everything(first.path) == before
    assert more.record.origin == Origin(run=str(first.path), epochs=2, sha256=load_model(first.path).card.sha256)
    assert [e.epoch for e in more.epochs()] == [1, 2, 3]
    assert (more.record.seed, more.record.test_accuracy, more.record.recipe.lr) == (4, None, 0.001)

    pin_threads(1)
    by_hand = load_model(first.path).network
    pre = digits.preprocessing
    parts = [Batches(p.images_NHWC, p.labels_N, pre.mean, pre.std) for p in (digits.train, digits.validation)]
    recipe = first.record.recipe.model_copy(update={"epochs": 3, "lr": 0.001})
    train(by_hand, *parts, recipe, stream(4, "after 2 epochs"))
    found = load_model(more.path).network.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in by_hand.state_dict().items())

    again = extend(more.path, 1, out=tmp_path / "again")
    assert again.record.origin is not None
    assert again.record.origin.epochs == 5


def test_the_command_says_that_it_is_not_the_same(first: Run, tmp_path: Path, linewise: Any) -> None:
    said = linewise("extend", first.path, "--epochs", 1, "--out", tmp_path / "x")
    assert said.code == 0, said.err
    assert (
        f"the learning rate rises and falls once more from the weights of {first.path}: "
        "not the same as that many epochs in one piece" in said.err
    )
    assert RunRecord.load(tmp_path / "x" / "run.json").origin is not None
    said = linewise("extend", first.path, "--epochs", 1, "--out", tmp_path / "x")
    assert (said.code, said.err.splitlines()) == (
        2,
        [f"error: {tmp_path / 'x'}: is there already", "  to mend:  choose another --out"],
    )


def test_only_what_finished_is_extended(first: Run, tmp_path: Path) -> None:
    record = first.record.model_copy(update={"status": "diverged", "reason": "loss nan at step 3 of 9"})
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("model.json", "model.safetensors"):
        (copy / name).write_bytes((first.path / name).read_bytes())
    record.save(copy / "run.json")
    with pytest.raises(DataError) as missing:
        extend(tmp_path / "nosuch", 1)
    assert str(missing.value) == (
        f"{tmp_path / 'nosuch'}: no run here (no run.json)\n"
        "  expected: a folder that `linewise train` wrote, or one under runs/ of a study"
    )
    (tmp_path / "study.json").touch()
    with pytest.raises(DataError, match=r"a study, and no run\n  expected: one of the folders in .*/runs$"):
        extend(tmp_path, 1)
    with pytest.raises(ConfigError, match=r"lr = 0\.0"):
        extend(first.path, 1, out=tmp_path / "y", lr=0.0)
    with pytest.raises(ConfigError) as caught:
        extend(copy, 1, out=tmp_path / "y")
    assert str(caught.value) == f"{copy}: diverged: loss nan at step 3 of 9\n  expected: a run that finished"


def test_other_weights_than_those_it_began_with_are_refused(first: Run) -> None:
    with pytest.raises(SavedModelError, match=r"other weights than before \(SHA-256 "):
        load_model(first.path, sha256="0" * 64)
