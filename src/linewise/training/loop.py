"""The training loop. All of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from linewise.foundations.records import Epoch, Recipe
from linewise.images.batches import Batches
from linewise.images.shares import WHOLE
from linewise.models import Network
from linewise.training.evaluation import logits_and_loss
from linewise.training.keeping import Forgetful, Keeper
from linewise.training.state import Chance, Outcome, State
from linewise.training.step import make_step

if TYPE_CHECKING:
    from linewise.training.parallel import Parallel


def train(
    network: Network,
    training: Batches,
    validation: Batches,
    recipe: Recipe,
    seed: int,
    *,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    keeper: Keeper | None = None,
    parallel: Parallel | None = None,
) -> Outcome:
    """Train a network in place.

    Args:
        training, validation: all the images, also where ranks share them.
        recipe: epochs, batch size, learning rate and so on.
        seed: decides order, augmentation and dropout; the weights were decided when the network was built.
        on_step: called after each step with the step (from 1) and their number.
        on_epoch: called after each epoch.
        keeper: keeps the state, and may have kept that of an earlier call, which then goes on.
        parallel: the ranks that train the same network, each with its share of every batch; None: this process
            trains alone.

    Returns:
        The epoch table. A loss that is not finite stops training; `diverged` then says at which step and
        learning rate, and the network is left as it was at that moment.
    """
    chance = Chance(seed, next(network.parameters(), torch.empty(0)).device)
    network.observe_labels(torch.from_numpy(training.labels_N))
    steps, keeper = recipe.epochs * training.num_steps(recipe.batch_size), keeper or Forgetful()
    take = parallel.make_step(network, training, recipe, steps) if parallel else make_step(network, recipe, steps)
    answer, share = (parallel.logits_and_loss, parallel.share) if parallel else (logits_and_loss, WHOLE)
    state = State(network, take, chance, steps, recipe.epochs, len(validation))
    outcome = state.outcome
    with keeper.keeping(state):
        for epoch in range(len(outcome.epochs) + 1, recipe.epochs + 1):
            network.train()
            started = time.perf_counter() - state.sums.seconds
            batches = training.shuffled(
                recipe.batch_size, chance.order, recipe.augment, chance.augmenting,
                skip=state.sums.steps, share=share,
            )  # fmt: skip
            for x_BCHW, y_B in batches:
                taken = take(x_BCHW, y_B)
                state.step += 1
                if not math.isfinite(taken.loss):
                    outcome.diverged = (
                        f"loss {taken.loss} at step {state.step} of {steps}, learning rate {taken.lr:.2g}"
                    )
                    return outcome
                state.sums.add(taken)
                on_step(state.step, steps)
                state.sums.seconds = time.perf_counter() - started
                started += keeper.step_taken()
            with keeper.resting():
                logits_NK, val_loss = answer(network, validation)
            if not math.isfinite(val_loss):
                outcome.diverged = f"validation loss {val_loss} after epoch {epoch} of {recipe.epochs}"
                return outcome
            state.end_epoch(logits_NK, val_loss, validation.labels_N)
            on_epoch(outcome.epochs[-1])
            keeper.epoch_ended()
    return outcome
