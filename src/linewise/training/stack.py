"""Many seeds of one reader trained at once, as one computation, equal to separate runs within rounding.

Each seed has its own weights, order, augmentation, dropout and gradient norm, drawn as in a run of its own.
Nothing is added up over seeds, so one that diverges does not touch the others: its weights stay as they were.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from linewise.foundations.records import Epoch, Recipe
from linewise.foundations.seeds import stream
from linewise.images.batches import Batches
from linewise.models import Network
from linewise.models.recurrent import stacked as models
from linewise.models.recurrent.stacked import Stacked
from linewise.training.evaluation import BATCH
from linewise.training.graph import Graph, Recorder, recorder_for
from linewise.training.loop import Outcome
from linewise.training.optimiser import learning_rates, make_recordable


def why_alone(network: Network, recipe: Recipe) -> str:
    """Why seeds of this network are trained one by one; empty where they can be stacked."""
    return "with --read-along, seeds are trained one by one" if recipe.read_along else models.why_alone(network)


def train_stacked(
    networks: Sequence[Network],
    training: Batches,
    validation: Batches,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
    on_epoch: Callable[[int, Epoch], None] = lambda place, epoch: None,
    recorder: Recorder | None = None,
) -> list[Outcome]:
    """Train networks in place, as `train` would train each with its seed.

    Args:
        networks: of one configuration, for which `why_alone` is empty; one per seed.
        on_epoch: called with the place of a seed in `seeds` and its epoch.
        recorder: how steps are recorded; None takes a CUDA graph on a CUDA device.

    Returns:
        One outcome per seed. Times are shares: those of all, divided by the number of seeds that were still
        learning.
    """
    orders, augmenting, dropping = (
        [torch.Generator().manual_seed(stream(seed, purpose)) for seed in seeds]
        for purpose in ("order", "augment", "dropout")
    )
    stacked = Stacked(networks)
    steps, step, outcomes = recipe.epochs * training.num_steps(recipe.batch_size), 0, [Outcome() for _ in seeds]
    take = StackedStep(stacked, recipe, steps, recorder)
    for epoch in range(1, recipe.epochs + 1):
        learning = [s for s, outcome in enumerate(outcomes) if not outcome.diverged]
        started = time.perf_counter()
        take.forget_sums()
        for x_SBCHW, y_SB in training.shuffled_each(recipe.batch_size, orders, recipe.augment, augmenting):
            take(x_SBCHW, y_SB, stacked.noise(dropping, y_SB.shape[1]))
            step += 1
            on_step(step, steps)
        for s, why in take.diverged().items():
            outcomes[s].diverged = outcomes[s].diverged or why
        share_s = (time.perf_counter() - started) / len(learning)
        right_SN, val_loss_S = _validate(stacked, validation)
        loss_S, accuracy_S = take.means(len(training))
        for s in learning:
            outcome = outcomes[s]
            if outcome.diverged:
                continue
            outcome.train_s += share_s
            if not math.isfinite(val_loss_S[s]):
                outcome.diverged = f"validation loss {val_loss_S[s]} after epoch {epoch} of {recipe.epochs}"
                take.freeze(s)
                continue
            outcome.right.append(right_SN[s])
            outcome.epochs.append(
                Epoch(
                    epoch=epoch,
                    step=step,
                    train_loss=loss_S[s],
                    train_accuracy=accuracy_S[s],
                    validation_loss=val_loss_S[s],
                    validation_accuracy=float(right_SN[s].mean()),
                    train_s=share_s,
                )
            )
            on_epoch(s, outcome.epochs[-1])
        if all(outcome.diverged for outcome in outcomes):
            break
    stacked.write_back()
    return outcomes


@final
class StackedStep:
    """One step of S networks; what happens to each is kept on the device until it is asked for.

    A loss that is not finite ends the learning of its network: from then on its weights stay.
    """

    def __init__(self, stacked: Stacked, recipe: Recipe, steps: int, recorder: Recorder | None = None) -> None:
        self.stacked, self.recipe, self.steps = stacked, recipe, steps
        self.weights = list(stacked.weights.values())
        self.optimiser, self.lr = make_recordable(self.weights, recipe, axes=1)
        self.rates, self.taken = learning_rates(recipe, steps), 0
        device, count = self.lr.device, stacked.num_seeds
        self.alive_S = torch.ones(count, dtype=torch.bool, device=device)
        self.step_S, self.died_S = (torch.zeros(count, dtype=torch.int64, device=device) for _ in range(2))
        self.fatal_S, self.loss_S = (torch.zeros(count, dtype=torch.float64, device=device) for _ in range(2))
        self.right_S = torch.zeros_like(self.died_S)
        self.graph = Graph(self._work, recorder or recorder_for(device))

    def __call__(self, x_SBCHW: Tensor, y_SB: Tensor, noise: Sequence[Tensor]) -> None:
        self.lr.fill_(self.rates[self.taken])
        self.taken += 1
        self.graph(x_SBCHW, y_SB, *noise)

    def forget_sums(self) -> None:
        """Begin an epoch."""
        self.loss_S.zero_()
        self.right_S.zero_()

    def means(self, num_images: int) -> tuple[list[float], list[float]]:
        """Mean loss and accuracy of each network since `forget_sums`."""
        return (self.loss_S / num_images).tolist(), (self.right_S.double() / num_images).tolist()

    def diverged(self) -> dict[int, str]:
        """Networks whose loss was not finite: where, and how it was told in a run of its own."""
        fatal_S, found = self.fatal_S.tolist(), {}
        for s, step in enumerate(self.died_S.tolist()):
            if step:
                lr = self.rates[step - 1]
                found[s] = f"loss {fatal_S[s]} at step {step} of {self.steps}, learning rate {lr:.2g}"
        return found

    def freeze(self, s: int) -> None:
        """End the learning of one network."""
        self.alive_S[s] = False

    def _work(self, x_SBCHW: Tensor, y_SB: Tensor, *noise: Tensor) -> tuple[Tensor, ...]:
        logits_SBK = self.stacked(x_SBCHW, noise)
        losses_M = F.cross_entropy(
            logits_SBK.flatten(0, 1),
            y_SB.flatten(),
            reduction="none",
            label_smoothing=self.recipe.label_smoothing,
        )
        loss_S = losses_M.view_as(y_SB).mean(dim=1)
        self.optimiser.zero_grad()
        loss_S.sum().backward()
        with torch.no_grad():
            self._note(loss_S.detach(), logits_SBK.detach(), y_SB)
            before = [w.clone() for w in self.weights]
            if self.recipe.clip:
                self._clip()
            self.optimiser.step()
            for w, kept in zip(self.weights, before, strict=True):
                w.copy_(torch.where(self.alive_S.view(-1, *[1] * (w.ndim - 1)), w, kept))
        return ()

    def _note(self, loss_S: Tensor, logits_SBK: Tensor, y_SB: Tensor) -> None:
        self.step_S += 1
        dying_S = self.alive_S & ~torch.isfinite(loss_S)
        self.died_S.copy_(torch.where(dying_S, self.step_S, self.died_S))
        self.fatal_S.copy_(torch.where(dying_S, loss_S.double(), self.fatal_S))
        self.alive_S &= ~dying_S
        self.loss_S += loss_S.double() * y_SB.shape[1]
        self.right_S += (logits_SBK.argmax(dim=2) == y_SB).sum(dim=1)

    def _clip(self) -> None:
        """As `clip_grad_norm_`, with a norm for each network."""
        grads = [w.grad for w in self.weights if w.grad is not None]
        norms_PS = torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=1) for g in grads])
        factor_S = (self.recipe.clip / (torch.linalg.vector_norm(norms_PS, dim=0) + 1e-6)).clamp(max=1.0)
        for g in grads:
            g *= factor_S.view(-1, *[1] * (g.ndim - 1))


def _validate(stacked: Stacked, images: Batches) -> tuple[np.ndarray, list[float]]:
    """Whether each answer is right, bool `SN`, and the mean cross-entropy of each network."""
    right: list[Tensor] = []
    loss_S = 0.0
    with torch.inference_mode():
        for x_BCHW, y_B in images.in_order(max(1, BATCH // stacked.num_seeds)):
            x_SBCHW, y_SB = (x.expand(stacked.num_seeds, *x.shape) for x in (x_BCHW, y_B))
            logits_SBK = stacked(x_SBCHW)
            right.append(logits_SBK.argmax(dim=2) == y_SB)
            losses_M = F.cross_entropy(logits_SBK.flatten(0, 1), y_SB.flatten(), reduction="none")
            loss_S = loss_S + losses_M.view_as(y_SB).sum(dim=1).double()
    assert isinstance(loss_S, Tensor)
    return torch.cat(right, dim=1).cpu().numpy(), (loss_S / len(images)).tolist()
