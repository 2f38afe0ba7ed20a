"""Networks that read: tanh-RNN, LSTM and GRU, in one or two directions, one or more layers.

The idea of an image as a sequence of rows is older than deep learning; the comparison with convolutions goes
back to ReNet (Visin et al. 2015) and Sequencer (Tatsunami & Taki 2022).
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from linewise.foundations.errors import ConfigError, unknown_name
from linewise.kernels import recurrent_layer
from linewise.models.network import NETWORKS, Entry, Features, Network
from linewise.reading import Reading
from linewise.reading import parse as parse_reading

READOUTS = ("auto", "last", "mean")


class Reader(nn.Module):
    """A stack of recurrent layers over one reading; dropout between layers, outside the cell."""

    def __init__(
        self,
        reading: Reading,
        cell: str,
        num_inputs: int,
        num_hidden: int,
        layers: int,
        bidirectional: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.reading = reading
        self.num_outputs = num_hidden * (2 if bidirectional else 1)
        widths = [num_inputs] + [self.num_outputs] * (layers - 1)
        self.layers = nn.ModuleList(
            recurrent_layer(cell, d, num_hidden, bidirectional=bidirectional) for d in widths
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Hidden states of the last layer after each step, `h_BTF`."""
        h_BTF = self.reading.read(x_BCHW)
        for i, layer in enumerate(self.layers):
            h_BTF, _ = layer(self.dropout(h_BTF) if i else h_BTF)
        return h_BTF


class SideBySide(nn.ModuleList):
    """Modules that do not wait for one another: their sequential depth is that of the deepest."""


@final
class RecurrentNetwork(Network):
    """Reads an image in one or more orders and answers from what it remembers.

    Args:
        cell: `rnn`, `lstm` or `gru`.
        bidirectional: two directions in every layer.
        hidden: U, units per direction, layer and reader.
        layers: recurrent layers.
        reading: names of readings joined by `+`; each has a reader of its own, their answers are concatenated.
        readout: `last` (the final state of each direction), `mean` over steps, or `auto`: last for one
            direction, mean for two.
        dropout: fraction of features dropped between layers and before the classifier.

    Raises:
        ConfigError: an unknown reading or readout.
    """

    def __init__(
        self,
        *,
        cell: str,
        bidirectional: bool,
        num_classes: int,
        in_chans: int = 1,
        img_size: tuple[int, int] = (28, 28),
        hidden: int = 128,
        layers: int = 1,
        reading: str = "rows",
        readout: str = "auto",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if readout not in READOUTS:
            raise unknown_name("readout", readout, READOUTS)
        self.hidden, self.bidirectional = hidden, bidirectional
        self.readout = ("mean" if bidirectional else "last") if readout == "auto" else readout
        self.answers_each_step = not bidirectional
        self.readers = SideBySide(
            Reader(r, cell, r.num_features(in_chans, *img_size), hidden, layers, bidirectional, dropout)
            for r in parse_reading(reading)
        )
        self.in_chans, self.img_size = in_chans, tuple(img_size)
        self.dropout = nn.Dropout(dropout)
        self.num_features = sum(reader.num_outputs for reader in self._each())
        self.head = nn.Linear(self.num_features, num_classes)

    def _each(self) -> list[Reader]:
        return [reader for reader in self.readers if isinstance(reader, Reader)]

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """Hidden states after each step: `h_BTF`, or one such tensor per reader."""
        if x_BCHW.shape[1:] != (self.in_chans, *self.img_size):
            raise ConfigError(
                f"images of shape {tuple(x_BCHW.shape[1:])}",
                where="RecurrentNetwork",
                expected=f"(channels, height, width) = {(self.in_chans, *self.img_size)}",
            )
        states = tuple(reader(x_BCHW) for reader in self._each())
        return states[0] if len(states) == 1 else states

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        states = features if isinstance(features, tuple) else (features,)
        x_BF = self.dropout(torch.cat([self._read_out(h_BTF) for h_BTF in states], dim=1))
        return x_BF if pre_logits else self.head(x_BF)

    def _read_out(self, h_BTF: Tensor) -> Tensor:
        if self.readout == "mean":
            return h_BTF.mean(dim=1)
        if not self.bidirectional:
            return h_BTF[:, -1]
        return torch.cat([h_BTF[:, -1, : self.hidden], h_BTF[:, 0, self.hidden :]], dim=1)


def _scale(width: float) -> dict[str, int]:
    return {"hidden": max(1, round(width))}


for _cell, _title in (("rnn", "tanh-RNN"), ("lstm", "LSTM"), ("gru", "GRU")):
    for _two in (False, True):
        NETWORKS.add(
            f"bi{_cell}" if _two else _cell,
            Entry(
                family="recurrent",
                build=RecurrentNetwork,
                summary=f"{_title} that reads the image{' in two directions' if _two else ''}",
                scale=_scale,
                fixed={"cell": _cell, "bidirectional": _two},
            ),
        )
