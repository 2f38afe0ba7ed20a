"""Many recurrent networks of one shape, each with its own weights, as one computation with a leading axis S."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from linewise.kernels.layers import LAYERS
from linewise.kernels.stacked import CELLS, stacked_layer
from linewise.models.network import Network
from linewise.models.recurrent.bodies import Plain, Reader
from linewise.models.recurrent.network import RecurrentNetwork
from linewise.models.recurrent.readouts import Attention, Last, Readout

STACKABLE = ", ".join(f"{cell}, bi{cell}" for cell in CELLS)
_CELLS: dict[object, str] = {LAYERS[cell]: cell for cell in CELLS}


def why_alone(network: Network) -> str:
    """Why networks like this one are trained one by one; empty where they can be stacked."""
    if not isinstance(network, RecurrentNetwork):
        return f"only {STACKABLE} can be trained many at once"
    for reader in _readers(network):
        if not isinstance(reader.body, Plain):
            return "residual blocks are trained one by one"
        if any(_CELLS.get(type(layer)) is None for layer in reader.body.layers):
            return f"only {STACKABLE} can be trained many at once"
    if any(isinstance(readout, Attention) for readout in network.readouts.children()):
        return "a readout by attention is trained one by one"
    if not all(parameter.requires_grad for parameter in network.parameters()):
        return "some of its weights are fixed"
    return ""


@final
class Stacked:
    """S networks of one shape.

    Args:
        networks: of the same configuration, for which `why_alone` is empty; they are not changed before
            `write_back`.

    Attributes:
        weights: by their names in one network, with a leading axis S.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        like = networks[0]
        assert isinstance(like, RecurrentNetwork), like
        assert not (why := why_alone(like)), why
        self.networks, self.like, self.num_seeds = list(networks), like, len(networks)
        named = [dict(network.named_parameters()) for network in networks]
        self.weights = {
            name: torch.stack([each[name].detach() for each in named]).requires_grad_() for name in named[0]
        }

    def __call__(self, x_SBCHW: Tensor, noise: Sequence[Tensor] = ()) -> Tensor:
        """Logits `SBK`.

        Args:
            noise: of `noise`, while training with dropout.
        """
        batch, left = x_SBCHW.shape[1], list(noise)
        x_MCHW, answers = x_SBCHW.flatten(0, 1), []
        for i, (reader, readout) in enumerate(
            zip(_readers(self.like), self.like.readouts.children(), strict=True)
        ):
            assert isinstance(reader.body, Plain)
            assert isinstance(readout, Readout)
            h = reader.reading.read(x_MCHW).unflatten(0, (self.num_seeds, batch)).transpose(1, 2)
            for number, layer in enumerate(reader.body.layers):
                if number and left:
                    h = h * left.pop(0)
                h = self._layer(_CELLS[type(layer)], f"readers.{i}.body.layers.{number}", h)
            if isinstance(readout, Last):  # the steps between are not asked for
                h = torch.stack([h[:, 0], h[:, -1]], dim=1)
            answers.append(readout(h.transpose(1, 2).flatten(0, 1)))
        x_SBF = self.like.joined(tuple(answers)).unflatten(0, (self.num_seeds, batch))
        if left:
            x_SBF = x_SBF * left.pop(0)
        return torch.baddbmm(self.weights["head.bias"][:, None], x_SBF, self.weights["head.weight"].mT)

    def _layer(self, cell: str, prefix: str, x_STBD: Tensor) -> Tensor:
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        names = [f"{prefix}.{kind}_l0{ending}" for ending in ("", "_reverse") for kind in kinds]
        return stacked_layer(cell, x_STBD, [self.weights[name] for name in names if name in self.weights])

    def noise(self, generators: Sequence[torch.Generator], batch: int) -> list[Tensor]:
        """What dropout multiplies with in one step, drawn for each network as it would draw itself on the
        processor: between layers `STBF`, reader by reader, and before the classifier `SBF`."""
        rate, head = self.like.dropout.p, self.weights["head.weight"]
        if not rate:
            return []
        shapes: list[tuple[int, ...]] = []
        for reader in _readers(self.like):
            assert isinstance(reader.body, Plain)
            steps = reader.reading.num_steps(*self.like.config.img_size)
            shapes += [(steps, batch, reader.body.num_outputs)] * (len(reader.body.layers) - 1)
        shapes.append((batch, self.like.num_features))
        drawn = [
            [torch.empty(s, dtype=head.dtype).bernoulli_(1 - rate, generator=g).div_(1 - rate) for s in shapes]
            for g in generators
        ]
        return [torch.stack(of_place).to(head.device) for of_place in zip(*drawn, strict=True)]

    @torch.no_grad()
    def write_back(self) -> None:
        """Put the weights into the networks."""
        for s, network in enumerate(self.networks):
            for name, parameter in network.named_parameters():
                parameter.copy_(self.weights[name][s])


def _readers(network: RecurrentNetwork) -> list[Reader]:
    return [reader for reader in network.readers.children() if isinstance(reader, Reader)]
