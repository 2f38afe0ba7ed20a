"""Read-along in a study, and what is recorded of the reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewise.foundations.errors import ConfigError
from linewise.foundations.folder import StudyFolder
from linewise.images import ImageSet, SplitOptions, load
from linewise.images.batches import Batches
from linewise.models.saved import load_model
from linewise.study.along import MOST_FILMED
from linewise.study.comparison import Events, run_study
from linewise.study.config import make_config
from linewise.study.executors import InProcess
from linewise.training.along import probabilities_along

DIALS: dict[str, Any] = {
    "models": ["lstm", "gru@rows+columns", "bilstm", "linear"], "seeds": 2, "epochs": 1, "budget": 3000, "read_along": 0.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("digits", splits=SplitOptions(images=300))


@pytest.fixture(scope="module")
def warnings() -> list[str]:
    return []


@pytest.fixture(scope="module")
def finished(digits: ImageSet, warnings: list[str], tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    path = tmp_path_factory.mktemp("studies") / "digits"
    return run_study(digits, make_config(**DIALS), path, InProcess(), events=Events(warned=warnings.append))


def test_networks_on_which_it_does_not_act_are_named_once(finished: StudyFolder, warnings: list[str]) -> None:
    assert warnings == ["--read-along does not act on bilstm, linear: no answer before the end"]
    assert finished.spec().recipe.read_along == 0.5
    assert {run.record.recipe.read_along for run in finished.runs()} == {0.5}


def test_steps_are_recorded_for_both_splits_of_the_readers_alone(finished: StudyFolder, digits: ImageSet) -> None:
    test = digits.test.open("a test of the records", lambda reason: None)
    for run in finished.runs():
        for split, part in (("validation", digits.validation), ("test", test)):
            steps = run.steps(split)
            if run.label in ("bilstm", "linear"):
                assert steps is None
                continue
            predictions = run.predictions(split)
            assert steps is not None
            assert predictions is not None
            assert steps.kept_T.tolist() == list(range(1, 9))
            np.testing.assert_array_equal(steps.answers_NT[:, -1], predictions.predicted_N)
            pre = finished.spec().data.preprocessing
            images = Batches(part.images_NHWC, part.labels_N, pre["mean"], pre["std"])
            answers_NTK, _ = probabilities_along(load_model(run.path).network, images)
            np.testing.assert_array_equal(steps.answers_NT, answers_NTK.argmax(axis=2))
            np.testing.assert_allclose(steps.sure_NT, answers_NTK.max(axis=2), atol=0.5 / 255 + 1e-5)
        assert not list(run.path.glob(".*"))


def test_films_show_the_most_confused_pairs_by_the_first_seed(finished: StudyFolder, digits: ImageSet) -> None:
    films, gallery = finished.films(), finished.gallery()
    assert films is not None
    assert gallery is not None
    assert set(films.probabilities) == {"lstm", "gru@rows+columns"}
    assert set(films.indices_F.tolist()) <= set(gallery.indices_G.tolist())
    assert 0 < len(films.indices_F) <= MOST_FILMED
    pairs: Counter[frozenset[int]] = Counter()
    of_image: dict[int, set[frozenset[int]]] = {}
    for run in finished.runs():
        answers = run.predictions("test")
        if run.label in films.probabilities and answers is not None:
            for i in np.flatnonzero(~answers.correct_N).tolist():
                pair = frozenset({int(answers.labels_N[i]), int(answers.predicted_N[i])})
                pairs[pair] += 1
                of_image.setdefault(i, set()).add(pair)
    fewest = sorted(pairs.values(), reverse=True)[7]
    assert all(any(pairs[pair] >= fewest for pair in of_image[i]) for i in films.indices_F.tolist())
    images_NHWC = digits.test.open("a test of films", lambda reason: None).images_NHWC[films.indices_F]
    pre = finished.spec().data.preprocessing
    rows_HW = np.repeat(np.arange(1, 9)[:, None], 8, axis=1)
    np.testing.assert_array_equal(films.seen["lstm"], rows_HW)
    np.testing.assert_array_equal(films.seen["gru@rows+columns"], np.minimum(rows_HW, rows_HW.T))
    for label, answers_FTK in films.probabilities.items():
        network = load_model(finished.run_path(label, 0)).network
        images = Batches(images_NHWC, np.zeros(len(images_NHWC)), pre["mean"], pre["std"])
        np.testing.assert_allclose(answers_FTK, probabilities_along(network, images)[0], atol=1e-3)


def test_where_it_acts_on_no_network_it_is_an_error(digits: ImageSet, tmp_path: Path) -> None:
    config = make_config(models=["cnn", "bigru"], read_along=0.5, budget=3000)
    with pytest.raises(ConfigError) as refused:
        run_study(digits, config, tmp_path / "s", InProcess())
    assert refused.value.found == "--read-along has no effect on cnn, bigru: no answer before the end"
    assert not (tmp_path / "s").exists()


def test_a_study_without_it_is_another_study(finished: StudyFolder, digits: ImageSet) -> None:
    with pytest.raises(ConfigError, match=r"read_along 0\.5 → 0\.0"):
        run_study(digits, make_config(**{**DIALS, "read_along": 0.0}), finished.path, InProcess())


def test_on_the_command_line(linewise: Callable[..., Any], tmp_path: Path) -> None:
    few = ("--images", 200, "--epochs", 1, "--budget", "2k", "--read-along")
    said = linewise("train", "digits", "--model", "cnn", "--out", tmp_path / "cnn", *few)
    assert said.code == 2
    assert "--read-along has no effect on cnn" in said.err
    said = linewise("train", "digits", "--model", "gru", "--out", tmp_path / "gru", *few)
    assert said.code == 0, said.err
    assert '"read_along": 0.5' in (tmp_path / "gru" / "run.json").read_text()
    assert (tmp_path / "gru" / "steps.npz").exists()
