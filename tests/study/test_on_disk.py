"""Images that do not fit in memory: the same study, bit for bit, and no copy of them anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from linewise.images import load
from linewise.images.mapped import Mapped
from linewise.models.saved import load_model
from linewise.study import comparison
from linewise.study.comparison import run_study
from linewise.study.config import make_config
from linewise.study.executors import InProcess
from linewise.study.job import share
from linewise.study.prediction import answers_of, images_for


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, digits = tmp_path_factory.mktemp("digits"), load_digits()
    for i in range(400):
        place = root / f"class {digits.target[i] % 4}"
        place.mkdir(exist_ok=True)
        Image.fromarray((digits.images[i] * 15).astype(np.uint8)).save(place / f"{i}.png")
    return root


def test_the_same_study_with_nothing_in_memory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(
        models=["lstm"], seeds=1, epochs=1, budget=3000, augment={"shift": 1.0}, tune=2, tune_images=150
    )
    found: list[dict[str, bytes]] = []
    written: list[list[str]] = []
    original: Callable[..., object] = comparison._hang_pictures

    def look(study, *rest: object) -> object:
        written.append(sorted(path.name for path in (study.path / ".work").glob("*.npy")))
        return original(study, *rest)

    monkeypatch.setattr(comparison, "_hang_pictures", look)
    for limit in ("1G", "0"):
        monkeypatch.setenv("LINEWISE_IN_MEMORY", limit)
        images = load(folder)
        assert isinstance(images.train.images_NHWC, Mapped) == (limit == "0")
        study = run_study(images, config, tmp_path / limit, InProcess())
        bits: dict[str, bytes] = {name: (study.path / name).read_bytes() for name in ("gallery.npz", "films.npz")}
        for run in study.runs():
            assert run.record.status == "finished"
            for name in ("model.safetensors", "predictions.npz", "steps.npz"):
                if (run.path / name).exists():
                    bits[f"{run.path.name}/{name}"] = (run.path / name).read_bytes()
            figures = [epoch.model_dump(exclude={"train_s"}) for epoch in run.epochs()]
            bits[f"{run.path.name}/epochs"] = repr((figures, run.record.train_accuracy)).encode()
        found.append(bits)
    assert found[0].keys() == found[1].keys()
    assert [name for name, value in found[0].items() if found[1][name] != value] == []
    assert len(found[0]) == 2 + 4
    assert "train-images.npy" in written[0]
    assert [name for name in written[1] if "images" in name] == []
    run = study.runs()[0].path
    saved = load_model(run)
    part = images_for(run, saved, str(folder), "test", None, "a test")
    assert isinstance(part.images_NHWC, Mapped)
    answers = study.runs()[0].predictions("test")
    assert answers is not None
    np.testing.assert_array_equal(answers_of(saved, part.images_NHWC).argmax(1), answers.predicted_N)
    np.testing.assert_array_equal(part.labels_N, answers.labels_N)


def test_workers_are_sent_to_the_cache(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEWISE_IN_MEMORY", "0")
    images = load(folder)
    arrays = share(images.validation, tmp_path, "val")
    assert isinstance(images.validation.images_NHWC, Mapped)
    assert arrays.images == images.validation.images_NHWC.path
    batches = arrays.batches(images.record.preprocessing)
    np.testing.assert_array_equal(batches.images_NHWC[:], images.validation.images_NHWC[:])
    np.testing.assert_array_equal(batches.labels_N, images.validation.labels_N)
