"""What is said of a study, against the same counted by hand from its files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from linewise.analysis import Summary, summarise
from linewise.analysis.calibration import calibration
from linewise.analysis.confusion import confusion, recalls, worst_pairs
from linewise.analysis.intervals import difference
from linewise.analysis.mistakes import mistakes
from linewise.foundations.arrays import Predictions
from linewise.foundations.folder import StudyFolder
from studies import make_study


def summary(path: Path, **options) -> Summary:
    return summarise(StudyFolder.open(make_study(path, **options)))


def test_means_and_counts(tmp_path: Path) -> None:
    found = summary(tmp_path, diverged=("lstm", 1))
    by_label = {n.label: n for n in found.networks}
    lstm = by_label["lstm"]
    assert (lstm.num_finished, lstm.num_diverged, lstm.num_failed) == (2, 1, 0)
    rows = [r for r in found.run_rows() if r["model"] == "lstm" and r["status"] == "finished"]
    assert lstm.test is not None
    assert lstm.test.estimate == pytest.approx(np.mean([r["test_accuracy"] for r in rows]))
    assert (lstm.test.num_seeds, lstm.test.num_images) == (2, 400)
    assert [r["reason"] for r in found.run_rows() if r["status"] == "diverged"] == [
        "loss nan at step 3 of 9, learning rate 0.01"
    ]


def test_the_answer_names_the_better_family_with_n_and_interval(tmp_path: Path) -> None:
    found = summary(tmp_path, errors={"lstm": 0.20, "gru": 0.15, "cnn": 0.02})
    conclusion = found.conclusion
    assert (conclusion.verdict, conclusion.recurrent, conclusion.convolutional) == ("convolutional", "gru", "cnn")
    gap = conclusion.difference
    assert gap is not None
    assert conclusion.headline == "Convolutional networks recognised these images better."
    assert conclusion.details == (
        f"On 400 test images, the best convolutional network (cnn) was right on {_told(found, 'cnn')}, the best "
        f"recurrent one (gru) on {_told(found, 'gru')}: {100 * gap.estimate:.2f} points apart "
        f"(95 % interval {100 * gap.low:.2f} to {100 * gap.high:.2f}). "
        "Recurrent networks do recognise them: naming one class for all images is right on at most 10.00 %."
    )
    assert conclusion.setting == "About 20,000 parameters each, 1,000 training images, 4 epochs, 3 seeds."
    assert found.answer == f"{conclusion.headline} {conclusion.details} {conclusion.setting}"


def _told(found: Summary, label: str) -> str:
    test = next(n for n in found.networks if n.label == label).test
    assert test is not None
    return f"{100 * test.estimate:.2f} % ({100 * test.low:.2f} to {100 * test.high:.2f})"


def test_recurrent_networks_may_win(tmp_path: Path) -> None:
    found = summary(tmp_path, errors={"lstm": 0.02, "cnn": 0.2})
    assert found.conclusion.verdict == "recurrent"
    assert found.answer.startswith("Recurrent networks recognised these images better. On 400 test images")
    gap = found.conclusion.difference
    assert gap is not None
    assert (
        f"{-100 * gap.estimate:.2f} points apart (95 % interval {-100 * gap.high:.2f} to {-100 * gap.low:.2f})"
        in (found.answer)
    )


def test_no_difference_is_an_answer(tmp_path: Path) -> None:
    found = summary(tmp_path, errors={"lstm": 0.06, "cnn": 0.06})
    assert found.conclusion.verdict == "no difference shown"
    gap = found.conclusion.difference
    assert gap is not None
    assert gap.low < 0 < gap.high
    assert found.conclusion.headline == "No difference between recurrent and convolutional networks was shown."
    told = f"{100 * gap.estimate:+.2f} points for the convolutional one (95 % interval {100 * gap.low:+.2f} to {100 * gap.high:+.2f})"
    assert told in found.answer


def test_without_any_error_no_difference_is_shown_and_the_interval_has_width(tmp_path: Path) -> None:
    gap = summary(tmp_path, errors={"lstm": 0.0, "cnn": 0.0}).conclusion.difference
    assert gap is not None
    assert gap.estimate == 0
    assert gap.high > 0.005


def test_recurrent_networks_that_learned_nothing_are_not_praised(tmp_path: Path) -> None:
    found = summary(tmp_path, errors={"lstm": 1.4, "cnn": 0.1}).answer  # wrong on 9 of 10
    assert "It was not shown that recurrent networks learned anything" in found


def test_one_seed_is_said_to_be_one_seed(tmp_path: Path) -> None:
    found = summary(tmp_path, seeds=1, errors={"lstm": 0.3, "cnn": 0.02}).conclusion
    assert found.headline == "The convolutional network recognised these images better, in one run of each."
    assert "one seed, so how much seeds matter could not be judged" in found.setting


def test_one_finished_run_of_three_is_one_seed(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.1, "cnn": 0.1})
    for seed in (0, 1):
        shutil.rmtree(path / "runs" / f"lstm-{seed}")
    found = summarise(StudyFolder.open(path)).conclusion
    assert found.setting == (
        "About 20,000 parameters each, 1,000 training images, 4 epochs, one seed, so how much seeds matter could not "
        "be judged. 2 runs of the study still missing."
    )


def test_networks_off_the_budget_are_not_called_matched(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.1, "cnn": 0.1})
    spec = StudyFolder.open(path).spec()
    models = [m.model_copy(update={"miss": 0.2 if m.label == "cnn" else 0.0}) for m in spec.models]
    spec.model_copy(update={"models": models}).save(path / "study.json")
    assert summarise(StudyFolder.open(path)).conclusion.setting.startswith(
        "Cost not matched within 1 % (parameters: cnn 20,000, lstm 20,000), 1,000 training images"
    )


def test_before_the_test_the_answer_is_about_validation_images(tmp_path: Path) -> None:
    found = summary(tmp_path, tested=False)
    assert "300 validation images" in found.answer
    assert found.answer.endswith(
        "The test set has not been opened yet; networks were chosen on these same validation images."
    )
    assert all(n.test is None for n in found.networks)


def test_one_family_cannot_be_compared(tmp_path: Path) -> None:
    found = summary(tmp_path, errors={"lstm": 0.1, "linear": 0.2})
    assert found.conclusion.verdict == "one family"
    assert found.answer.startswith(
        "No convolutional network has answers, so the two families cannot be compared. The best recurrent network by"
    )


def test_the_answer_passes_over_no_better_network(tmp_path: Path) -> None:
    errors = {"lstm": 0.2, "cnn": 0.1, "vit": 0.02}
    found = summary(tmp_path / "attention", errors=errors)
    assert found.conclusion.details.endswith(
        f"Best of all by validation is vit, of the family 'attention': {_told(found, 'vit')}."
    )
    found = summary(tmp_path / "control", errors={"lstm": 0.2, "linear": 0.02})
    assert f"Best of all by validation is linear, a control: {_told(found, 'linear')}." in found.answer
    assert "Best of all" not in summary(tmp_path / "none", errors={"lstm": 0.2, "cnn": 0.1, "vit": 0.3}).answer


@pytest.mark.parametrize(("control", "shown"), [(0.2, True), (0.05, False)])
def test_a_network_is_held_against_itself_without_recurrence(tmp_path: Path, control: float, shown: bool) -> None:
    path = make_study(tmp_path, errors={"sequencer2d_nano": 0.05, "sequencer2d_nano_pooling": control, "cnn": 0.3})
    found = summarise(StudyFolder.open(path))
    right = {}
    for run in StudyFolder.open(path).runs():
        with np.load(run.path / "predictions.npz") as arrays:
            right.setdefault(run.label, []).append(arrays["test_predicted"] == arrays["test_labels"])
    gap = difference(*(np.stack(right[name]) for name in ("sequencer2d_nano", "sequencer2d_nano_pooling")))
    points = 100 * (np.mean(right["sequencer2d_nano"]) - np.mean(right["sequencer2d_nano_pooling"]))
    assert gap.excludes_zero == shown
    assert found.conclusion.details.endswith(
        "Against sequencer2d_nano_pooling (pooling in place of the recurrence), sequencer2d_nano has "
        f"{points:+.2f} points (95 % interval {100 * gap.low:+.2f} to {100 * gap.high:+.2f}"
        f"{'' if shown else ', no difference shown'})."
    )


def test_controls_alone_give_no_answer(tmp_path: Path) -> None:
    found = summary(tmp_path, errors={"linear": 0.2})
    assert found.conclusion.verdict == "nothing yet"
    assert found.answer.startswith(
        f"No recurrent and no convolutional network has finished yet. The best control (linear) was right on {_told(found, 'linear')} of 400"
    )


def test_diverged_runs_are_mentioned(tmp_path: Path) -> None:
    assert "1 run diverged and could not be counted: cnn-0." in summary(tmp_path, diverged=("cnn", 0)).answer


def test_the_best_of_a_family_is_chosen_by_validation_never_by_test(tmp_path: Path) -> None:
    path = make_study(tmp_path, errors={"lstm": 0.05, "gru": 0.3, "cnn": 0.1})
    for run in StudyFolder.open(path).runs():
        if run.label == "gru":  # perfect on test, poor on validation
            with np.load(run.path / "predictions.npz") as arrays:
                changed = dict(arrays)
            changed["test_predicted"] = changed["test_labels"]
            np.savez(run.path / "predictions.npz", **changed)
    assert summarise(StudyFolder.open(path)).conclusion.recurrent == "lstm"


def test_confusions_are_sklearns(tmp_path: Path) -> None:
    evidence = summary(tmp_path).evidence
    answers = evidence.networks[0].answers("test")
    counts_KK = confusion(answers, 10)
    theirs = sum(confusion_matrix(a.labels_N, a.predicted_N, labels=range(10)) for a in answers)
    np.testing.assert_array_equal(counts_KK, theirs)
    np.testing.assert_allclose(recalls(counts_KK), theirs.diagonal() / theirs.sum(1))
    worst = worst_pairs(counts_KK, 5)
    off = sorted((int(theirs[i, j]) for i in range(10) for j in range(10) if i != j), reverse=True)
    assert [pair.count for pair in worst] == off[:5]
    assert all(theirs[p.true, p.predicted] == p.count for p in worst)


def test_a_class_without_images_has_no_recall() -> None:
    assert np.isnan(recalls(np.array([[3, 1], [0, 0]]))[1])


def test_calibration_by_hand() -> None:
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.55, 0.45], [0.3, 0.7]], dtype=np.float32)
    found = calibration([Predictions(probabilities, np.array([0, 0, 0, 1]), np.array([0, 1, 0, 1]))])
    assert [(round(b.confidence, 3), b.accuracy, b.count) for b in found.bins] == [
        (0.55, 1.0, 1), (0.7, 1.0, 1), (0.95, 0.5, 2),
    ]  # fmt: skip
    assert found.error == pytest.approx((0.45 + 0.3 + 2 * 0.45) / 4)


def test_who_is_wrong_by_majority_of_runs(tmp_path: Path) -> None:
    evidence = summary(tmp_path, errors={"lstm": 0.3, "gru": 0.3, "cnn": 0.3}, num_test=300).evidence
    found = mistakes(evidence)
    assert found is not None
    wrong = {
        n.label: np.stack([a.predicted_N != a.labels_N for a in n.answers("test")]) for n in evidence.networks
    }
    recurrent = np.concatenate([wrong["lstm"], wrong["gru"]]).sum(0) > 3
    convolutional = wrong["cnn"].sum(0) > 1.5
    assert set(found.only_recurrent) == set(np.flatnonzero(recurrent & ~convolutional))
    assert set(found.only_convolutional) == set(np.flatnonzero(convolutional & ~recurrent))
    assert set(found.both) == set(np.flatnonzero(convolutional & recurrent))
    assert min(len(found.only_recurrent), len(found.only_convolutional), len(found.both)) > 0
