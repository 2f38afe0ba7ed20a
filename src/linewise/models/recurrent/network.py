"""Networks that read: any cell, in one or two directions, over one or more readings.

The idea of an image as a sequence of rows is older than deep learning; the comparison with convolutions goes
back to ReNet (Visin et al. 2015) and Sequencer (Tatsunami & Taki 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from linewise.foundations.errors import ConfigError, unknown_name
from linewise.kernels import Beside
from linewise.models.network import NETWORKS, READS_STEP_BY_STEP, Entry, Features, Network
from linewise.models.recurrent.bodies import BODIES, Blocks, Plain, Reader
from linewise.models.recurrent.readouts import Readout, make_readout
from linewise.reading import parse as parse_reading

JOINS = ("concat", "sum", "mean")


@final
class SideBySide(Beside):
    """Modules that do not wait for one another: a network's readers, and their readouts."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.beside = tuple(str(i) for i in range(len(modules)))
        for name, module in zip(self.beside, modules, strict=True):
            self.add_module(name, module)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What each makes of its input, or of the only one."""
        if len(self.beside) == 1:
            return (self._modules["0"](*inputs),)  # pyright: ignore[reportOptionalCall]
        given = inputs if len(inputs) == len(self.beside) else inputs * len(self.beside)
        return tuple(module(x) for module, x in zip(self.children(), given, strict=True))


@final
class RecurrentNetwork(Network):
    """Reads an image in one or more orders and answers from what it remembers.

    Args:
        cell: `rnn`, `irnn`, `lstm`, `gru`, `mingru`, `minlstm`, `lru`, `rglru` or `mlstm`.
        bidirectional: two directions in every layer.
        hidden: U, units per direction, layer and reader.
        layers: recurrent layers.
        reading: names of readings joined by `+`; each has a reader of its own.
        join: how the readers' answers become one: `concat`, `sum` or `mean`.
        readout: `last` (the final state of each direction), `mean`, `max` or `attention` over steps, `last-mean`
            (both, side by side), or `auto`: last for one direction, mean for two.
        body: `plain` (layers one upon the other) or `blocks` (residual, norm before); see `bodies`.
        mlp: hidden units of the MLP in each block; 0 for twice `hidden`.
        dropout: fraction of features dropped before the classifier and between plain layers; in blocks, branches
            are dropped for single images, up to this rate in the last.

    Raises:
        ConfigError: an unknown reading, readout, join or body, or a setting that would have no effect.
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
        join: str = "concat",
        readout: str = "auto",
        body: str = "plain",
        mlp: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        for kind, value, known in (("join", join, JOINS), ("body", body, BODIES)):
            if value not in known:
                raise unknown_name(kind, value, known)
        readings = parse_reading(reading)
        if body == "plain" and mlp:
            raise ConfigError(f"mlp = {mlp}", where="body=plain", expected="no mlp", mend="choose body=blocks")
        if len(readings) == 1 and join != "concat":
            raise ConfigError(
                f"join = {join} for one reading", expected="readings joined by +, such as rows+columns"
            )
        self.bidirectional, self.readings = bidirectional, readings
        num_steps = {r.num_steps(*img_size) for r in readings}
        self.answers_each_step = not bidirectional and len(num_steps) == 1
        self.join = join
        readers: list[Reader] = []
        for r in readings:
            num_inputs = r.num_features(in_chans, *img_size)
            if body == "plain":
                made = Plain(cell, num_inputs, hidden, layers, bidirectional, dropout)
            else:
                made = Blocks(cell, num_inputs, hidden, layers, bidirectional, dropout, mlp or 2 * hidden)
            readers.append(Reader(r, made))
        self.readers = SideBySide(readers)
        readouts = [
            make_readout(
                readout, r.num_outputs, bidirectional=bidirectional, halves=bidirectional and body == "plain"
            )
            for r in readers
        ]
        self.readouts = SideBySide(readouts)
        self.in_chans, self.img_size = in_chans, tuple(img_size)
        self.dropout = nn.Dropout(dropout)
        widths = [r.num_outputs for r in readouts]
        self.num_features = sum(widths) if join == "concat" else widths[0]
        self.head = nn.Linear(self.num_features, num_classes)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """Hidden states after each step: `h_BTF`, or one such tensor per reader."""
        if x_BCHW.shape[1:] != (self.in_chans, *self.img_size):
            raise ConfigError(
                f"images of shape {tuple(x_BCHW.shape[1:])}",
                where="RecurrentNetwork",
                expected=f"(channels, height, width) = {(self.in_chans, *self.img_size)}",
            )
        states = self.readers(x_BCHW)
        return states[0] if len(states) == 1 else states

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        states = features if isinstance(features, tuple) else (features,)
        x_BF = self.joined(self.readouts(*states))
        if self.training:
            x_BF = self.dropout(x_BF)
        return x_BF if pre_logits else self.head(x_BF)

    def forward_steps(self, x_BCHW: Tensor) -> Tensor:
        if not self.answers_each_step:
            raise self.no_steps()
        features = self.forward_features(x_BCHW)
        states = features if isinstance(features, tuple) else (features,)
        readouts = [readout for readout in self.readouts.children() if isinstance(readout, Readout)]
        answers = tuple(r.each_step(h_BTF) for r, h_BTF in zip(readouts, states, strict=True))
        return self.head(self.dropout(self.joined(answers)))

    def no_steps(self) -> ConfigError:
        why = "reads in two directions"
        if not self.bidirectional:
            lengths = ", ".join(f"{r.name} {r.num_steps(*self.img_size)}" for r in self.readings)
            why = f"reads with different numbers of steps ({lengths})"
        return ConfigError(
            f"{self.config.name} {why}, so it has no answer before its end", expected=READS_STEP_BY_STEP
        )

    def joined(self, answers: tuple[Tensor, ...]) -> Tensor:
        """The readers' answers as one, over the last dimension."""
        if len(answers) == 1:
            return answers[0]
        if self.join == "concat":
            return torch.cat(answers, dim=-1)
        return torch.stack(answers).sum(dim=0) / (len(answers) if self.join == "mean" else 1)


def _scale(width: float, given: Mapping[str, Any], default_body: str) -> dict[str, int]:
    hidden = max(1, round(width))
    if given.get("body", default_body) == "plain":
        return {"hidden": hidden}
    return {"hidden": hidden, "mlp": max(1, round(2 * width))}


def _register(cell: str, title: str, body: str, layers: int, readout: str) -> None:
    for two in (False, True):
        NETWORKS.add(
            f"bi{cell}" if two else cell,
            Entry(
                family="recurrent",
                build=RecurrentNetwork,
                summary=f"{title} that reads the image{' in two directions' if two else ''}",
                scale=lambda width, given: _scale(width, given, body),
                fine="mlp",
                fixed={"cell": cell, "bidirectional": two},
                defaults={"body": body, "layers": layers, "readout": readout},
            ),
        )


_register("rnn", "tanh-RNN", "plain", 1, "auto")
_register("irnn", "ReLU-RNN with identity start", "plain", 1, "auto")
_register("lstm", "LSTM", "plain", 1, "auto")
_register("gru", "GRU", "plain", 1, "auto")
_register("mingru", "minGRU in residual blocks", "blocks", 2, "mean")
_register("minlstm", "minLSTM in residual blocks", "blocks", 2, "mean")
_register("lru", "linear recurrent unit in residual blocks", "blocks", 2, "mean")
_register("rglru", "real-gated linear recurrent unit in residual blocks", "blocks", 2, "mean")
_register("mlstm", "LSTM with matrix memory in residual blocks", "blocks", 2, "mean")
