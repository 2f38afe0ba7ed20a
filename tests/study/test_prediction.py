"""A run as something that answers: the network's own answers, with the rule where there is one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from linewise.foundations.errors import ConfigError, DataError, SavedModelError
from linewise.images.preprocessing import Preprocessing
from linewise.study.prediction import RunModel
from untrained import PRE, SIDE, image, write_rule, write_run


def images(count: int) -> np.ndarray:
    return np.stack([image(seed) for seed in range(count)])


def by_hand(model: RunModel, images_NHWC: np.ndarray) -> np.ndarray:
    """Answers of the network itself, after each step."""
    x_NHWC = (images_NHWC / 255 - np.array(PRE["mean"])) / np.array(PRE["std"])
    with torch.inference_mode():
        x_NCHW = torch.tensor(x_NHWC.transpose(0, 3, 1, 2), dtype=torch.float32)
        return torch.softmax(model.saved.network.forward_steps(x_NCHW), 2).numpy()


def test_it_answers_as_the_network_does(tmp_path: Path) -> None:
    model = RunModel(write_run(tmp_path, "gru", hidden=9))
    assert (model.label, model.class_names) == ("gru", ["a", "b", "c", "d"])
    assert model.preprocessing == Preprocessing(**PRE)
    found_NK = model.probabilities(images(30))
    np.testing.assert_allclose(found_NK, by_hand(model, images(30))[:, -1], atol=1e-6)
    assert found_NK.dtype == np.float32
    assert model.probabilities(images(1)[:0]).shape == (0, 4)
    asked = model.asking()(images(30))
    assert (asked.read_N, asked.enough_N, asked.steps) == (None, None, None)
    assert (asked.probabilities_NK == found_NK).all()


@pytest.mark.parametrize("doubt", [None, 0.2, 0.5])
def test_with_a_rule_it_says_where_reading_would_stop_and_stops_there(tmp_path: Path, doubt: float | None) -> None:
    run = write_run(tmp_path, "gru", hidden=9)
    write_rule(run, doubt)
    model = RunModel(run)
    whole, early = model.asking()(images(30)), model.asking(early=True)(images(30))
    steps_NTK = by_hand(model, images(30))
    for n, p_TK in enumerate(steps_NTK):
        sure = [t + 1 for t in range(SIDE) if doubt is not None and 1 - p_TK[t].max() <= doubt]
        want = sure[0] if sure else SIDE
        assert whole.enough_N is not None
        assert early.read_N is not None
        assert (int(whole.enough_N[n]), int(early.read_N[n])) == (want, want)
        assert model.trace(image(n)).stopped == want
        np.testing.assert_allclose(early.probabilities_NK[n], p_TK[want - 1], atol=1e-5)
    np.testing.assert_allclose(whole.probabilities_NK, steps_NTK[:, -1], atol=1e-6)
    assert (whole.steps, early.steps, whole.read_N, early.enough_N) == (SIDE, SIDE, None, None)


def test_a_rule_that_does_not_fit_is_not_used_and_said(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", hidden=9)
    write_rule(run, 0.5, sha256="2" * 64)
    model = RunModel(run)
    assert model.rule is None
    assert model.warning == f"{run / 'stop.json'}: found for other weights, and not used"
    assert model.asking()(images(2)).enough_N is None
    with pytest.raises(ConfigError, match="other weights"):
        model.asking(early=True)
    (run / "stop.json").write_text("{")
    assert "stop.json" in RunModel(run).warning
    with pytest.raises(DataError):
        RunModel(run).asking(early=True)


def test_what_does_not_read_step_by_step_cannot_stop(tmp_path: Path) -> None:
    model = RunModel(write_run(tmp_path, "mlp"))
    with pytest.raises(ConfigError, match="does not read step by step"):
        model.asking(early=True)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("std", [0.3, 0.3], "one mean and one std per channel"),
        ("height", 13, r"images prepared as \(height, width, channels\) = \(13, 12, 1\)"),
        ("fit", "sideways", "fit"),
    ],
)
def test_a_preprocessing_that_does_not_fit_is_refused(
    tmp_path: Path, field: str, value: object, said: str
) -> None:
    run = write_run(tmp_path, "gru", hidden=9)
    card = json.loads((run / "model.json").read_text())
    card["preprocessing"][field] = value
    (run / "model.json").write_text(json.dumps(card))
    with pytest.raises(SavedModelError, match=said):
        RunModel(run)
