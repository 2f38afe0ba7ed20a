"""From arrays to a trained run, with the study's own job and loop."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from linewise.api.estimator.computing import borrowed
from linewise.api.estimator.pixels import InputError
from linewise.foundations.errors import LinewiseError
from linewise.foundations.records import DataRecord, Epoch, RunRecord
from linewise.foundations.scratch import scratch
from linewise.images import Part, Preprocessing, SplitOptions
from linewise.images.checking.duplicates import fingerprint, groups_of
from linewise.images.preprocessing import Geometry
from linewise.images.splits import plan
from linewise.study.config import make_config, make_spec
from linewise.study.job import Job, share, write_run
from linewise.training.loop import train

Files = dict[str, bytes]
"""A run's folder: its files by name."""


@dataclass(frozen=True)
class Plan:
    """What is trained and how.

    Attributes:
        model: as typed on the command line.
        dials: of `linewise.study.config.CompareConfig`.
        validation: share of the images that is watched, not trained on.
        seed: decides weights, order, augmentation, and which images are watched.
    """

    model: str
    dials: dict[str, Any]
    validation: float
    seed: int
    verbose: bool = False


def fit_run(images_NHWC: np.ndarray, labels_N: np.ndarray, class_names: list[str], how: Plan) -> Files:
    """Train a network as `linewise train` would and return the files of its run.

    Args:
        images_NHWC: uint8.
        labels_N: indices into the class names.

    Raises:
        InputError: settings or images that cannot be used, or training diverged.
    """
    try:
        config = make_config(models=[how.model], seeds=1, **how.dials)
        training, validation = _divide(images_NHWC, labels_N, tuple(class_names), how)
        data = _record(training, validation, class_names)
        spec = make_spec(config, data, "linewise.ReaderClassifier(…).fit(…)")
        with scratch() as work, borrowed(config.threads):
            job = Job(
                spec.models[0],
                how.seed,
                spec.recipe,
                data,
                share(training, work, "train"),
                share(validation, work, "validation"),
                spec.threads,
                work / "run",
                work / "beat.json",
                device=spec.device,
            )
            _train(job, how.verbose)
            record = RunRecord.load(job.path / "run.json")
            files = {path.name: path.read_bytes() for path in sorted(job.path.iterdir())}
    except LinewiseError as error:
        raise InputError(error.found, where=error.where, expected=error.expected, mend=error.mend) from None
    if record.status != "finished":
        raise InputError(f"training diverged: {record.reason}", mend="a smaller learning_rate")
    return files


def _divide(
    images_NHWC: np.ndarray, labels_N: np.ndarray, class_names: tuple[str, ...], how: Plan
) -> tuple[Part, Part]:
    if not 0 < how.validation < 1:
        raise InputError(
            f"validation_fraction = {how.validation!r}", where="ReaderClassifier", expected="between 0 and 1"
        )
    number = max(1, min(round(how.validation * len(labels_N)), len(labels_N) - len(class_names)))
    division = plan(
        labels_N,
        groups_of(images_NHWC)[0],
        SplitOptions(validation=number, split_seed=how.seed),
        class_names,
        has_validation=False,
        has_test=True,
        where="y",
    )
    assert division.validation is not None
    return (
        Part(images_NHWC[division.train], labels_N[division.train]),
        Part(images_NHWC[division.validation], labels_N[division.validation]),
    )


def _record(training: Part, validation: Part, class_names: list[str]) -> DataRecord:
    height, width, channels = training.images_NHWC.shape[1:]
    geometry = Geometry(height=height, width=width, channels=channels, fit="stretch")
    parts = {"train": training, "validation": validation}
    return DataRecord(
        name="arrays",
        fingerprint=fingerprint(tuple(class_names), {k: (p.images_NHWC, p.labels_N) for k, p in parts.items()}),
        class_names=class_names,
        shape=(height, width, channels),
        counts={
            split: dict(zip(class_names, part.counts(len(class_names)), strict=True))
            for split, part in parts.items()
        },
        preprocessing=Preprocessing.measure(geometry, training.images_NHWC).model_dump(mode="json"),
        options={"source": "arrays"},
    )


def _train(job: Job, verbose: bool) -> None:
    def tell(epoch: Epoch) -> None:
        if verbose:
            sys.stdout.write(
                f"epoch {epoch.epoch}: loss {epoch.train_loss:.4f}, train {epoch.train_accuracy:.2%}, "
                f"validation {epoch.validation_accuracy:.2%}\n"
            )

    started = datetime.now(UTC).isoformat(timespec="seconds")
    training, validation = job.parts()
    network = job.network()
    outcome = train(network, training, validation, job.recipe, job.seed, on_epoch=tell)
    write_run(job, network, outcome, training, validation, started)
