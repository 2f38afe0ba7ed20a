"""The readers of a study against their records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linewise.analysis import Summary, summarise
from linewise.analysis.depth.measures import reading_depth
from linewise.foundations.folder import StudyFolder
from studies import make_study


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    path = make_study(tmp_path_factory.mktemp("study"), readers=("lstm", "gru"))
    return summarise(StudyFolder.open(path))


def test_each_reader_is_measured_over_its_seeds(summary: Summary) -> None:
    found = summary.depth
    assert found is not None
    assert [reader.label for reader in found.readers] == ["lstm", "gru"]
    for reader in found.readers:
        runs = [run for run in summary.evidence.folder.runs() if run.label == reader.label]
        steps = [s for run in runs if (s := run.steps("test"))]
        answers = [a for run in runs if (a := run.predictions("test"))]
        depth_SN = np.stack([reading_depth(s) for s in steps])
        right_SN = np.stack([a.correct_N for a in answers])
        np.testing.assert_array_equal(reader.depth_SN, depth_SN)
        assert reader.num_steps == 8
        assert reader.depth.estimate == pytest.approx(depth_SN.mean())
        assert (reader.depth.num_seeds, reader.depth.num_images) == (3, 400)
        assert reader.right is not None
        assert reader.wrong is not None
        assert reader.right.estimate == pytest.approx(depth_SN[right_SN].mean())
        assert reader.wrong.estimate == pytest.approx(depth_SN[~right_SN].mean())
        labels_N = answers[0].labels_N
        for k, interval in enumerate(reader.classes):
            assert interval is not None
            assert interval.estimate == pytest.approx(depth_SN[:, labels_N == k].mean())
        assert [point.step for point in reader.curve] == list(range(1, 9))
        for t, point in enumerate(reader.curve):
            right = np.mean([s.answers_NT[:, t] == labels_N for s in steps])
            assert point.accuracy.estimate == pytest.approx(right)
            assert point.settled == pytest.approx((depth_SN <= t + 1).mean())
        assert reader.curve[-1].accuracy.estimate == pytest.approx(right_SN.mean())
        assert reader.curve[-1].settled == 1


def test_the_pairs_are_those_of_the_reader_that_did_best_on_validation_images(summary: Summary) -> None:
    found = summary.depth
    assert found is not None
    validated = {n.label: n.validation.estimate for n in summary.networks if n.validation}
    assert found.main.label == max(("lstm", "gru"), key=lambda label: validated[label])
    counts: dict[tuple[int, int], int] = {}
    for answers, _ in found.main.runs:
        for true, said in zip(answers.labels_N.tolist(), answers.predicted_N.tolist(), strict=True):
            if true != said:
                pair = (min(true, said), max(true, said))
                counts[pair] = counts.get(pair, 0) + 1
    assert [pair.num_confused for pair in found.pairs] == sorted(counts.values(), reverse=True)[:6]
    for pair in found.pairs:
        assert pair.num_confused == counts[pair.first, pair.second] == pair.num_lost + pair.num_wrong_at_once


def test_without_answers_after_each_step_there_is_no_depth(tmp_path: Path) -> None:
    assert summarise(StudyFolder.open(make_study(tmp_path))).depth is None


def test_before_the_test_the_validation_images_are_read(tmp_path: Path) -> None:
    found = summarise(StudyFolder.open(make_study(tmp_path, readers=("gru",), tested=False))).depth
    assert found is not None
    assert found.split == "validation"
    assert found.main.depth.num_images == 300


def test_a_class_without_images_has_no_depth(tmp_path: Path) -> None:
    names = [str(k) for k in range(12)]
    path = make_study(tmp_path, readers=("gru",), class_names=names, num_test=6, errors={"gru": 0.0}, seeds=1)
    found = summarise(StudyFolder.open(path)).depth
    assert found is not None
    assert [interval is None for interval in found.main.classes] == [False] * 6 + [True] * 6
    assert found.main.wrong is None
    assert not found.main.depth.covers_seeds
