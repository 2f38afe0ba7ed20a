"""Writing a study: each file whole or not at all, each run's folder whole or not at all."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from linewise.foundations.arrays import Films, Steps, read_arrays
from linewise.foundations.atomic import replace_file, sync_folder, write_text
from linewise.foundations.folder import StudyFolder
from linewise.foundations.records import Epoch, Opening, RunRecord, cannot_be_read

REPLACED = ".replaced.partial"


@contextmanager
def new_run_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to write into; renamed to `path` at the end, removed on any error.

    What is already there, a failed run tried again or the checkpoints of this one, is replaced.
    """
    draft, replaced = (path.with_name(f".{path.name}{end}") for end in (".partial", REPLACED))
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        if path.exists():
            os.replace(path, replaced)
        os.replace(draft, path)
        sync_folder(path.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):
            settle(path)  # checkpoints that had made way come back
        raise


def sweep_replaced(runs: Path) -> None:
    """End what a process was killed in that put a run's folder in the place of another."""
    for replaced in runs.glob(f".*{REPLACED}"):
        settle(runs / replaced.name.removeprefix(".").removesuffix(REPLACED))


def settle(path: Path) -> None:
    """The same for the folder of one run."""
    replaced = path.with_name(f".{path.name}{REPLACED}")
    if path.exists():
        shutil.rmtree(replaced, ignore_errors=True)
    elif replaced.exists():
        os.replace(replaced, path)


def sweep(folder: StudyFolder) -> None:
    """Remove what a killed process left half-written; no process may be writing."""
    sweep_replaced(folder.path / "runs")
    for draft in folder.path.glob("runs/.*.partial"):
        shutil.rmtree(draft, ignore_errors=True)
    for draft in [*folder.path.glob(".*.partial"), *folder.path.glob("runs/*/.*.partial")]:
        draft.unlink(missing_ok=True)
    if folder.openings_path.exists():
        try:
            whole = folder.openings_path.read_bytes()
        except OSError as error:
            raise cannot_be_read(error, folder.openings_path) from None
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


def write_steps(folder: Path, split: str, steps: Steps, num_classes: int) -> None:
    """Add a split's answers after each step to `steps.npz`, in as few bytes as they need."""
    count = np.min_scalar_type(steps.num_steps)
    _add_arrays(
        folder / "steps.npz",
        {
            "steps": steps.kept_T.astype(count),
            f"{split}_answers": steps.answers_NT.astype(np.min_scalar_type(num_classes - 1)),
            f"{split}_sure": np.rint(255 * steps.sure_NT).astype(np.uint8),
            f"{split}_first_ink": steps.first_ink_N.astype(count),
            f"{split}_last_ink": steps.last_ink_N.astype(count),
        },
    )


def _add_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    before = read_arrays(path) if path.exists() else {}
    with replace_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, **{**before, **arrays})


def write_failed(folder: StudyFolder, record: RunRecord) -> None:
    """A run that never came to an end still has its place, and its checkpoints."""
    record.save(folder.run_path(record.model.label, record.seed) / "run.json")


def write_retries(run: Path, causes: list[str]) -> None:
    """Add to a run's record why attempts before the last came to nothing."""
    record = RunRecord.load(run / "run.json")
    record.model_copy(update={"retried": [*record.retried, *causes]}).save(run / "run.json")


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


def write_films(folder: StudyFolder, films: Films) -> None:
    """`films.npz`: probabilities after each step, as float16; no file where there is nothing to show."""
    if not films.probabilities or not len(films.indices_F):
        folder.films_path.unlink(missing_ok=True)
        return
    arrays = {"indices": films.indices_F}
    for label, answers_FTK in films.probabilities.items():
        arrays[f"probabilities_{label}"] = answers_FTK.astype(np.float16)
        arrays[f"steps_{label}"] = films.kept[label].astype(np.uint32)
        arrays[f"seen_{label}"] = films.seen[label].astype(np.uint32)
    with replace_file(folder.films_path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
