"""What a study could see between the best networks of its two families, against the parts it is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linewise.analysis.evidence import Evidence
from linewise.analysis.intervals import difference
from linewise.analysis.statistics.power import NOTHING_VARIES, ONE_SEED, needed, smallest_visible
from linewise.analysis.statistics.sight import Sight, sight
from linewise.foundations.folder import StudyFolder
from linewise.study.storage import write_predictions
from studies import make_study


def seen(path: Path) -> tuple[Sight | None, Evidence]:
    evidence = Evidence.gather(StudyFolder.open(path))
    return sight(evidence), evidence


@pytest.mark.parametrize("tested", [True, False])
def test_it_is_of_the_best_of_each_family(tmp_path: Path, tested: bool) -> None:
    errors = {"gru": 0.3, "lstm": 0.1, "cnn": 0.05, "linear": 0.01}
    found, evidence = seen(make_study(tmp_path, errors=errors, tested=tested))
    assert found is not None
    assert (found.recurrent, found.convolutional, found.num_seeds) == ("lstm", "cnn", (3, 3))
    by_label = {
        network.label: network.correct_SN("test" if tested else "validation") for network in evidence.networks
    }
    lstm_SN, cnn_SN = by_label["lstm"], by_label["cnn"]
    assert lstm_SN is not None
    assert cnn_SN is not None
    assert found.observed == difference(cnn_SN, lstm_SN)
    assert found.observed.estimate > 0
    assert (found.power, found.smallest, found.reason) == (0.8, smallest_visible(lstm_SN, cnn_SN), "")
    asked = [found.observed.estimate, 0.01, 0.005, 0.002, 0.001]
    assert found.asked == [(size, needed(lstm_SN, cnn_SN, size)) for size in asked]


def test_a_difference_is_asked_about_without_its_sign(tmp_path: Path) -> None:
    found, _ = seen(make_study(tmp_path, errors={"lstm": 0.05, "cnn": 0.1}))
    assert found is not None
    assert found.observed.estimate < 0
    assert found.asked[0][0] == -found.observed.estimate


def test_one_seed_says_nothing_of_seeds(tmp_path: Path) -> None:
    found, _ = seen(make_study(tmp_path, errors={"lstm": 0.1, "cnn": 0.05}, seeds=1))
    assert found is not None
    assert (found.smallest, found.reason, found.asked, found.num_seeds) == (None, ONE_SEED, [], (1, 1))


def test_one_family_alone_has_nobody_to_be_compared_with(tmp_path: Path) -> None:
    assert seen(make_study(tmp_path / "a", errors={"lstm": 0.1, "gru": 0.1}))[0] is None
    assert seen(make_study(tmp_path / "b", errors={"cnn": 0.1, "linear": 0.1}))[0] is None


def test_nothing_varies(tmp_path: Path) -> None:
    """No difference was observed, so only the fixed ones are asked about."""
    found, _ = seen(make_study(tmp_path, errors={"lstm": 0.0, "cnn": 0.0}))
    assert found is not None
    assert (found.smallest, found.reason) == (None, NOTHING_VARIES)
    assert [size for size, _ in found.asked] == [0.01, 0.005, 0.002, 0.001]


def test_seeds_that_vary_wildly(tmp_path: Path) -> None:
    """Two seeds each, of which one is right and one is wrong everywhere."""
    path = make_study(tmp_path, errors={"lstm": 0.1, "cnn": 0.1}, seeds=2)
    labels_N = np.arange(400) % 10
    for run in StudyFolder.open(path).runs():
        answers_NK = np.eye(10, dtype=np.float32)[(labels_N + run.seed) % 10]
        write_predictions(run.path, "test", answers_NK, labels_N)
    found, _ = seen(path)
    assert found is not None
    assert (found.smallest, found.reason) == (None, "seeds vary so much that no difference could be found")
    assert [needs.seeds is not None for _, needs in found.asked] == [False] * 4  # two seeds are asked about, too
