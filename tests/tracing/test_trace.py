"""A trace says what the network itself says, and its gates are torch's."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linewise.foundations.errors import ConfigError
from linewise.images.batches import Batches
from linewise.models import create_model
from linewise.models.saved import Saved
from linewise.study.stopping import early_reader
from linewise.tracing import Trace, look, trace
from linewise.tracing.occlusion import background, bands
from linewise.tracing.record import settled_at
from untrained import PRE, SIDE, image, rule, saved


def logits(model: Saved, images_NHWC: np.ndarray) -> torch.Tensor:
    """The network's own answers, normalised by hand."""
    pre = model.card.preprocessing
    x_NHWC = (images_NHWC / 255 - np.array(pre["mean"])) / np.array(pre["std"])
    with torch.inference_mode():
        return model.network(torch.tensor(x_NHWC.transpose(0, 3, 1, 2), dtype=torch.float32))


GATED = {
    "lstm": ("input", "forget", "candidate", "output", "cell", "hidden"),
    "gru": ("reset", "update", "candidate", "hidden"),
    "rnn": ("hidden",),
    "irnn": ("hidden",),
}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("two", ["", "bi"])
@pytest.mark.parametrize("cell", GATED)
def test_the_gates_lead_to_the_states_of_the_network(cell: str, two: str, layers: int) -> None:
    model = saved(two + cell, hidden=9, layers=layers)
    found = trace(model, image(), gates=True)
    assert found.gates is not None
    assert tuple(found.gates) == GATED[cell]
    assert found.hidden_TU is not None
    np.testing.assert_allclose(found.gates["hidden"], found.hidden_TU, atol=1e-5)
    assert found.hidden_TU.shape == (SIDE, 18 if two else 9)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_gates_are_those_of_torchs_cells(cell: str) -> None:
    """By the state's own update: solved for the gate that is left."""
    found = trace(saved(cell, hidden=9), image(3), gates=True).gates
    assert found is not None
    if cell == "lstm":
        before_TU = np.concatenate([np.zeros((1, 9)), found["cell"][:-1]])
        np.testing.assert_allclose(
            found["cell"] - found["forget"] * before_TU, found["input"] * found["candidate"], atol=1e-6
        )
        np.testing.assert_allclose(found["hidden"] / np.tanh(found["cell"]), found["output"], atol=1e-4)
    else:
        before_TU = np.concatenate([np.zeros((1, 9)), found["hidden"][:-1]])
        mixed_TU = found["candidate"] + found["update"] * (before_TU - found["candidate"])
        np.testing.assert_allclose(mixed_TU, found["hidden"], atol=1e-6)
        assert 0 < found["reset"].min() < found["reset"].max() < 1


def test_answers_after_each_step_are_answers_to_the_image_read_so_far() -> None:
    model = saved("gru", hidden=9)
    found = trace(model, image())
    assert found.probabilities_TK is not None
    np.testing.assert_allclose(
        found.probabilities_K, torch.softmax(logits(model, image()[None]), 1)[0].numpy(), atol=1e-6
    )
    assert (found.probabilities_TK[-1] == found.probabilities_K).all()
    assert found.settled == settled_at(found.probabilities_TK) > 1
    assert found.answer == found.probabilities_K.argmax()
    # a network of fewer rows, with the same weights, has the shorter answer at its end
    for rows in (1, 5, 11):
        short = create_model("gru", num_classes=4, img_size=(rows, SIDE), hidden=9).eval()
        short.load_state_dict(model.network.state_dict())
        want_K = torch.softmax(logits(Saved(short, model.card), image()[None, :rows]), 1)[0].numpy()
        np.testing.assert_allclose(found.probabilities_TK[rows - 1], want_K, atol=1e-6)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_settled_by_brute_force(answers_T: list[int]) -> None:
    want = next(t for t in range(len(answers_T)) if set(answers_T[t:]) == {answers_T[-1]}) + 1
    assert settled_at(np.eye(3)[answers_T]) == want


@pytest.mark.parametrize("name", ["gru", "bilstm", "minlstm", "lenet5", "mlp", "sequencer2d_nano"])
def test_occlusion_is_the_probability_that_goes_with_a_row(name: str) -> None:
    side = 28 if name in ("sequencer2d_nano", "lenet5") else SIDE
    model, whole_HWC = saved(name, side), image(2, side)
    found = trace(model, whole_HWC, occlusion=True)
    whole_K = torch.softmax(logits(model, whole_HWC[None]), 1)[0]
    answer = int(whole_K.argmax())
    assert found.occlusion_H is not None
    for row in range(side):
        without_HWC = whole_HWC.copy()
        without_HWC[row] = 0
        want = whole_K[answer] - torch.softmax(logits(model, without_HWC[None]), 1)[0, answer]
        assert found.occlusion_H[row] == pytest.approx(float(want), abs=2e-5)
    assert np.abs(found.occlusion_H).max() > 1e-4


def test_a_tall_image_is_blanked_in_bands() -> None:
    band_H = bands(100)
    sizes = np.bincount(band_H)
    assert len(sizes) == 64
    assert set(sizes.tolist()) == {1, 2}
    assert (np.diff(band_H) >= 0).all()
    assert bands(64).tolist() == list(range(64))
    model = saved("mlp", 100)
    found = trace(model, image(4, 100), occlusion=True)
    assert found.occlusion_H is not None
    without_HWC = image(4, 100)
    without_HWC[band_H == 7] = 0
    pair_NK = torch.softmax(logits(model, np.stack([image(4, 100), without_HWC])), 1)
    want = float(pair_NK[0, found.answer] - pair_NK[1, found.answer])
    np.testing.assert_allclose(found.occlusion_H[band_H == 7], want, atol=2e-6)


