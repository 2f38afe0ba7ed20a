"""All that training stands on between one step and the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from linewise.foundations.records import Epoch, Record
from linewise.foundations.seeds import stream
from linewise.models import Network
from linewise.training.step import Step, Taken

ON_DEVICE = "chance.dropout_on_device"


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


@dataclass
class Sums:
    """Over the steps of the epoch so far: how many, loss and hits over images, seconds."""

    steps: int = 0
    loss: float = 0.0
    right: int = 0
    seen: int = 0
    seconds: float = 0.0

    def add(self, taken: Taken) -> None:
        self.steps += 1
        self.loss += taken.answer_loss * taken.num_images
        self.right += taken.num_right
        self.seen += taken.num_images


class Position(Record):
    """The numbers of a `State`.

    Attributes:
        step: steps taken.
        lr: learning rate of the next one; 0 after the last.
        epoch_steps: of them in the epoch that is not over; epoch_loss, epoch_right, epoch_seen, epoch_s: its sums.
        train_s: seconds of training in the epochs that are over.
        epochs: those that are over.
    """

    step: int = Field(ge=0)
    lr: float
    epoch_steps: int = Field(ge=0)
    epoch_loss: float
    epoch_right: int = Field(ge=0)
    epoch_seen: int = Field(ge=0)
    epoch_s: float
    train_s: float
    epochs: list[Epoch]


class UnfitError(Exception):
    """A state that is not one of this training; the text says why."""


@final
class Chance:
    """The generators of a run. Dropout draws from torch's own, of the processor and of the device.

    Args:
        device: where the network is.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.order, self.augmenting = (
            torch.Generator().manual_seed(stream(seed, purpose)) for purpose in ("order", "augment")
        )
        torch.manual_seed(stream(seed, "dropout"))
        self.device = device
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Remember from where the order of the next epoch is drawn."""
        self._order = self.order.get_state()

    def tensors(self) -> dict[str, Tensor]:
        found = {
            "chance.order": self._order,
            "chance.augment": self.augmenting.get_state(),
            "chance.dropout": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            found[ON_DEVICE] = torch.cuda.get_rng_state(self.device)
        return found

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.order.set_state(tensors["chance.order"])
        self.begin_epoch()
        self.augmenting.set_state(tensors["chance.augment"])
        torch.set_rng_state(tensors["chance.dropout"])
        if self.device.type == "cuda" and ON_DEVICE in tensors:
            torch.cuda.set_rng_state(tensors[ON_DEVICE], self.device)


@final
class State:
    """A training between two steps.

    Args:
        steps: of the whole training.
        num_epochs: of the whole training.
        num_validation: images that are answered after each epoch.
    """

    def __init__(
        self, network: Network, take: Step, chance: Chance, steps: int, num_epochs: int, num_validation: int
    ) -> None:
        self.network, self.take, self.chance = network, take, chance
        self.steps, self.steps_of_epoch, self.num_validation = steps, steps // num_epochs, num_validation
        self.step, self.sums, self.outcome = 0, Sums(), Outcome()

    def end_epoch(self, logits_NK: Tensor, val_loss: float, labels_N: np.ndarray) -> None:
        """Enter an epoch whose steps are taken and whose validation images are answered; begin the next."""
        sums, outcome = self.sums, self.outcome
        right_N = logits_NK.argmax(dim=1).cpu().numpy() == labels_N
        outcome.train_s += sums.seconds
        outcome.right.append(right_N)
        outcome.answers_NK = torch.softmax(logits_NK, dim=1).cpu().numpy()
        outcome.epochs.append(
            Epoch(
                epoch=len(outcome.epochs) + 1,
                step=self.step,
                train_loss=sums.loss / sums.seen,
                train_accuracy=sums.right / sums.seen,
                validation_loss=val_loss,
                validation_accuracy=float(right_N.mean()),
                train_s=sums.seconds,
            )
        )
        self.sums = Sums()
        self.chance.begin_epoch()

    def position(self) -> Position:
        sums, outcome = self.sums, self.outcome
        return Position(
            step=self.step,
            lr=self.take.next_lr() if self.step < self.steps else 0.0,
            epoch_steps=sums.steps,
            epoch_loss=sums.loss,
            epoch_right=sums.right,
            epoch_seen=sums.seen,
            epoch_s=sums.seconds,
            train_s=outcome.train_s,
            epochs=outcome.epochs,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Weights, what the optimiser remembers, generators, and what was recognised after each epoch."""
        found = {**self._living(), **self.chance.tensors()}
        if self.outcome.right:
            found["outcome.right"] = torch.from_numpy(np.stack(self.outcome.right))
        if self.step == self.steps and not self.sums.steps:  # they are asked for at the end only
            assert self.outcome.answers_NK is not None
            found["outcome.answers"] = torch.from_numpy(self.outcome.answers_NK)
        return found

    def restore(self, position: Position, tensors: dict[str, Tensor]) -> None:
        """Go on from there.

        Raises:
            UnfitError: this training never comes to such a state; nothing was changed.
        """
        living = self._living()
        self._check(position, tensors, {**living, **self.chance.tensors()})
        self.take.go_to(position.step)
        if position.step < self.steps and (lr := self.take.next_lr()) != position.lr:
            self.take.go_to(self.step)
            raise UnfitError(f"the learning rate is {position.lr}, not {lr}")
        with torch.no_grad():
            for name, tensor in living.items():
                tensor.copy_(tensors[name])
        self.chance.restore(tensors)
        self.step = position.step
        self.sums = Sums(
            position.epoch_steps, position.epoch_loss, position.epoch_right, position.epoch_seen, position.epoch_s
        )
        outcome = self.outcome
        outcome.epochs[:], outcome.train_s = position.epochs, position.train_s
        if "outcome.right" in tensors:
            outcome.right[:] = list(tensors["outcome.right"].numpy())
        if "outcome.answers" in tensors:
            outcome.answers_NK = tensors["outcome.answers"].numpy()

    def _living(self) -> dict[str, Tensor]:
        """The tensors that steps change in place."""
        return {
            **{f"network.{name}": tensor for name, tensor in self.network.state_dict().items()},
            **{f"optimiser.{name}": tensor for name, tensor in self.take.remembered().items()},
        }

    def _check(self, position: Position, tensors: dict[str, Tensor], like: dict[str, Tensor]) -> None:
        over = len(position.epochs)
        if position.step != over * self.steps_of_epoch + position.epoch_steps or position.step > self.steps:
            raise UnfitError(f"step {position.step} and {over} epochs do not go together")
        expected = {name: (tuple(t.shape), t.dtype) for name, t in like.items()}
        found = {name: (tuple(t.shape), t.dtype) for name, t in tensors.items()}
        right, answers = found.pop("outcome.right", None), found.pop("outcome.answers", None)
        expected.pop(ON_DEVICE, None)
        found.pop(ON_DEVICE, None)
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                raise UnfitError(f"{name} is {found.get(name)}, not {expected.get(name)}")
        if right != (((over, self.num_validation), torch.bool) if over else None):
            raise UnfitError(f"what was recognised after each epoch is {right}")
        ended = position.step == self.steps and not position.epoch_steps
        if (answers[0][:1] if answers else None) != ((self.num_validation,) if ended else None):
            raise UnfitError(f"the answers after the last epoch are {answers}")
