"""Records of reading: written, read back, and refused when damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewise.foundations.arrays import Films, Steps, read_films, read_steps
from linewise.foundations.errors import DataError
from linewise.foundations.folder import StudyFolder
from linewise.study.storage import write_films, write_steps


def steps(num_images: int = 30, num_steps: int = 7, num_classes: int = 4, seed: int = 0) -> Steps:
    rng = np.random.default_rng(seed)
    first_N = rng.integers(1, num_steps + 1, num_images)
    return Steps(
        answers_NT=rng.integers(0, num_classes, (num_images, num_steps)),
        sure_NT=rng.random((num_images, num_steps), dtype=np.float32),
        kept_T=np.arange(1, num_steps + 1),
        first_ink_N=first_N,
        last_ink_N=np.minimum(num_steps, first_N + 2),
    )


@pytest.mark.parametrize(("num_classes", "kind"), [(2, "uint8"), (256, "uint8"), (257, "uint16")])
def test_steps_come_back_as_they_were(tmp_path: Path, num_classes: int, kind: str) -> None:
    written = {"validation": steps(30, 7, num_classes, 1), "test": steps(50, 7, num_classes, 2)}
    for split, one in written.items():
        write_steps(tmp_path, split, one, num_classes)
    for split, one in written.items():
        again = read_steps(tmp_path / "steps.npz", split)
        assert again is not None
        for field in ("answers_NT", "kept_T", "first_ink_N", "last_ink_N"):
            np.testing.assert_array_equal(getattr(again, field), getattr(one, field))
        np.testing.assert_allclose(again.sure_NT, one.sure_NT, atol=0.5 / 255 + 1e-6)
        assert again.num_steps == 7
    assert read_steps(tmp_path / "steps.npz", "train") is None
    with np.load(tmp_path / "steps.npz") as arrays:
        assert arrays["test_answers"].dtype == kind
        assert arrays["test_sure"].dtype == "uint8"


def test_ten_thousand_images_of_28_rows_stay_small(tmp_path: Path) -> None:
    """As uncertain as a network after one epoch on 3,000 images: mean certainty rises from row to row."""
    rng = np.random.default_rng(0)
    turns_NT = np.sort(rng.integers(0, 4, (10_000, 28)), axis=1) * 3 % 10
    sure_NT = np.clip(np.linspace(0.2, 0.9, 28) + 0.1 * rng.normal(size=(10_000, 28)), 0.1, 1).astype(np.float32)
    ink_N = rng.integers(3, 8, 10_000)
    write_steps(tmp_path, "test", Steps(turns_NT, sure_NT, np.arange(1, 29), ink_N, ink_N + 18), 10)
    assert (tmp_path / "steps.npz").stat().st_size < 400_000


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("test_answers", lambda a: a[:-1]),
        ("test_answers", lambda a: a.astype(np.float32)),
        ("test_answers", lambda a: a[:, 0]),
        ("test_answers", lambda a: np.array(["x"])),
        ("test_sure", lambda a: a[:, :-1]),
        ("test_first_ink", lambda a: a * 0),
        ("test_first_ink", lambda a: a + 100),
        ("test_last_ink", lambda a: a + 100),
        ("steps", lambda a: a[::-1].copy()),
        ("steps", lambda a: a * 0),
        ("steps", lambda a: a[None]),
        ("steps", None),
        ("test_sure", None),
    ],
)
def test_damaged_steps_are_refused(tmp_path: Path, name: str, damage: Any) -> None:
    write_steps(tmp_path, "test", steps(), 4)
    path = tmp_path / "steps.npz"
    with np.load(path) as arrays:
        kept = dict(arrays)
    if damage is None:
        del kept[name]
    else:
        kept[name] = damage(kept[name])
    np.savez_compressed(path, allow_pickle=False, **kept)
    with pytest.raises(DataError, match="cannot be used"):
        read_steps(path, "test")


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    write_steps(tmp_path, "test", steps(), 4)
    path = tmp_path / "steps.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="cannot be used"):
        read_steps(path, "test")


def films() -> Films:
    rng = np.random.default_rng(0)
    return Films(
        np.array([3, 8, 11]),
        {"lstm": rng.random((3, 5, 4), dtype=np.float32), "gru@rows3,layers=2": rng.random((3, 2, 4))},
        {"lstm": np.arange(1, 6), "gru@rows3,layers=2": np.array([1, 10])},
        {"lstm": np.arange(1, 13).reshape(4, 3), "gru@rows3,layers=2": np.ones((4, 3), dtype=np.int64)},
    )


def test_films_come_back_as_they_were(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    assert folder.films() is None
    write_films(folder, films())
    again = folder.films()
    assert again is not None
    assert again.indices_F.tolist() == [3, 8, 11]
    for label, answers_FTK in films().probabilities.items():
        np.testing.assert_allclose(again.probabilities[label], answers_FTK, atol=1e-3)
        np.testing.assert_array_equal(again.kept[label], films().kept[label])
        np.testing.assert_array_equal(again.seen[label], films().seen[label])
    write_films(folder, Films(np.zeros(0, dtype=np.int64), {}, {}, {}))  # nothing to show any more
    assert folder.films() is None


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("indices", lambda a: a[:-1]),
        ("indices", lambda a: a.astype(float)),
        ("indices", None),
        ("probabilities_lstm", lambda a: a[:, 1:]),
        ("probabilities_lstm", lambda a: a.astype(np.int8)),
        ("probabilities_lstm", None),
        ("steps_lstm", lambda a: a[::-1].copy()),
        ("steps_lstm", None),
        ("seen_lstm", lambda a: a[0]),
        ("seen_rnn", lambda a: np.ones((2, 2), dtype=np.uint32)),
    ],
)
def test_damaged_films_are_refused(tmp_path: Path, name: str, damage: Any) -> None:
    write_films(StudyFolder(tmp_path), films())
    path = tmp_path / "films.npz"
    with np.load(path) as arrays:
        kept = dict(arrays)
    if damage is None:
        del kept[name]
    else:
        kept[name] = damage(kept.get(name))
    np.savez_compressed(path, allow_pickle=False, **kept)
    with pytest.raises(DataError, match="cannot be used"):
        read_films(path)
