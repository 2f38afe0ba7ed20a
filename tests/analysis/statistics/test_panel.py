"""All pairs of networks, against the pairs one by one."""

from __future__ import annotations

import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import cochrans_q
from statsmodels.stats.multitest import multipletests

from linewise.analysis import summarise
from linewise.analysis.statistics.bootstrap import resample
from linewise.analysis.statistics.paired import paired
from linewise.analysis.statistics.panel import panel
from linewise.foundations.folder import StudyFolder
from studies import make_study


def networks(accuracies: dict[str, float], seeds: int = 3, images: int = 1500) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    image_N = rng.normal(0, 0.05, images)
    return {label: rng.random((seeds, images)) < level + image_N for label, level in accuracies.items()}


def test_every_pair_once_corrected_for_their_number() -> None:
    correct = networks({"lstm": 0.88, "gru": 0.9, "cnn": 0.94, "linear": 0.8})
    found = panel(correct)
    assert [(p.first, p.second) for p in found.pairs] == list(combinations(correct, 2))
    alone = [paired(correct[p.first], correct[p.second], labels=(p.first, p.second)) for p in found.pairs]
    assert [p.p for p in found.pairs] == [p.p for p in alone]
    assert [p.difference for p in found.pairs] == [p.difference for p in alone]
    assert [p.mcnemar for p in found.pairs] == [p.mcnemar for p in alone]
    corrected = multipletests([p.p for p in alone], method="holm")[1]
    assert [p.p_holm for p in found.pairs] == pytest.approx(corrected.tolist())
    assert {p.num_pairs for p in found.pairs} == {6}
    for wide, narrow in zip(found.pairs, alone, strict=True):
        assert wide.smallest_visible is not None
        assert narrow.smallest_visible is not None
        assert wide.smallest_visible > narrow.smallest_visible
    assert found.pair("linear", "cnn") is found.pair("cnn", "linear")
    assert found.pair("linear", "cnn").text.startswith("cnn is better than linear by ")
    assert " after correction for 6 pairs, 3 seeds, 1,500 images" in found.pair("linear", "cnn").text
    with pytest.raises(KeyError) as refused:
        found.pair("linear", "vit")
    assert refused.value.args == (("linear", "vit"),)


def test_the_bootstrap_of_a_pair_is_that_of_its_two_networks() -> None:
    correct = networks({"lstm": 0.88, "gru": 0.9, "cnn": 0.94})
    means_RK = resample(list(correct.values()), np.random.default_rng(4), 50)
    found = panel(correct, np.random.default_rng(4), 50)
    for (i, first), (j, second) in combinations(enumerate(correct), 2):
        low, high = np.quantile(means_RK[:, i] - means_RK[:, j], [0.025, 0.975])
        pair = found.pair(first, second).bootstrap
        assert (pair.low, pair.high) == pytest.approx((low, high))
    assert panel(correct).pairs == panel(correct, np.random.default_rng(0)).pairs


def test_cochrans_q_for_every_run_that_all_have() -> None:
    correct = networks({"lstm": 0.88, "gru": 0.9, "cnn": 0.94})
    correct["gru"] = correct["gru"][:2]
    found = panel(correct).cochran
    assert [c.run for c in found] == [0, 1]
    for c in found:
        theirs = cochrans_q(np.stack([correct_SN[c.run] for correct_SN in correct.values()]).T.astype(int))
        assert (c.q, c.p) == pytest.approx((theirs.statistic, theirs.pvalue))


def test_a_network_with_one_seed_takes_no_part_in_the_correction() -> None:
    correct = networks({"lstm": 0.88, "gru": 0.9, "cnn": 0.94})
    correct["cnn"] = correct["cnn"][:1]
    found = panel(correct)
    assert found.pair("lstm", "gru").p_holm == found.pair("lstm", "gru").p
    assert found.pair("lstm", "gru").num_pairs == 1
    assert found.pair("lstm", "cnn").verdict == "too few seeds"


def test_two_networks_are_one_pair() -> None:
    correct = networks({"lstm": 0.88, "cnn": 0.94})
    found = panel(correct)
    assert found.pairs == [paired(correct["lstm"], correct["cnn"], labels=("lstm", "cnn"))]
    assert len(found.cochran) == 3


def test_one_network_has_nobody_to_be_compared_with() -> None:
    found = panel(networks({"lstm": 0.9}))
    assert (found.labels, found.pairs, found.cochran) == (["lstm"], [], [])
    assert panel({}).pairs == []


def test_a_study_is_compared_on_its_test_images_or_before_on_validation(tmp_path: Path) -> None:
    for tested, images in ((True, 400), (False, 300)):
        path = make_study(tmp_path / str(tested), errors={"lstm": 0.2, "cnn": 0.02, "gru": 0.2}, tested=tested)
        summary = summarise(StudyFolder.open(path))
        assert summary.panel is summary.panel
        assert summary.panel.labels == [network.label for network in summary.networks]
        found = summary.panel.pair("lstm", "cnn")
        assert (found.difference.num_images, found.difference.num_seeds) == (images, 3)
        assert found.text.startswith("cnn is better than lstm by ")
        assert summary.panel.pair("lstm", "gru").verdict == "no difference shown"


def test_a_large_study_takes_little_time() -> None:
    """Nine networks, six seeds, 10,000 images: 0.3 s where it was measured; the limit leaves room for a busy machine."""
    correct = networks({f"network-{i}": 0.9 for i in range(9)}, 6, 10_000)
    started = time.process_time()
    assert len(panel(correct).pairs) == 36
    assert time.process_time() - started < 2
