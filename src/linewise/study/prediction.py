"""Answers of a saved network on image files and on data sets."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from linewise.foundations.errors import DataError
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import Opening, Record
from linewise.images import Chosen, Preprocessing, SplitOptions, load_for, read_image
from linewise.images.batches import Batches
from linewise.models.saved import Saved, load_model
from linewise.study.stopping import early_reader, load_rule, reader_of
from linewise.study.storage import log_opening
from linewise.training.evaluation import probabilities

EARLY_BATCH = 1000


class Likely(Record):
    """A class and its probability, from 0 to 1."""

    name: str
    probability: float


class Answer(Record):
    """The most likely classes of one image file, most likely first.

    Attributes:
        read, steps: steps read and steps there are, where reading may stop early; None where all is read in one
            pass.
    """

    path: str
    top: list[Likely]
    read: int | None = None
    steps: int | None = None


def predict_files(
    run: Path, files: list[Path], top: int, early: bool = False
) -> tuple[list[Answer], list[DataError]]:
    """Answers for image files, prepared with the preprocessing stored in the model.

    Args:
        early: stop reading by the run's `stop.json`.

    Returns:
        An answer per readable file, in order, and an error per unreadable one.

    Raises:
        SavedModelError: the model cannot be loaded. DataError: there is no `stop.json`, or it is damaged.
        ConfigError: it was found for other weights.
    """
    saved = load_model(run)
    if early:
        reader_of(saved)
    rule = load_rule(run) if early else None
    reader = early_reader(saved, rule) if rule else None
    preprocessing = Preprocessing.model_validate(saved.card.preprocessing)
    images, paths, unreadable = [], [], []
    for path in files:
        try:
            images.append(read_image(path, preprocessing))
            paths.append(path)
        except DataError as error:
            unreadable.append(error)
    if not images:
        return [], unreadable
    images_NHWC = np.stack(images)
    if reader is None:
        answers_NK = answers_of(saved, images_NHWC)
        return [
            _answer(saved, path, row_K, top) for path, row_K in zip(paths, answers_NK, strict=True)
        ], unreadable
    answers = []
    for x_BCHW, _ in _batches(saved, images_NHWC).in_order(EARLY_BATCH):
        found = reader.read(x_BCHW)
        rows_BK = torch.softmax(found.logits_BK, dim=1).numpy()
        for row_K, read in zip(rows_BK, found.read_B.tolist(), strict=True):
            answer = _answer(saved, paths[len(answers)], row_K, top)
            answers.append(answer.model_copy(update={"read": read, "steps": reader.num_steps}))
    return answers, unreadable


def answers_of(saved: Saved, images_NHWC: np.ndarray) -> np.ndarray:
    """Class probabilities `NK` of prepared uint8 images."""
    return probabilities(saved.network, _batches(saved, images_NHWC))


def _batches(saved: Saved, images_NHWC: np.ndarray) -> Batches:
    preprocessing = saved.card.preprocessing
    labels_N = np.zeros(len(images_NHWC), dtype=np.int64)
    return Batches(images_NHWC, labels_N, preprocessing["mean"], preprocessing["std"])


def images_for(run: Path, saved: Saved, data: str, split: str, data_dir: Path | None, command: str) -> Chosen:
    """Images of a data set for a saved model, prepared and named as it was trained.

    Data that the model was trained on are divided as they were then, so that no training image is taken for a test
    image. Opening test images is logged first.

    Raises:
        DataError: the classes differ from the model's, the images changed since it was trained, or the data cannot
            be used.
    """
    options = saved.card.trained.get("options", {})
    known = (options.get("source"), saved.card.trained.get("data")) if isinstance(options, dict) else ()
    again = any(isinstance(name, str) and _same(data, name) for name in known)
    splits = (
        SplitOptions(**{k: v for k, v in options.items() if k in SplitOptions.model_fields}) if again else None
    )
    if split in ("test", "all"):
        note_opening(run, f"evaluated on the {split} images of {data}", command)
    return load_for(
        data,
        Preprocessing.model_validate(saved.card.preprocessing),
        saved.card.class_names,
        split=split,
        splits=splits,
        data_dir=data_dir,
        progress=True,
        trained_fingerprint=str(saved.card.trained.get("fingerprint") or "") if again else "",
    )


def _same(data: str, other: str) -> bool:
    """Whether two names mean the same data: word for word, or as paths that are there, however written."""
    if data == other:
        return True
    try:
        return os.path.samefile(data, other)
    except (OSError, ValueError):  # not there, or not a path
        return False


def note_opening(run: Path, reason: str, command: str) -> None:
    """Log that a run's test set was opened: in its study where it has one, else beside the model."""
    study = run.resolve().parent.parent
    folder = StudyFolder(study if (study / "study.json").is_file() else run)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    log_opening(folder, Opening(time=now, reason=reason, runs=[run.resolve().name], command=command))


def _answer(saved: Saved, path: Path, row_K: np.ndarray, top: int) -> Answer:
    best = np.argsort(-row_K, kind="stable")[:top]
    names = saved.card.class_names
    return Answer(path=str(path), top=[Likely(name=names[k], probability=float(row_K[k])) for k in best])
