"""A fitted estimator on disk: a run's folder with one file more, `estimator.json`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from linewise.api.estimator.fitting import Files
from linewise.foundations.errors import ConfigError, SavedModelError
from linewise.foundations.records import Epoch, Record, describe
from linewise.foundations.scratch import scratch
from linewise.models.saved import Saved, load_model
from linewise.study.storage import new_run_folder

NAME = "estimator.json"
FILES = ("model.json", "model.safetensors", "README.md", "run.json", "epochs.csv", "predictions.npz", "steps.npz")
MOST_BYTES = 4 << 30


class Kept(Record):
    """`estimator.json`: what scikit-learn's side needs and the run does not tell.

    Attributes:
        parameters: of the constructor; a `random_state` that is no number is left out.
        classes: in order, as JSON can say them.
        dtype: of the array of classes.
    """

    format: str = "linewise-estimator"
    parameters: dict[str, Any]
    classes: list[str | bool | int | float]
    dtype: str
    num_pixels: int
    image_shape: tuple[int, int, int]
    pixel_range: tuple[float, float]

    def class_array(self) -> np.ndarray:
        return np.array(self.classes, dtype=object if self.dtype == "object" else np.dtype(self.dtype))


def model_of(files: Files) -> Saved:
    """The network from the files of a run, checked as every saved model is."""
    with scratch() as folder, torch.random.fork_rng(devices=[]):
        for file in ("model.json", "model.safetensors"):
            (folder / file).write_bytes(files[file])
        return load_model(folder)


def history_of(files: Files) -> dict[str, list[float]]:
    """Loss and accuracy after each epoch, one list per column, from `epochs.csv`."""
    rows = [Epoch.model_validate(row) for row in csv.DictReader(io.StringIO(files["epochs.csv"].decode()))]
    columns = ("epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    return {column: [getattr(row, column) for row in rows] for column in columns}


def write(path: Path, files: Files, kept: Kept) -> None:
    """A new folder, whole or not at all.

    Raises:
        ConfigError: it is there already.
    """
    if path.exists():
        raise ConfigError("is there already", where=str(path), mend="choose another folder")
    with new_run_folder(path) as draft:
        for name, payload in files.items():
            (draft / name).write_bytes(payload)
        kept.save(draft / NAME)


def read(path: Path) -> tuple[Files, Kept]:
    """What `write` left.

    Raises:
        SavedModelError: a file is missing, too large or damaged.
    """
    if not (path / NAME).is_file():
        raise SavedModelError(
            f"no {NAME}", where=str(path), expected="a folder that ReaderClassifier.save wrote",
            mend="other runs are opened with linewise.load_model",
        )  # fmt: skip
    try:
        kept = Kept.model_validate(json.loads((path / NAME).read_text(encoding="utf-8")))
    except ValidationError as error:
        raise describe(error, where=str(path / NAME), kind=SavedModelError) from None
    except (OSError, ValueError) as error:
        raise SavedModelError(f"cannot be read ({error})", where=str(path / NAME)) from None
    present = [path / name for name in FILES if (path / name).is_file()]
    if (total := sum(file.stat().st_size for file in present)) > MOST_BYTES:
        raise SavedModelError(f"{total:,} bytes", where=str(path), expected=f"at most {MOST_BYTES:,}")
    load_model(path)
    files = {file.name: file.read_bytes() for file in present}
    if "epochs.csv" not in files:
        raise SavedModelError(
            "no epochs.csv", where=str(path), expected="a folder that ReaderClassifier.save wrote"
        )
    return files, kept
