"""Arrays of a study's records, read with suspicion: no pickles, the right kinds, shapes that fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linewise.foundations.errors import DataError
from linewise.foundations.npz import NpzError, open_npz


@dataclass(frozen=True)
class Predictions:
    """A run's answers on one split.

    Attributes:
        probabilities_NK: float32, rows sum to 1.
        predicted_N: int64, the class with the largest probability (computed in float32 before storage).
        labels_N: int64, the true classes.
    """

    probabilities_NK: np.ndarray
    predicted_N: np.ndarray
    labels_N: np.ndarray

    @property
    def correct_N(self) -> np.ndarray:
        """bool, whether each answer is right."""
        return self.predicted_N == self.labels_N


@dataclass(frozen=True)
class Gallery:
    """Images for pictures in reports.

    Attributes:
        indices_G: int64, positions in the test set.
        images_GHWC: uint8, at most 64 pixels a side.
    """

    indices_G: np.ndarray
    images_GHWC: np.ndarray


@dataclass(frozen=True)
class Steps:
    """A run's answers on one split after each step of the reading; steps count from 1, as "rows read".

    Attributes:
        answers_NT: int64, the class answered after each kept step; the last column is the run's answer.
        sure_NT: float32, the probability of that class, in steps of 1/255.
        kept_T: int64, which steps the columns are, ascending; all of them, or 256 of a longer reading.
        num_steps: steps of the whole reading, the last of `kept_T`.
        first_ink_N: int64, the first step that is not blank.
        last_ink_N: int64, the last one.
    """

    answers_NT: np.ndarray
    sure_NT: np.ndarray
    kept_T: np.ndarray
    first_ink_N: np.ndarray
    last_ink_N: np.ndarray

    @property
    def num_steps(self) -> int:
        return int(self.kept_T[-1])


@dataclass(frozen=True)
class Films:
    """Probabilities after each step for images of the most confused pairs; the first seed of each reader.

    Attributes:
        indices_F: int64, positions in the test set, all of them in the gallery.
        probabilities: `FTK` float32 by the network's label.
        kept: which steps these are (`T`, from 1) by the network's label.
        seen: at which step each pixel is first read (`HW`, from 1) by the network's label; none in studies of old.
    """

    indices_F: np.ndarray
    probabilities: dict[str, np.ndarray]
    kept: dict[str, np.ndarray]
    seen: dict[str, np.ndarray]


def read_predictions(path: Path, split: str) -> Predictions | None:
    """Answers on `validation` or `test` from a `predictions.npz`; None where the split is not in it.

    Raises:
        DataError: the file is damaged, or its arrays do not fit each other.
    """
    arrays = read_arrays(path)
    if f"{split}_predicted" not in arrays:
        return None
    try:
        probabilities_NK = arrays[f"{split}_probabilities"]
        predicted_N, labels_N = arrays[f"{split}_predicted"], arrays[f"{split}_labels"]
    except KeyError as error:
        raise _damaged(path, f"no array {error.args[0]}") from None
    fits = (
        probabilities_NK.dtype.kind == "f"
        and predicted_N.dtype.kind in "iu"
        and labels_N.dtype.kind in "iu"
        and probabilities_NK.ndim == 2
        and predicted_N.shape == labels_N.shape == probabilities_NK.shape[:1]
        and probabilities_NK.size > 0
        and min(predicted_N.min(), labels_N.min()) >= 0
        and max(predicted_N.max(), labels_N.max()) < probabilities_NK.shape[1]
        and bool(((probabilities_NK >= 0) & (probabilities_NK <= 1)).all())
    )
    if not fits:
        raise _damaged(path, f"the arrays of the {split} split do not fit each other")
    return Predictions(
        probabilities_NK.astype(np.float32), predicted_N.astype(np.int64), labels_N.astype(np.int64)
    )


def read_learning(path: Path) -> np.ndarray | None:
    """Which validation images were recognised after each epoch, bool `EN`, from a `predictions.npz`; None where
    it is not told.

    Raises:
        DataError: the file is damaged, or its arrays do not fit each other.
    """
    arrays = read_arrays(path)
    if "validation_epochs" not in arrays:
        return None
    bits_EM, count = arrays["validation_epochs"], arrays.get("validation_count")
    fits = (
        count is not None
        and count.shape == ()
        and count.dtype.kind in "iu"
        and bits_EM.dtype == np.uint8
        and bits_EM.ndim == 2
        and int(count) > 0
        and bits_EM.shape[1] == -(-int(count) // 8)
    )
    if not fits:
        raise _damaged(path, "the arrays of the epochs do not fit each other")
    assert count is not None
    return np.unpackbits(bits_EM, axis=1, count=int(count)).astype(bool)


def read_gallery(path: Path) -> Gallery:
    """Images from a `gallery.npz`.

    Raises:
        DataError: the file is damaged, or its arrays do not fit each other.
    """
    arrays = read_arrays(path)
    indices_G, images_GHWC = arrays.get("indices"), arrays.get("images")
    fits = (
        indices_G is not None
        and images_GHWC is not None
        and images_GHWC.dtype == np.uint8
        and images_GHWC.ndim == 4
        and images_GHWC.shape[3] in (1, 3)
        and min(images_GHWC.shape[1:]) > 0
        and indices_G.shape == images_GHWC.shape[:1]
        and indices_G.dtype.kind in "iu"
    )
    if not fits:
        raise _damaged(path, "the arrays do not fit each other")
    assert indices_G is not None
    assert images_GHWC is not None
    return Gallery(indices_G.astype(np.int64), images_GHWC)


def read_steps(path: Path, split: str) -> Steps | None:
    """Answers after each step from a `steps.npz`; None where the split is not in it.

    Raises:
        DataError: the file is damaged, or its arrays do not fit each other.
    """
    arrays = read_arrays(path)
    if f"{split}_answers" not in arrays:
        return None
    try:
        answers_NT, sure_NT = arrays[f"{split}_answers"], arrays[f"{split}_sure"]
        kept_T = arrays["steps"]
        first_N, last_N = arrays[f"{split}_first_ink"], arrays[f"{split}_last_ink"]
    except KeyError as error:
        raise _damaged(path, f"no array {error.args[0]}") from None
    fits = (
        all(a.dtype.kind == "u" for a in (answers_NT, sure_NT, first_N, last_N))
        and _ascending(kept_T)
        and sure_NT.dtype == np.uint8
        and answers_NT.ndim == 2
        and answers_NT.size > 0
        and answers_NT.shape == sure_NT.shape == (len(answers_NT), len(kept_T))
        and first_N.shape == last_N.shape == (len(answers_NT),)
        and first_N.min() >= 1
        and bool((first_N <= last_N).all())
        and last_N.max() <= kept_T[-1]
    )
    if not fits:
        raise _damaged(path, f"the arrays of the {split} split do not fit each other")
    counts = (a.astype(np.int64) for a in (kept_T, first_N, last_N))
    return Steps(answers_NT.astype(np.int64), sure_NT.astype(np.float32) / 255, *counts)


def read_films(path: Path) -> Films:
    """Probabilities after each step from a `films.npz`.

    Raises:
        DataError: the file is damaged, or its arrays do not fit each other.
    """
    arrays = read_arrays(path)
    indices_F = arrays.pop("indices", np.zeros(0))
    parts: dict[str, dict[str, np.ndarray]] = {"probabilities": {}, "steps": {}, "seen": {}}
    for key, array in arrays.items():
        kind, _, label = key.partition("_")
        parts.setdefault(kind, {})[label] = array
    probabilities, kept, seen = (parts.pop(kind) for kind in ("probabilities", "steps", "seen"))
    fits = (
        indices_F.dtype.kind in "iu"
        and indices_F.ndim == 1
        and probabilities.keys() == kept.keys() >= seen.keys()
        and not parts
        and all(_is_film(probabilities[k], kept[k], seen.get(k), len(indices_F)) for k in probabilities)
    )
    if not fits:
        raise _damaged(path, "the arrays do not fit each other")
    return Films(
        indices_F.astype(np.int64),
        {label: a.astype(np.float32) for label, a in probabilities.items()},
        {label: a.astype(np.int64) for label, a in kept.items()},
        {label: a.astype(np.int64) for label, a in seen.items()},
    )


def _is_film(answers_FTK: np.ndarray, kept_T: np.ndarray, seen_HW: np.ndarray | None, images: int) -> bool:
    """Whether these can be one network's part of the films."""
    return (
        _ascending(kept_T)
        and answers_FTK.dtype.kind == "f"
        and answers_FTK.ndim == 3
        and answers_FTK.shape[:2] == (images, len(kept_T))
        and bool(((answers_FTK >= 0) & (answers_FTK <= 1)).all())
        and (seen_HW is None or (seen_HW.dtype.kind == "u" and seen_HW.ndim == 2))
    )


def _ascending(kept_T: np.ndarray) -> bool:
    """Whether these can be the numbers of steps, from 1."""
    return (
        kept_T.dtype.kind == "u"
        and kept_T.ndim == 1
        and kept_T.size > 0
        and kept_T[0] >= 1
        and bool((np.diff(kept_T.astype(np.int64)) > 0).all())
    )


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a record, by name.

    Raises:
        DataError: the file is damaged.
    """
    try:
        with open_npz(path) as archive:
            return {name: archive.read(name) for name in archive.names}
    except (OSError, NpzError) as error:
        raise _damaged(path, str(error)) from None


OF_STUDY = ("gallery.npz", "films.npz")
"""Files that are not of one run, and that a report can do without."""


def _damaged(path: Path, why: str) -> DataError:
    mend = "remove this run's folder; the same `linewise compare --out` trains it again"
    if path.name in OF_STUDY:
        mend = "remove the file; the report does without its pictures"
    return DataError(
        f"cannot be used ({why})",
        where=str(path),
        expected="the arrays that `linewise compare` wrote",
        mend=mend,
    )
