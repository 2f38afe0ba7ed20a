"""Stopping rules: by hand, the exact test against scipy, and the promise by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from linewise.analysis.stopping import find_threshold, judge, stop, thresholds
from linewise.foundations.errors import DataError
from linewise.foundations.stopping import Answered, StopRule

SCALE_T = np.array([3.0, 1.6, 1.0, 0.6, 0.4])


def reader(rng: np.random.Generator, num_images: int, classes: int = 4) -> Answered:
    """Doubts that fall from step to step; an answer is wrong about as often as it is doubted, the last least."""
    labels_N = rng.integers(0, classes, num_images)
    hard_N = rng.exponential(size=num_images)
    doubt_NT = np.clip(
        0.5 * np.exp(-4 + hard_N[:, None] * SCALE_T + 0.5 * rng.normal(size=(num_images, 5))), 1e-9, 0.7
    )
    wrong_NT = rng.random((num_images, 5)) < 0.7 * doubt_NT
    answers_NT = np.where(wrong_NT, (labels_N[:, None] + 1) % classes, labels_N[:, None])
    return Answered(answers_NT, doubt_NT, labels_N, rng.integers(0, 3, num_images))


@given(st.integers(0, 10_000), st.one_of(st.none(), st.floats(0, 0.6)))
@settings(max_examples=50, deadline=None)
def test_it_stops_at_the_first_step_that_is_sure_enough(seed: int, doubt: float | None) -> None:
    answered = reader(np.random.default_rng(seed), 30)
    found = stop(answered, doubt)
    for i in range(30):
        sure = [t for t in range(5) if doubt is not None and answered.doubt_NT[i, t] <= doubt]
        column = sure[0] if sure else 4
        assert found.read_N[i] == column + 1
        assert found.right_N[i] == (answered.answers_NT[i, column] == answered.labels_N[i])


def test_the_loosest_threshold_before_the_first_that_is_not_refuted() -> None:
    answered = reader(np.random.default_rng(1), 4000)
    found = find_threshold(answered, 0.01, 0.95)
    lost = [int((answered.full_N & ~stop(answered, d).right_N).sum()) for d in thresholds().tolist()]
    passed = [stats.binomtest(count, 4000, 0.01, alternative="less").pvalue <= 0.05 for count in lost]
    first_not = passed.index(False)
    assert first_not > 0
    assert found.doubt == thresholds()[first_not - 1]
    assert found.num_lost == lost[first_not - 1]
    won = ~answered.full_N & stop(answered, found.doubt).right_N
    assert found.num_won == won.sum()
    exact = stats.binomtest(found.num_lost, 4000, alternative="less").proportion_ci(0.95, method="exact")
    assert found.bound == pytest.approx(exact.high)
    assert found.bound <= 0.01
    assert found.read == pytest.approx(stop(answered, found.doubt).read_N.mean() / 5)
    assert 0 < found.read < 1


def test_the_promise_is_kept_as_often_as_promised() -> None:
    """150 calibrations on fresh images; what each threshold really loses is counted on many others."""
    rng, budget, confidence = np.random.default_rng(7), 0.02, 0.9
    world = reader(rng, 300_000)
    full_N = world.full_N
    truly = {}
    broken = stopped = 0
    for _ in range(150):
        found = find_threshold(reader(rng, 600), budget, confidence)
        if found.doubt is None:
            continue
        stopped += 1
        if found.doubt not in truly:
            right_N = stop(world, found.doubt).right_N
            truly[found.doubt] = (full_N & ~right_N).mean(), full_N.mean() - right_N.mean()
        lost, loss = truly[found.doubt]
        broken += lost > budget
        assert loss <= lost
    assert stopped > 125  # it does stop early, mostly
    assert stats.binomtest(broken, 150, 1 - confidence, alternative="greater").pvalue > 0.01
    assert broken > 2  # and does not keep its promise by asking for far too much


def test_a_reader_that_is_never_sure_reads_all() -> None:
    answered = reader(np.random.default_rng(0), 500)
    unsure = Answered(
        answered.answers_NT, np.full_like(answered.doubt_NT, 0.9), answered.labels_N, answered.blank_N
    )
    assert find_threshold(unsure, 0.05, 0.95).read == 1.0
    wild = Answered(
        answered.answers_NT, np.full_like(answered.doubt_NT, 1e-9), answered.labels_N, answered.blank_N
    )
    spoiled = Answered(wild.answers_NT.copy(), wild.doubt_NT, wild.labels_N, wild.blank_N)
    spoiled.answers_NT[:, 0] = (spoiled.labels_N + 1) % 4
    found = find_threshold(spoiled, 0.05, 0.95)
    exact = stats.binomtest(0, 500, alternative="less").proportion_ci(0.95, method="exact")
    assert (found.doubt, found.num_lost, found.num_won, found.read) == (None, 0, 0, 1.0)
    assert found.bound == pytest.approx(exact.high)


@pytest.mark.parametrize(
    ("budget", "confidence", "needed"), [(0.001, 0.95, 2995), (0.01, 0.95, 299), (0.01, 0.5, 69)]
)
def test_too_few_images_are_said_to_be_too_few(budget: float, confidence: float, needed: int) -> None:
    assert stats.binom.cdf(0, needed, budget) <= 1 - confidence < stats.binom.cdf(0, needed - 1, budget)
    rng = np.random.default_rng(0)
    find_threshold(reader(rng, needed), budget, confidence)
    with pytest.raises(DataError) as refused:
        find_threshold(reader(rng, needed - 1), budget, confidence)
    assert refused.value.found == (
        f"{needed - 1:,} validation images cannot show that at most {100 * budget:g} points are lost"
    )
    assert refused.value.expected == f"at least {needed:,} at {100 * confidence:g} % confidence"
    assert refused.value.mend == "allow a larger --loss-budget, or train with more --validation images"


def test_what_a_rule_did_is_counted() -> None:
    answered = reader(np.random.default_rng(5), 3000)
    found = judge(answered, 0.05)
    stopped = stop(answered, 0.05)
    assert found.full.estimate == answered.full_N.mean()
    assert found.stopped.estimate == stopped.right_N.mean()
    assert found.loss.estimate == pytest.approx(found.full.estimate - found.stopped.estimate)
    assert found.loss.low < found.loss.estimate < found.loss.high
    assert found.read.estimate == pytest.approx(stopped.read_N.mean() / 5)
    t = stats.ttest_1samp(stopped.read_N / 5, 0).confidence_interval()
    assert (found.read.low, found.read.high) == pytest.approx((t.low, t.high), rel=1e-3)
    assert found.computed.estimate == pytest.approx(np.maximum(0, stopped.read_N - answered.blank_N).mean() / 5)
    for share, right_N in ((found.full, answered.full_N), (found.stopped, stopped.right_N)):
        wilson = stats.binomtest(int(right_N.sum()), 3000).proportion_ci(method="wilson")
        assert (share.low, share.high) == pytest.approx((wilson.low, wilson.high))
    padded = np.concatenate([answered.full_N * 1.0 - stopped.right_N, [1, -1]])  # Bonett and Price
    low, high = stats.norm.interval(0.95, padded.mean(), padded.std() / np.sqrt(3002))
    assert (found.loss.low, found.loss.high) == pytest.approx((low, high))
    assert found.curve[0].read > found.curve[-1].read
    assert [point.doubt for point in found.curve] == thresholds()[::6].tolist()
    for point in found.curve[::10]:
        there = stop(answered, point.doubt)
        assert (point.read, point.accuracy) == pytest.approx((there.read_N.mean() / 5, there.right_N.mean()))
    everything = judge(answered, None)
    assert everything.loss.estimate == 0
    assert (everything.read.estimate, everything.read.high) == (1, 1)


def test_the_doubts_that_are_tried() -> None:
    """400 from a ten-millionth to a half, each the same multiple of the one before."""
    tried = thresholds()
    assert len(tried) == 400
    assert (tried[0], tried[-1]) == pytest.approx((1e-7, 0.5))
    assert tried[1:] / tried[:-1] == pytest.approx((0.5 / 1e-7) ** (1 / 399))


def test_a_step_that_is_not_computed_costs_nothing() -> None:
    """Two of five steps are blank and not computed; where all that is read is blank, none is."""
    doubt_NT = np.array([[0.9, 0.9, 0.0, 0.9, 0.9], [0.0, 0.9, 0.9, 0.9, 0.9]])
    answered = Answered(np.zeros((2, 5), dtype=int), doubt_NT, np.zeros(2, dtype=int), np.array([2, 2]))
    found = judge(answered, 0.05)
    assert found.read.estimate == pytest.approx((3 + 1) / 2 / 5)
    assert found.computed.estimate == pytest.approx((1 + 0) / 2 / 5)
    assert (found.computed.low, found.computed.high) == (0.0, 1.0)


def test_a_budget_of_next_to_nothing_is_told() -> None:
    with pytest.raises(DataError) as refused:
        find_threshold(reader(np.random.default_rng(0), 50), 1e-322, 0.95)
    assert str(refused.value) == (
        "50 validation images cannot show that at most 9.88131e-321 points are lost\n"
        "  expected: at least 1,000,000,000,000,000 at 95 % confidence\n"
        "  to mend:  allow a larger --loss-budget, or train with more --validation images"
    )


@pytest.mark.parametrize("blank", [[-1], [999]])
def test_blank_is_a_pixel(blank: list[int]) -> None:
    dials = {
        "sha256": "0",
        "data": "digits",
        "budget": 0.1,
        "confidence": 0.95,
        "num_images": 9,
        "num_lost": 0,
        "num_won": 0,
    }
    StopRule.model_validate({**dials, "bound": 0.1, "num_steps": 8, "read": 0.5, "blank": [0]})
    with pytest.raises(ValueError, match="blank"):
        StopRule.model_validate({**dials, "bound": 0.1, "num_steps": 8, "read": 0.5, "blank": blank})
