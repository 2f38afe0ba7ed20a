"""A network that reads step by step, so that reading may end before the image does.

All that is remembered between two steps is one nested structure of tensors whose first dimension is the batch;
images that have been answered leave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from linewise.kernels import steps, until
from linewise.kernels.fused.early import Until
from linewise.models.recurrent.bodies import Plain, Reader
from linewise.models.recurrent.network import RecurrentNetwork
from linewise.models.recurrent.readouts import Last, Readout


@final
class Stepping:
    """A causal network in evaluation, one step at a time, or some.

    Attributes:
        pays_together: whether several steps of one image at once cost much less than one after another.

    Raises:
        ConfigError: the network has no answer before its end.

    >>> network = create_model("gru", num_classes=3, img_size=(8, 8)).eval()    # doctest: +SKIP
    >>> stepping = Stepping(network)                                             # doctest: +SKIP
    >>> memory = stepping.start(batch_size=1)                                    # doctest: +SKIP
    >>> for x in stepping.steps(x_BCHW):                                         # doctest: +SKIP
    ...     logits_BK, memory = stepping.step(memory, x)
    """

    def __init__(self, network: RecurrentNetwork) -> None:
        if not network.answers_each_step:
            raise network.no_steps()
        self.network = network.eval()
        self.bodies = [reader.body for reader in network.readers.children() if isinstance(reader, Reader)]
        layers = [module for body in self.bodies for module in body.modules()]
        self.pays_together = any(steps.pays_together(layer) for layer in layers)
        self.readouts = [readout for readout in network.readouts.children() if isinstance(readout, Readout)]

    def steps(self, x_BCHW: Tensor) -> list[tuple[Tensor, ...]]:
        """What each reader is given at each step: T tuples of `x_BD`."""
        sequences = [reading.read(x_BCHW).unbind(1) for reading in self.network.readings]
        return list(zip(*sequences, strict=True))

    def sequences(self, x_BCHW: Tensor) -> tuple[Tensor, ...]:
        """What each reader is given, `x_TBD`."""
        return tuple(reading.read(x_BCHW).transpose(0, 1) for reading in self.network.readings)

    def start(self, batch_size: int) -> Memory:
        """What is remembered before the first step."""
        like = next(self.network.parameters())
        bodies = [body.start(batch_size) for body in self.bodies]
        return Memory(
            bodies,
            [
                readout.start(like.new_zeros(batch_size, body.num_outputs))
                for readout, body in zip(self.readouts, self.bodies, strict=True)
            ],
        )

    def step(self, memory: Memory, x: tuple[Tensor, ...]) -> tuple[Tensor, Memory]:
        """Logits `BK` after one more step, and what is remembered then.

        Args:
            x: `x_BD` for each reader.
        """
        answers, bodies, readouts = [], [], []
        for i, x_BD in enumerate(x):
            h_BF, body = self.bodies[i].step(memory.bodies[i], x_BD)
            x_BG, readout = self.readouts[i].step(memory.readouts[i], h_BF)
            answers.append(x_BG)
            bodies.append(body)
            readouts.append(readout)
        return self.network.head(self.network.joined(tuple(answers))), Memory(bodies, readouts)

    def until(self) -> Until | None:
        """Layer, classifier and rule in one call for one image; None where the network has another form."""
        body, readout = self.bodies[0], self.readouts[0]
        if len(self.bodies) > 1 or not isinstance(body, Plain) or not isinstance(readout, Last):
            return None
        return until(body.layers[0], self.network.head) if len(body.layers) == 1 else None

    def several(self, memory: Memory, x: tuple[Tensor, ...]) -> tuple[Tensor, Memory]:
        """Logits `TBK` after each of some further steps, and what is remembered after the last.

        Args:
            x: `x_TBD` for each reader.
        """
        answers, bodies, readouts = [], [], []
        for i, x_TBD in enumerate(x):
            h_TBF, body = self.bodies[i].several(memory.bodies[i], x_TBD)
            x_TBG, readout = self.readouts[i].several(memory.readouts[i], h_TBF)
            answers.append(x_TBG)
            bodies.append(body)
            readouts.append(readout)
        return self.network.head(self.network.joined(tuple(answers))), Memory(bodies, readouts)


@final
@dataclass(frozen=True)
class Memory:
    """What a network remembers between two steps, by reader: the states of its layers, and of its readout."""

    bodies: list[list[tuple[Tensor, ...]]]
    readouts: list[tuple[Tensor, ...]]

    def pick(self, chosen_B: Tensor) -> Memory:
        """The memory of some of the images, by place or as a mask; a place may come up several times."""
        return Memory(
            [[tuple(t[chosen_B] for t in state) for state in body] for body in self.bodies],
            [tuple(t[chosen_B] for t in readout) for readout in self.readouts],
        )

    def join(self, other: Memory) -> Memory:
        """The images of both, those of `other` last."""
        return Memory(
            [
                [tuple(map(_cat, a, b)) for a, b in zip(mine, theirs, strict=True)]
                for mine, theirs in zip(self.bodies, other.bodies, strict=True)
            ],
            [tuple(map(_cat, a, b)) for a, b in zip(self.readouts, other.readouts, strict=True)],
        )


def _cat(first: Tensor, second: Tensor) -> Tensor:
    return torch.cat([first, second])
