"""What is said of a study's mistakes, from records written with planted answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linewise.analysis import Summary, summarise
from linewise.analysis.overlap.agreement import kappa
from linewise.foundations.folder import StudyFolder
from linewise.study.storage import write_predictions
from studies import make_study
from worlds import Network, answers

NETWORKS = {"lstm": 0.1, "gru": 0.1, "cnn": 0.05, "linear": 0.2}


def planted(path: Path, networks: dict[str, Network], seeds: int, images: int = 1000) -> Summary:
    """A study whose runs answer as these networks do; validation answers stay as `make_study` writes them."""
    make_study(path, errors={name: NETWORKS[name] for name in networks}, seeds=seeds, num_test=images)
    rng = np.random.default_rng(0)
    common_N = rng.normal(size=images)
    labels_N = np.arange(images) % 10
    for name, network in networks.items():
        for seed, run in enumerate(answers(network.margins(rng, seeds, common_N), classes=10)):
            turned_NK = np.stack([np.roll(row, k) for row, k in zip(run.probabilities_NK, labels_N, strict=True)])
            write_predictions(path / "runs" / f"{name}-{seed}", "test", turned_NK, labels_N)
    return summarise(StudyFolder.open(path))


def test_different(tmp_path: Path) -> None:
    found = planted(tmp_path, {"lstm": Network(own=0.8), "cnn": Network(level=2.4, own=0.8)}, 4).overlap
    assert found is not None
    assert found.networks is not None
    assert found.gap is not None
    assert found.verdict == "different"
    assert found.networks.p == found.networks.least_p == pytest.approx(2 / 70)
    assert found.sentence == (
        "lstm and cnn err on different images, beyond what another seed changes: between seeds of each κ is "
        f"{found.networks.within[0]:.2f} and {found.networks.within[1]:.2f}, between the two "
        f"{found.networks.between:.2f}, lower by {found.gap.estimate:.2f} on average (95 % interval "
        f"{found.gap.low:.2f} to {found.gap.high:.2f}; the {found.num_hard} hardest of 1,000 test images for each "
        "run; 4 and 4 seeds); permutation test, one-sided, p = 0.029, where 0.029 is the least possible."
    )
    assert found.of_families == "Where a family has one network, nothing can be said of families as such."
    assert found.floor == pytest.approx(min(found.networks.within))


def test_no_difference_shown(tmp_path: Path) -> None:
    found = planted(tmp_path, {"lstm": Network(), "cnn": Network(level=2.6)}, 4).overlap
    assert found is not None
    assert found.verdict == "no difference shown"
    assert found.sentence.startswith(
        "That lstm and cnn err on different images, beyond what another seed changes, was"
    )


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_too_few_seeds_print_no_p(tmp_path: Path, seeds: int) -> None:
    found = planted(
        tmp_path, {"lstm": Network(own=2.0, noise=0.1), "cnn": Network(own=2.0, noise=0.1)}, seeds
    ).overlap
    assert found is not None
    assert found.verdict == "too few seeds"
    assert "p =" not in found.sentence
    assert (found.gap is None) == (seeds == 1)


def test_no_mistakes(tmp_path: Path) -> None:
    found = planted(tmp_path, {"lstm": Network(level=60), "cnn": Network(level=60)}, 2).overlap
    assert found is not None
    assert (found.verdict, found.num_hard) == ("no mistakes", 0)


def test_one_family_has_no_overlap(tmp_path: Path) -> None:
    found = planted(tmp_path, {"lstm": Network(), "linear": Network()}, 2)
    assert (found.overlap, found.ensembles, found.class_pairs) == (None, None, None)


def test_kinds_of_pairs_are_means_over_the_right_runs(tmp_path: Path) -> None:
    networks = {"lstm": Network(), "gru": Network(own=0.5), "cnn": Network(own=1.0), "linear": Network(own=2.0)}
    summary = planted(tmp_path, networks, 3)
    found = summary.overlap
    assert found is not None
    runs = [
        (network.label, network.family, answers.correct_N)
        for network in summary.evidence.networks for answers in network.answers("test")
    ]  # fmt: skip
    raw_RR = kappa(np.stack([correct_N for *_, correct_N in runs]))
    expected: dict[tuple[str, str], list[float]] = {}
    for i, (first, a, _) in enumerate(runs):
        for j, (second, b, _) in enumerate(runs[:i]):
            if "control" in (a, b):
                continue
            relation = (
                "same network" if first == second else "same family" if a == b else "recurrent × convolutional"
            )
            expected.setdefault((relation, a if a == b else ""), []).append(raw_RR[i, j])
    assert {(k.relation, k.family): k.num_pairs for k in found.kinds} == {k: len(v) for k, v in expected.items()}
    for kind in found.kinds:
        assert kind.kappa == pytest.approx(np.mean(expected[kind.relation, kind.family]))
        assert kind.equal_low <= kind.equal <= kind.equal_high
    assert found.labels == list(networks)
    assert found.families is None  # one convolutional network
    assert found.equal_GG.shape == (4, 4)


@pytest.mark.parametrize("wrong", [False, True])
def test_all_right_and_all_wrong(tmp_path: Path, wrong: bool) -> None:
    make_study(tmp_path, errors={"lstm": 0.0, "cnn": 0.0}, seeds=4, num_test=20, class_names=["a", "b"])
    labels_N = np.arange(20) % 2
    for run in sorted((tmp_path / "runs").iterdir()):
        write_predictions(run, "test", np.eye(2, dtype=np.float32)[labels_N ^ wrong], labels_N)
    found = summarise(StudyFolder.open(tmp_path)).overlap
    assert found is not None
    assert found.verdict == ("no difference shown" if wrong else "no mistakes")
    assert found.gap is not None
    assert np.isfinite([found.gap.estimate, found.gap.low, found.gap.high]).all()
