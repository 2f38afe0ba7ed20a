"""Writing a study: each file whole or not at all, each run's folder whole or not at all."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from linewise.foundations.atomic import replace_file, write_text
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import Epoch, Opening, RunRecord


@contextmanager
def new_run_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to write into; renamed to `path` at the end, removed on any error.

    A run that is already there (a failed one tried again) is replaced.
    """
    draft = path.with_name(f".{path.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        if path.exists():
            shutil.rmtree(path)
        os.replace(draft, path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def sweep(folder: StudyFolder) -> None:
    """Remove what a killed process left half-written; no process may be writing."""
    for draft in folder.path.glob("runs/.*.partial"):
        shutil.rmtree(draft, ignore_errors=True)
    for draft in [*folder.path.glob(".*.partial"), *folder.path.glob("runs/*/.*.partial")]:
        draft.unlink(missing_ok=True)
    if folder.openings_path.exists():
        whole = folder.openings_path.read_bytes()
        if not whole.endswith(b"\n"):  # torn while being written, so the test set was not seen
            with replace_file(folder.openings_path) as file:
                file.write(whole[: whole.rfind(b"\n") + 1])


def write_epochs(folder: Path, epochs: list[Epoch]) -> None:
    """`epochs.csv`, one line per epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(Epoch.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(epoch.model_dump() for epoch in epochs)
    write_text(folder / "epochs.csv", text.getvalue())


def write_predictions(folder: Path, split: str, probabilities_NK: np.ndarray, labels_N: np.ndarray) -> None:
    """Add a split's answers to `predictions.npz`.

    Probabilities are stored as float16; the predicted class is taken before rounding.
    """
    small = np.uint8 if probabilities_NK.shape[1] <= 256 else np.uint16
    arrays = {
        f"{split}_probabilities": probabilities_NK.astype(np.float16),
        f"{split}_predicted": probabilities_NK.argmax(axis=1).astype(small),
        f"{split}_labels": labels_N.astype(small),
    }
    _add_arrays(folder / "predictions.npz", arrays)


def write_learning(folder: Path, right_EN: np.ndarray) -> None:
    """Add to `predictions.npz` which validation images were recognised after each epoch, one bit each."""
    arrays = {"validation_epochs": np.packbits(right_EN, axis=1), "validation_count": np.array(right_EN.shape[1])}
    _add_arrays(folder / "predictions.npz", arrays)


def _add_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    before: dict[str, np.ndarray] = {}
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            before = dict(file)
    with replace_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, **{**before, **arrays})


def write_failed(folder: StudyFolder, record: RunRecord) -> None:
    """A run that never came to an end still has its place."""
    with new_run_folder(folder.run_path(record.model.label, record.seed)) as draft:
        record.save(draft / "run.json")


def log_opening(folder: StudyFolder, opening: Opening) -> None:
    """Add a line to `openings.jsonl`, on disk before the test set is seen."""
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.openings_path.open("a", encoding="utf-8") as file:
        file.write(opening.model_dump_json() + "\n")
        file.flush()
        os.fsync(file.fileno())


def write_gallery(folder: StudyFolder, indices_G: np.ndarray, images_GHWC: np.ndarray) -> None:
    """`gallery.npz`: images for the report's pictures."""
    with replace_file(folder.gallery_path) as file:
        np.savez_compressed(file, allow_pickle=False, indices=indices_G, images=images_GHWC)
