"""Believable study folders, written through the records: no network is trained."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from linewise.foundations.arrays import Films, Steps
from linewise.foundations.environment import environment
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import (
    Cost,
    DataRecord,
    Epoch,
    Latency,
    ModelSpec,
    Opening,
    Recipe,
    RunRecord,
    StudySpec,
    Times,
    TuningPlan,
)  # fmt: skip
from linewise.foundations.tuning import Dial, NetworkTuning, TrialRecord, TuningRecord
from linewise.study.storage import write_epochs, write_films, write_predictions, write_steps

FAMILIES = {
    "lstm": "recurrent",
    "gru": "recurrent",
    "cnn": "convolutional",
    "linear": "control",
    "vit": "attention",
}
FAMILIES |= {"sequencer2d_nano": "recurrent", "sequencer2d_nano_pooling": "control"}


def make_study(
    path: Path,
    *,
    errors: dict[str, float] | None = None,
    seeds: int = 3,
    num_test: int = 400,
    class_names: list[str] | None = None,
    channels: int = 1,
    side: int = 8,
    tested: bool = True,
    diverged: tuple[str, int] | None = None,
    missing: tuple[str, int] | Literal["all"] | None = None,
    data_name: str = "synthetic",
    readers: tuple[str, ...] = (),
) -> Path:
    """Write a study whose networks are wrong with the given probabilities, at random.

    Networks in `readers` have answers after each of `side` rows, and films.
    """
    rng = np.random.default_rng(0)
    errors = {"lstm": 0.08, "gru": 0.07, "cnn": 0.03, "linear": 0.15} if errors is None else errors
    names = class_names or [str(k) for k in range(10)]
    classes = len(names)
    counts = {split: dict.fromkeys(names, n // classes) for split, n in (("train", 1000), ("validation", 300))}
    labels = {"test": np.arange(num_test) % classes, "validation": np.arange(300) % classes}
    counts["test"] = {name: int((labels["test"] == k).sum()) for k, name in enumerate(names)}
    data = DataRecord(
        name=data_name, fingerprint="f" * 64, class_names=names, shape=(side, side, channels), counts=counts,
        preprocessing={"mean": [0.5] * channels, "std": [0.5] * channels}, check={"warnings": [
            {"code": "mixed", "text": f"a warning about {names[0]}"}]},
    )  # fmt: skip
    cost = Cost(parameters=20_000, macs=150_000, activation_bytes=9_000, sequential_depth=9)
    models = [
        ModelSpec(label=m, name=m, family=FAMILIES[m], sizes={}, cost=cost, miss=0.001)  # type: ignore[arg-type]
        for m in errors
    ]
    recipe = Recipe(epochs=4, batch_size=16)
    spec = StudySpec(
        linewise_version="0", created="2026-01-01T00:00:00+00:00", command="linewise compare <synthetic>", data=data,
        models=models, recipe=recipe, seeds=list(range(seeds)), match="params", budget=20_000, threads=1,
    )  # fmt: skip
    spec.save(path / "study.json")
    wrong: set[int] = set()
    for model in models:
        for seed in range(seeds):
            if missing in ((model.label, seed), "all"):
                continue
            wild = (model.label, seed) == diverged
            run = path / "runs" / f"{model.label}-{seed}"
            fields: dict[str, Any] = {}
            if not wild:
                for split in ("validation", "test") if tested else ("validation",):
                    answers_NK = _answers(rng, labels[split], classes, errors[model.label])
                    write_predictions(run, split, answers_NK, labels[split])
                    if model.label in readers:
                        write_steps(run, split, _steps(answers_NK, side, seed), classes)
                    right_N = answers_NK.argmax(1) == labels[split]
                    fields[f"{split}_accuracy"] = float(right_N.mean())
                    wrong |= set(np.flatnonzero(~right_N).tolist()) if split == "test" else set()
                write_epochs(run, [_epoch(e, errors[model.label]) for e in range(1, 5)])
                latency = [
                    Latency(batch_size=b, median_ms=b / 10 + 1, low_ms=1, high_ms=b / 5 + 2, repeats=5)
                    for b in (1, 1000)
                ]
                fields["train_accuracy"] = 1 - errors[model.label] / 2
                fields["times"] = Times(train_s=2.0, images_per_s=2000.0, latency=latency)
            RunRecord(
                model=model, seed=seed, status="diverged" if wild else "finished",
                reason="loss nan at step 3 of 9, learning rate 0.01" if wild else "", recipe=recipe,
                data_name=data_name, data_fingerprint="f" * 64, num_train=1000, environment=environment(1, kernels=""),
                started="2026-01-01T00:00:00+00:00", **fields,
            ).save(run / "run.json")  # fmt: skip
    if tested and missing != "all":
        opening = Opening(time="2026-01-01T00:01:00+00:00", reason="all runs have ended", runs=_finished(path))
        (path / "openings.jsonl").write_text(opening.model_dump_json() + "\n")
        indices_G = np.array(sorted(wrong | set(range(5))))
        images = _digits(labels["test"][indices_G], side, channels)
        np.savez_compressed(path / "gallery.npz", indices=indices_G, images=images)
        if readers:
            write_films(StudyFolder(path), _films(path, readers, indices_G[:50], side, classes))
    return path


def _finished(path: Path) -> list[str]:
    return [run.path.name for run in StudyFolder(path).runs() if run.record.status == "finished"]


def _steps(answers_NK: np.ndarray, side: int, seed: int) -> Steps:
    """Answers that settle late on every fifth image and turn by the way to the class after or before."""
    rng = np.random.default_rng(seed)
    images, classes = answers_NK.shape
    final_N = answers_NK.argmax(axis=1)
    settled_N = np.where(np.arange(images) % 5 == 0, side - 1, rng.integers(1, side, images))
    other_N = np.where(rng.random(images) < 0.5, final_N + 1, final_N - 1) % classes
    early_NT = np.arange(side) < settled_N[:, None]
    answers_NT = np.where(early_NT, other_N[:, None], final_N[:, None])
    answers_NT[:, 0] = 0
    sure_NT = np.minimum(1, np.linspace(0.2, 1, side) + 0.1 * rng.random((images, side))).astype(np.float32)
    first_N = rng.integers(1, 3, images)
    return Steps(answers_NT, sure_NT, np.arange(1, side + 1), first_N, np.full(images, side))


def _films(path: Path, readers: tuple[str, ...], indices_F: np.ndarray, side: int, classes: int) -> Films:
    films = Films(indices_F, {}, {}, {})
    for label in readers:
        with np.load(path / "runs" / f"{label}-0" / "steps.npz") as arrays:
            answers_FT, sure_FT = arrays["test_answers"][indices_F], arrays["test_sure"][indices_F] / 255
        rest_FT1 = ((1 - sure_FT) / (classes - 1))[..., None]
        films.probabilities[label] = np.where(
            np.arange(classes) == answers_FT[..., None], sure_FT[..., None], rest_FT1
        )
        films.kept[label] = np.arange(1, side + 1)
        films.seen[label] = np.repeat(np.arange(1, side + 1)[:, None], side, axis=1)
    return films


def _digits(labels_G: np.ndarray, side: int, channels: int) -> np.ndarray:
    """Real digits, one of its class for each label, at any size; channels are tinted."""
    digits = load_digits()
    seen = dict.fromkeys(range(10), 0)
    images = []
    for label in labels_G % 10:
        seen[int(label)] += 1
        of_class = digits.images[digits.target == label]
        image = np.asarray(
            Image.fromarray((of_class[seen[int(label)] % len(of_class)] * 15).astype(np.uint8)).resize(
                (side, side)
            )
        )
        images.append(np.stack([image >> c for c in range(channels)], axis=-1))
    return np.stack(images)


def _answers(rng: np.random.Generator, labels_N: np.ndarray, classes: int, error: float) -> np.ndarray:
    """Wrong at random, more often on every seventh image; half of the wrong answers name the next class."""
    hard_N = np.where(np.arange(len(labels_N)) % 7 == 0, 3.0, 2 / 3)
    wrong_N = rng.random(len(labels_N)) < error * hard_N
    far_N = np.where(rng.random(len(labels_N)) < 0.5, 1, rng.integers(1, classes, len(labels_N)))
    predicted_N = np.where(wrong_N, (labels_N + far_N) % classes, labels_N)
    sure_N = rng.uniform(0.6, 0.99, len(labels_N))
    answers_NK = np.repeat(((1 - sure_N) / (classes - 1))[:, None], classes, axis=1)
    answers_NK[np.arange(len(labels_N)), predicted_N] = sure_N
    return answers_NK.astype(np.float32)


def _epoch(number: int, error: float) -> Epoch:
    return Epoch(
        epoch=number, step=number * 10, train_loss=1 / number, train_accuracy=1 - error / number,
        validation_loss=1.1 / number, validation_accuracy=1 - 1.2 * error / number, train_s=0.5,
    )  # fmt: skip


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def add_tuning(path: Path, found: dict[str, list[float | None]], *, complete: bool = True) -> Path:
    """Write a tuning whose trials had these validation accuracies, in order; None: diverged."""
    spec = StudySpec.load(path / "study.json")
    trials = max(map(len, found.values()))
    plan = TuningPlan(trials=trials, epochs=2)
    spec.model_copy(update={"tuning": plan}).save(path / "study.json")
    networks = []
    for label, accuracies in found.items():
        space = [Dial(name="lr", low=0.001, high=0.03, log=True, default=0.005)]
        if label != "linear":
            space.append(Dial(name="dropout", low=0, high=0.5, log=False, default=0))
        records = [
            TrialRecord(
                number=n, seed=1_000_000 + n, settings={d.name: d.default + n / 1000 for d in space}, seconds=1.5,
                **({"status": "finished", "validation_accuracy": a, "validation_loss": 1 - a} if a is not None else
                   {"status": "diverged", "reason": "loss nan at step 3 of 9, learning rate 0.01"}),
            )
            for n, a in enumerate(accuracies)
        ]  # fmt: skip
        entry = NetworkTuning(label=label, name=label, family=FAMILIES[label], space=space, trials=records)  # type: ignore[arg-type]
        best = entry.best
        shares = {d.name: round(1 / len(space), 4) for d in space}
        chosen = {
            "chosen": best.number if best else None,
            "settings": best.settings if best else records[0].settings,
            "importance": shares if best else None,
        }
        networks.append(entry.model_copy(update=chosen if complete else {}))
    record = TuningRecord(
        plan=plan, data_fingerprint="f" * 64, num_train=1000, num_validation=300, storage="journal.log",
        networks=networks,
    )  # fmt: skip
    (path / "tuning").mkdir(exist_ok=True)
    record.save(path / "tuning" / "tuning.json")
    return path
