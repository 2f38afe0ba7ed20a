"""Easy and hard images of a study, counted from its records; and that hard is not what one happened to miss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from linewise.analysis import Summary, summarise
from linewise.analysis.intervals import wilson
from linewise.foundations.arrays import Steps
from linewise.foundations.folder import StudyFolder
from linewise.study.storage import write_learning, write_predictions, write_steps
from studies import make_study

LABELS_N = np.arange(400) % 10


def opened(path: Path) -> Summary:
    return summarise(StudyFolder.open(path))


def write(path: Path, right_N: np.ndarray, labels_N: np.ndarray = LABELS_N, sure: float = 0.8) -> None:
    answers_N = np.where(right_N, labels_N, (labels_N + 1) % 10)
    probabilities_NK = np.full((len(labels_N), 10), (1 - sure) / 9, dtype=np.float32)
    probabilities_NK[np.arange(len(labels_N)), answers_N] = sure
    write_predictions(path, "test", probabilities_NK, labels_N)


def test_shares_and_rankings_by_hand(tmp_path: Path) -> None:
    summary = opened(make_study(tmp_path, errors={"lstm": 0.1, "cnn": 0.05, "linear": 0.2}))
    found = summary.difficulty
    assert found is not None
    by = {n.label: n.correct_SN("test") for n in summary.evidence.networks}
    correct_RN = np.concatenate([by["lstm"], by["cnn"]])  # the control has no vote
    assert found.shares.by_all.estimate == correct_RN.all(axis=0).mean()
    assert (found.shares.by_all.low, found.shares.by_all.high) == wilson(int(correct_RN.all(axis=0).sum()), 400)
    assert found.shares.by_none.estimate == (~correct_RN.any(axis=0)).mean()
    assert found.shares.linear is not None
    assert found.shares.linear.estimate == pytest.approx(by["linear"].mean())
    assert (found.shares.num_runs, found.shares.num_networks) == (6, 2)
    wrong_N = 1 - (by["lstm"].mean(axis=0) + by["cnn"].mean(axis=0)) / 2
    np.testing.assert_allclose(found.wrong_N, wrong_N)
    for ranking in found.rankings:
        images = set(np.flatnonzero(ranking.label == LABELS_N))
        assert {*ranking.hardest, *ranking.easiest} == images
        assert ranking.num_images == len(images)
        assert ranking.num_hard == sum(wrong_N[i] > 0 for i in images) == len(ranking.hardest)
        assert (np.diff(wrong_N[ranking.hardest]) <= 1e-12).all()
        assert (wrong_N[ranking.easiest] == 0).all()


def test_a_study_of_controls_alone_lets_them_vote(tmp_path: Path) -> None:
    found = opened(make_study(tmp_path, errors={"linear": 0.1}, seeds=2)).difficulty
    assert found is not None
    assert (found.shares.num_runs, found.parts) == (2, None)


def test_accuracy_on_the_parts_by_hand(tmp_path: Path) -> None:
    summary = opened(make_study(tmp_path, errors={"lstm": 0.1, "gru": 0.2, "cnn": 0.05}, seeds=4))
    found = summary.difficulty
    assert found is not None
    assert found.parts is not None
    by = {n.label: n.correct_SN("test") for n in summary.evidence.networks}
    halves = [[0, 2], [1, 3]]
    hard = [~np.concatenate([by[n][half] for n in by]).all(axis=0) for half in halves]
    for part, name in zip(found.parts, ("easy", "hard"), strict=True):
        inside = [h if name == "hard" else ~h for h in hard]
        assert part.name == name
        assert part.num_images == tuple(i.sum() for i in inside)
        readers = np.mean([by[n][halves[1 - h]][:, inside[h]].mean() for h in (0, 1) for n in ("lstm", "gru")])
        convolver = np.mean([by["cnn"][halves[1 - h]][:, inside[h]].mean() for h in (0, 1)])
        assert part.accuracy["recurrent"].estimate == pytest.approx(readers)
        assert part.accuracy["convolutional"].estimate == pytest.approx(convolver)
        assert part.difference is not None
        assert part.difference.estimate == pytest.approx(convolver - readers)
        assert part.accuracy["recurrent"].covers_seeds


def test_the_interval_of_a_part_adds_images_and_seeds(tmp_path: Path) -> None:
    """Its variance by hand, from the width, for runs of which one is much worse than the others."""
    rng = np.random.default_rng(4)
    path = make_study(tmp_path, errors={"lstm": 0.1}, seeds=4)
    rights = [rng.random(400) > error for error in (0.1, 0.1, 0.3, 0.1)]
    for seed, right_N in enumerate(rights):
        write(path / "runs" / f"lstm-{seed}", right_N)
    found = opened(path).difficulty
    assert found is not None
    assert found.parts is not None
    right_SN = np.stack(rights)
    halves = [right_SN[[0, 2]], right_SN[[1, 3]]]
    inside = [~half.all(axis=0) for half in halves]  # hard, each measured by the other half
    measured = [(inside[0], halves[1]), (inside[1], halves[0])]
    mean = [half[:, judged].mean() for judged, half in measured]
    pull_N = sum(np.where(j, h.mean(0) - m, 0) / j.sum() / 2 for (j, h), m in zip(measured, mean, strict=True))
    images = (pull_N * 400).var(ddof=1) / 400
    pooled = np.mean([half[:, judged].mean(axis=1).var(ddof=1) for judged, half in measured])
    seeds = pooled * (1 / 2 + 1 / 2) / 4
    df = (images + seeds) ** 2 / (images**2 / (round(np.mean([i.sum() for i in inside])) - 1) + seeds**2 / 2)
    hard = found.parts[1].accuracy["recurrent"]
    assert hard.estimate == pytest.approx(np.mean(mean))
    half_width = stats.t.ppf(0.975, df) * np.sqrt(images + seeds)
    effective = stats.norm.ppf(0.975) ** 2 * hard.estimate * (1 - hard.estimate) / half_width**2
    assert (hard.low, hard.high) == pytest.approx(wilson(hard.estimate * effective, effective))


def test_hard_images_are_not_those_that_one_happened_to_miss(tmp_path: Path) -> None:
    """Where mistakes fall at random, no image is hard: both parts are answered equally well by the other half."""
    rng = np.random.default_rng(0)
    path = make_study(tmp_path, errors={"lstm": 0.1, "cnn": 0.1}, seeds=6)
    for label in ("lstm", "cnn"):
        for seed in range(6):
            write(path / "runs" / f"{label}-{seed}", rng.random(400) > 0.1)
    summary = opened(path)
    found = summary.difficulty
    assert found is not None
    assert found.parts is not None
    easy, hard = found.parts
    correct_SN = summary.evidence.networks[0].correct_SN("test")
    assert correct_SN is not None
    circular = correct_SN[:, found.wrong_N > 0].mean()
    assert circular < 0.87
    for family in ("recurrent", "convolutional"):
        assert hard.accuracy[family].estimate == pytest.approx(easy.accuracy[family].estimate, abs=0.03)
        assert hard.accuracy[family].low < 0.9 < hard.accuracy[family].high


def test_who_is_better_on_the_hard_images_is_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    path = make_study(tmp_path, errors={"lstm": 0.1, "cnn": 0.1}, seeds=4)
    for label, hard in (("lstm", 0.6), ("cnn", 0.3)):
        for seed in range(4):
            write(path / "runs" / f"{label}-{seed}", rng.random(400) > np.where(LABELS_N < 2, hard, 0.002))
    found = opened(path).difficulty
    assert found is not None
    assert found.parts is not None
    easy, hard = (part.difference for part in found.parts)
    assert easy is not None
    assert hard is not None
    assert hard.low > 0.1
    assert not easy.excludes_zero


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_seed_cannot_judge_and_two_speak_of_images(tmp_path: Path, seeds: int) -> None:
    found = opened(make_study(tmp_path, seeds=seeds)).difficulty
    assert found is not None
    assert (found.parts is None) == (seeds == 1)
    for part in found.parts or []:
        assert not part.accuracy["recurrent"].covers_seeds


def test_learning_and_reading_are_taken_from_the_records(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.1, "cnn": 0.05}, seeds=2)
    rng = np.random.default_rng(2)
    for label in ("lstm", "cnn"):
        for seed in range(2):
            write_learning(path / "runs" / f"{label}-{seed}", rng.random((4, 300)) < 0.8)
    ink_N = np.ones(400, dtype=np.int64)
    depths = []
    for seed in range(2):
        answers_NT = rng.integers(0, 3, (400, 8))
        steps = Steps(answers_NT, np.ones((400, 8), np.float32), np.arange(1, 9), ink_N, ink_N)
        write_steps(path / "runs" / f"lstm-{seed}", "test", steps, 10)
        depths.append([next(t for t in range(8) if (row[t:] == row[-1]).all()) + 1 for row in answers_NT])
    found = opened(path).difficulty
    assert found is not None
    assert list(found.measures) == ["wrong", "learned", "forgotten"]  # steps were written for test images only
    assert found.measures["learned"].shape == (300,)
    assert found.depth_N is not None
    np.testing.assert_allclose(found.depth_N, np.mean(depths, axis=0) / 8)
    assert (found.num_epochs, found.split) == (4, "test")


def test_a_study_without_answers_has_no_difficulty(tmp_path: Path) -> None:
    assert opened(make_study(tmp_path, missing="all")).difficulty is None
