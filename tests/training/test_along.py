"""Answers after each step of trained readers, and learning to give them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from linewise.foundations.errors import ConfigError
from linewise.foundations.records import Recipe
from linewise.images.batches import Batches
from linewise.models import create_model
from linewise.training import along
from linewise.training.along import kept_steps, probabilities_along, steps_of
from linewise.training.evaluation import probabilities
from linewise.training.loop import train
from linewise.training.loss import loss_and_answers


def stripes(n: int, seed: int = 0) -> Batches:
    """Noisy 8×6 images whose row 1 tells the class."""
    rng = np.random.default_rng(seed)
    labels_N = np.arange(n) % 3
    images_NHWC = np.zeros((n, 8, 6, 1), dtype=np.uint8)
    images_NHWC[:, 1:7] = rng.integers(0, 25, (n, 6, 6, 1))
    images_NHWC[np.arange(n), 1, 2 * labels_N] = 200
    images_NHWC[:, 6, 0] = 90
    return Batches(images_NHWC, labels_N, [0.1], [0.2])


def test_kept_steps_are_evenly_spaced_and_hold_both_ends() -> None:
    assert kept_steps(28).tolist() == list(range(1, 29))
    assert kept_steps(1).tolist() == [1]
    for num_steps in (257, 300, 784, 4096):
        kept_T = kept_steps(num_steps)
        assert len(kept_T) == 256
        assert (kept_T[0], kept_T[-1]) == (1, num_steps)
        gaps = np.diff(kept_T)
        assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("readout", ["last", "attention"])
def test_probabilities_after_a_step_are_those_of_the_prefix(readout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, images = create_model("gru", num_classes=3, img_size=(8, 6), readout=readout), stripes(25)
    monkeypatch.setattr(along, "MOST_NUMBERS", 8 * 128 * 10)  # three batches
    answers_NTK, kept_T = probabilities_along(network, images, most=3)
    assert kept_T.tolist() == [1, 4, 8]
    x_BCHW, _ = next(images.in_order(25))
    h_BTF = network.forward_features(x_BCHW)
    assert isinstance(h_BTF, torch.Tensor)
    for i, t in enumerate(kept_T):
        expected_NK = torch.softmax(network.forward_head(h_BTF[:, :t]), dim=1).detach().numpy()
        np.testing.assert_allclose(answers_NTK[:, i], expected_NK, atol=1e-6)


def test_steps_end_with_the_networks_answer_and_say_where_the_ink_is() -> None:
    torch.manual_seed(0)
    network, images = create_model("lstm", num_classes=3, img_size=(8, 6)), stripes(30)
    answers_NK = probabilities(network, images)
    steps = steps_of(network, images, answers_NK)
    answers_NTK, _ = probabilities_along(network, images)
    np.testing.assert_array_equal(steps.answers_NT[:, :-1], answers_NTK[:, :-1].argmax(axis=2))
    np.testing.assert_array_equal(steps.answers_NT[:, -1], answers_NK.argmax(axis=1))
    np.testing.assert_allclose(steps.sure_NT, answers_NTK.max(axis=2), atol=1e-6)
    assert steps.num_steps == 8
    assert set(steps.first_ink_N.tolist()) == {2}
    assert set(steps.last_ink_N.tolist()) == {7}


def test_networks_without_steps_are_refused() -> None:
    network = create_model("bilstm", num_classes=3, img_size=(8, 6))
    with pytest.raises(ConfigError, match="reads in two directions"):
        steps_of(network, stripes(3), np.zeros((3, 3)))


def test_the_loss_along_the_way_is_the_mean_over_the_steps_after_the_first_quarter() -> None:
    torch.manual_seed(0)
    network = create_model("gru", num_classes=3, img_size=(8, 6))
    x_BCHW, y_B = next(stripes(9).in_order(9))
    loss, answer, logits_BK = loss_and_answers(network, x_BCHW, y_B, Recipe(read_along=0.3, label_smoothing=0.1))
    h_BTF = network.forward_features(x_BCHW)
    assert isinstance(h_BTF, torch.Tensor)
    each = [F.cross_entropy(network.forward_head(h_BTF[:, :t]), y_B, label_smoothing=0.1) for t in range(1, 9)]
    torch.testing.assert_close(answer, each[-1])
    torch.testing.assert_close(loss, 0.7 * each[-1] + 0.3 * torch.stack(each[2:]).mean())
    torch.testing.assert_close(logits_BK, network(x_BCHW))


@pytest.mark.parametrize(("name", "read_along"), [("gru", 0.0), ("bigru", 0.5), ("cnn", 0.5)])
def test_without_it_and_on_networks_without_steps_the_loss_is_the_answers_to_the_bit(
    name: str, read_along: float
) -> None:
    torch.manual_seed(0)
    network = create_model(name, num_classes=3, img_size=(8, 6))
    x_BCHW, y_B = next(stripes(9).in_order(9))
    loss, answer, _ = loss_and_answers(network, x_BCHW, y_B, Recipe(read_along=read_along))
    assert loss is answer
    assert torch.equal(loss, F.cross_entropy(network(x_BCHW), y_B))


def test_reading_along_answers_earlier() -> None:
    """The class is told by row 1; without the loss on the way nothing asks for an answer before row 8."""
    sure: dict[float, float] = {}
    for read_along in (0.0, 0.5):
        torch.manual_seed(0)
        network = create_model("gru", num_classes=3, img_size=(8, 6), hidden=16)
        outcome = train(
            network, stripes(300), stripes(60, 1), Recipe(epochs=6, batch_size=16, read_along=read_along), 0
        )
        assert outcome.epochs[-1].validation_accuracy > 0.95
        answers_NTK, _ = probabilities_along(network, stripes(60, 1))
        sure[read_along] = float(answers_NTK[np.arange(60), 2:-1, np.arange(60) % 3].mean())
    assert sure[0.5] > 0.9
    assert sure[0.0] < sure[0.5] - 0.05


def test_the_epoch_table_keeps_the_loss_of_the_answer() -> None:
    torch.manual_seed(0)
    network = create_model("gru", num_classes=3, img_size=(8, 6))
    images = stripes(32)
    before = F.cross_entropy(network(next(images.in_order(32))[0]), torch.from_numpy(images.labels_N)).item()
    outcome = train(network, images, images, Recipe(epochs=1, batch_size=32, read_along=0.5), 0)
    assert outcome.epochs[0].train_loss == pytest.approx(before, rel=1e-5)
