"""What a tracker is told of a study and of a run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linewise.foundations.arrays import Predictions
from linewise.foundations.folder import Run, StudyFolder
from linewise.foundations.records import Epoch, ModelSpec, Recipe, StudySpec

FILES = ("README.md", "model.json", "model.safetensors", "run.json", "epochs.csv")
CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "train_s")


@dataclass(frozen=True)
class Identity:
    """What makes a study, or a run of its own, the same one when it is told again.

    Attributes:
        name: of its folder.
        id: 12 hexadecimal digits.
        tags: for searching in the tracker.
    """

    name: str
    id: str
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_study(cls, path: Path, spec: StudySpec) -> Identity:
        """It stays when networks and seeds are added."""
        return cls(path.resolve().name, _short(spec.created, spec.data.fingerprint), _tags(spec.data.fingerprint))

    @classmethod
    def of_run(cls, path: Path, model: ModelSpec, recipe: Recipe, seed: int, fingerprint: str) -> Identity:
        """Of a run without a study: the same images, network, recipe and seed are the same run."""
        told = _short(
            path.resolve().name, model.model_dump_json(), recipe.model_dump_json(), str(seed), fingerprint
        )
        return cls(path.resolve().parent.name, told, _tags(fingerprint))


@dataclass(frozen=True)
class Facts:
    """A run that has ended.

    Attributes:
        key: the name of its folder, such as `lstm-0`.
        parameters: network, sizes, recipe, seed, data.
        epochs: the epoch table.
        finals: what is known at the end, test accuracy with n and interval among it.
        record: checksum of `run.json`; another one means that there is more to tell.
    """

    key: str
    status: str
    parameters: dict[str, str | int | float]
    tags: dict[str, str]
    epochs: list[Epoch]
    finals: dict[str, float]
    answers: dict[str, Predictions]
    class_names: list[str]
    files: list[Path]
    card: str
    record: str

    @classmethod
    def read(cls, run: Run, class_names: list[str]) -> Facts:
        record = run.record
        answers = {split: a for split in ("validation", "test") if (a := run.predictions(split)) is not None}
        weights = run.path / "model.safetensors"
        tags = {**_tags(record.data_fingerprint), "linewise.version": record.environment.linewise}
        if weights.is_file():
            tags["linewise.weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
        if record.reason:
            tags["linewise.reason"] = record.reason
        readme = run.path / "README.md"
        return cls(
            key=run.path.resolve().name,
            status=record.status,
            parameters=_parameters(run),
            tags=tags,
            epochs=run.epochs(),
            finals=_finals(run, answers),
            answers=answers,
            class_names=class_names,
            files=[run.path / name for name in FILES if (run.path / name).is_file()],
            card=readme.read_text(encoding="utf-8") if readme.is_file() else "",
            record=_short((run.path / "run.json").read_text(encoding="utf-8")),
        )


def names_for(run: Run, study: StudyFolder | None) -> list[str]:
    """Class names, from the study or from the model of a run of its own."""
    if study is not None:
        return study.spec().data.class_names
    import json

    model = run.path / "model.json"
    return json.loads(model.read_text(encoding="utf-8"))["class_names"] if model.is_file() else []


def _parameters(run: Run) -> dict[str, str | int | float]:
    record = run.record
    model, recipe = record.model, record.recipe.model_dump(mode="json")
    told: dict[str, Any] = {
        "network": model.name,
        "label": model.label,
        "family": model.family,
        **{f"size.{key}": value for key, value in model.sizes.items()},
        "parameters": model.cost.parameters,
        "macs": model.cost.macs,
        "seed": record.seed,
        **recipe,
        "data": record.data_name,
        "num_train": record.num_train,
        "threads": record.environment.threads,
        "device": record.environment.device,
    }
    return {key: value if isinstance(value, str | int | float) else str(value) for key, value in told.items()}


def _finals(run: Run, answers: dict[str, Predictions]) -> dict[str, float]:
    from linewise.analysis.intervals import wilson  # SciPy; every study loads this module, few tell a tracker

    record = run.record
    finals: dict[str, float | None] = {
        "final/train_accuracy": record.train_accuracy,
        "final/train_s": record.times.train_s if record.times else None,
    }
    for split, found in answers.items():
        right, n = int(found.correct_N.sum()), len(found.labels_N)
        if n:
            low, high = wilson(right, n)
            finals |= {
                f"final/{split}_accuracy": right / n, f"final/{split}_accuracy_low": low,
                f"final/{split}_accuracy_high": high, f"final/{split}_n": n,
            }  # fmt: skip
    return {key: float(value) for key, value in finals.items() if value is not None}


def _tags(fingerprint: str) -> dict[str, str]:
    return {"linewise.data_fingerprint": fingerprint}


def _short(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