def test_what_blank_means() -> None:
    drawing_HWC = np.full((4, 4, 3), [255, 255, 250], np.uint8)
    drawing_HWC[:2, :4] = np.random.default_rng(0).integers(0, 99, (2, 4, 3))
    assert background(drawing_HWC, [0.5, 0.5, 0.5]).tolist() == [255, 255, 250]
    photo_HWC = np.random.default_rng(0).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    assert background(photo_HWC, [0.5, 0.25, 1.0]).tolist() == [128, 64, 255]


@pytest.mark.parametrize("name", ["lenet5", "sequencer2d_nano", "mlp", "renet"])
def test_what_does_not_read_has_answers_and_nothing_in_between(name: str) -> None:
    found = trace(saved(name, 28), image(0, 28), gates=True)
    assert found.reading == ""
    for kept in ("num_steps", "step_HW", "probabilities_TK", "settled", "hidden_TU", "gates", "occlusion_H"):
        assert getattr(found, kept) is None, kept


def test_readers_side_by_side() -> None:
    found = trace(saved("gru", hidden=9, reading="rows+columns"), image(), gates=True)
    assert found.reading == "rows+columns"
    grid_HW = np.add.outer(np.arange(SIDE), 0 * np.arange(SIDE)) + 1
    assert found.step_HW is not None
    assert (found.step_HW == np.minimum(grid_HW, grid_HW.T)).all()
    assert found.gates is not None
    assert found.hidden_TU is not None
    np.testing.assert_allclose(found.gates["hidden"], found.hidden_TU, atol=1e-5)


def test_two_directions_have_states_but_no_answers_on_the_way() -> None:
    found = trace(saved("bilstm", hidden=5), image(), rule=rule(0.5))
    assert (found.probabilities_TK, found.settled, found.stopped) == (None, None, None)
    assert found.num_steps == SIDE
    assert found.hidden_TU is not None
    assert found.step_HW is not None
    assert found.step_HW[:, 0].tolist() == list(range(1, SIDE + 1))


def test_blocks_have_states_but_no_gates() -> None:
    found = trace(saved("mingru", hidden=6), image(), gates=True)
    assert found.gates is None
    assert found.hidden_TU is not None
    assert found.hidden_TU.shape == (SIDE, 6)


@given(doubt=st.sampled_from([None, 0.0, 0.05, 0.2, 0.4, 0.7]), seed=st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_it_stops_where_the_early_reader_does(doubt: float | None, seed: int) -> None:
    model = saved("gru", hidden=9)
    images = Batches(image(seed)[None], np.zeros(1), PRE["mean"], PRE["std"])  # type: ignore[arg-type]
    want = early_reader(model, rule(doubt)).read(next(images.in_order(1))[0]).read_B
    assert trace(model, image(seed), rule=rule(doubt)).stopped == int(want[0])


def test_a_rule_of_other_weights_and_another_image_are_refused() -> None:
    with pytest.raises(ConfigError, match="other weights"):
        trace(saved("gru"), image(), rule=rule(0.1, "2" * 64))
    with pytest.raises(ConfigError) as error:
        trace(saved("gru"), image(0, 13))
    assert str(error.value) == (
        "trace: an image of shape (13, 13, 1), uint8\n  expected: (height, width, channels) = (12, 12, 1), uint8"
    )


def test_json_is_plain_and_the_same_numbers() -> None:
    found = trace(saved("lstm", hidden=3, in_chans=3), image(channels=3), gates=True, occlusion=True, label="x")
    read = json.loads(json.dumps(found.to_json()))
    assert read["label"] == "x"
    assert read["settled"] == found.settled
    assert np.array_equal(read["image_HWC"], image(channels=3))
    assert found.hidden_TU is not None
    np.testing.assert_allclose(read["hidden_TU"], found.hidden_TU, atol=5.1e-5)
    assert set(read["gates"]) == set(GATED["lstm"])
    assert "-0.0," not in json.dumps(found.to_json())
    assert max(len(repr(p)) for row in read["probabilities_TK"] for p in row) <= len("0.1234") + 2


class Outside:
    """An answerer that is not torch: brightness of the upper and of the lower half."""

    label, class_names = "halves", ["up", "down"]

    @property
    def preprocessing(self) -> Any:
        return type("Pre", (), {"mean": [0.0]})

    def probabilities(self, images_NHWC: np.ndarray) -> np.ndarray:
        half = images_NHWC.shape[1] // 2
        sums_N2 = np.stack([images_NHWC[:, :half].sum((1, 2, 3)), images_NHWC[:, half:].sum((1, 2, 3))], 1) + 1e-9
        return (sums_N2 / sums_N2.sum(1, keepdims=True)).astype(np.float32)


def test_from_outside_the_rows_are_seen() -> None:
    image_HWC = np.zeros((6, 4, 1), np.uint8)
    image_HWC[1], image_HWC[4] = 100, 50
    found = look(Outside(), image_HWC, occlusion=True)
    assert isinstance(found, Trace)
    assert found.occlusion_H is not None
    np.testing.assert_allclose(found.occlusion_H, [0, 2 / 3, 0, 0, 2 / 3 - 1, 0], atol=1e-6)
    assert look(Outside(), image_HWC).occlusion_H is None
