"""The training loop. All of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from linewise.foundations.records import Epoch, Recipe
from linewise.foundations.seeds import stream
from linewise.images.batches import Batches
from linewise.models import Network
from linewise.training.evaluation import logits_and_loss
from linewise.training.step import make_step


@dataclass
class Outcome:
    """What training came to: the epoch table, and where and why it stopped if it diverged.

    Attributes:
        right: after each epoch, whether each validation image is recognised, bool `N`.
        answers_NK: class probabilities of the validation images after the last epoch, float32.
    """

    epochs: list[Epoch] = field(default_factory=list)
    right: list[np.ndarray] = field(default_factory=list)
    answers_NK: np.ndarray | None = None
    diverged: str = ""
    train_s: float = 0.0


def train(
    network: Network,
    training: Batches,
    validation: Batches,
    recipe: Recipe,
    seed: int,
    *,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Outcome:
    """Train a network in place.

    Args:
        recipe: epochs, batch size, learning rate and so on.
        seed: decides order, augmentation and dropout; the weights were decided when the network was built.
        on_step: called after each step with the step (from 1) and their number.
        on_epoch: called after each epoch.

    Returns:
        The epoch table. A loss that is not finite stops training; `diverged` then says at which step and
        learning rate, and the network is left as it was at that moment.
    """
    order, augmenting = (torch.Generator().manual_seed(stream(seed, purpose)) for purpose in ("order", "augment"))
    torch.manual_seed(stream(seed, "dropout"))
    network.observe_labels(torch.from_numpy(training.labels_N))
    steps, step, outcome = recipe.epochs * training.num_steps(recipe.batch_size), 0, Outcome()
    take = make_step(network, recipe, steps)
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        started, total_loss, num_right, num_seen = time.perf_counter(), 0.0, 0, 0
        for x_BCHW, y_B in training.shuffled(recipe.batch_size, order, recipe.augment, augmenting):
            taken = take(x_BCHW, y_B)
            step += 1
            if not math.isfinite(taken.loss):
                outcome.diverged = f"loss {taken.loss} at step {step} of {steps}, learning rate {taken.lr:.2g}"
                return outcome
            total_loss += taken.answer_loss * len(y_B)
            num_right += taken.num_right
            num_seen += len(y_B)
            on_step(step, steps)
        train_s = time.perf_counter() - started
        outcome.train_s += train_s
        logits_NK, val_loss = logits_and_loss(network, validation)
        if not math.isfinite(val_loss):
            outcome.diverged = f"validation loss {val_loss} after epoch {epoch} of {recipe.epochs}"
            return outcome
        right_N = logits_NK.argmax(dim=1).cpu().numpy() == validation.labels_N
        outcome.right.append(right_N)
        outcome.answers_NK = torch.softmax(logits_NK, dim=1).cpu().numpy()
        outcome.epochs.append(
            Epoch(
                epoch=epoch,
                step=step,
                train_loss=total_loss / num_seen,
                train_accuracy=num_right / num_seen,
                validation_loss=val_loss,
                validation_accuracy=float(right_N.mean()),
                train_s=train_s,
            )
        )
        on_epoch(outcome.epochs[-1])
    return outcome
