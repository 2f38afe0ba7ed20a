"""The three forms in which a network is written, as modules an exporter can follow; and what torch answers.

Inputs and outputs have the same names in the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from linewise.export.card import AnySize, Form, ReaderCard, StateCard
from linewise.export.opening import IMAGES, LOGITS, STEP_LOGITS
from linewise.export.twins import with_twins
from linewise.foundations.errors import ConfigError
from linewise.kernels import Cell
from linewise.models.create import create_on_meta
from linewise.models.network import Network
from linewise.models.recurrent.network import RecurrentNetwork
from linewise.models.recurrent.readouts import Readout
from linewise.models.recurrent.stepping import Memory, Stepping


def why_not(network: Network) -> str:
    """Why this network cannot be exported; empty where it can."""
    if network.counted_by_torch:
        return "networks of timm are not Linewise's to export"
    return ""


@final
class Whole(nn.Module):
    """Images in, logits out."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)


@final
class EachStep(nn.Module):
    """Images in; logits, the answer after each step and the state after each step out."""

    def __init__(self, network: RecurrentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        network = self.network
        features = network.forward_features(images)
        states = features if isinstance(features, tuple) else (features,)
        readouts = [readout for readout in network.readouts.children() if isinstance(readout, Readout)]
        answers = tuple(r.each_step(h_BTF) for r, h_BTF in zip(readouts, states, strict=True))
        return network.forward_head(features), network.head(network.joined(answers)), *states


@final
class OneStep(nn.Module):
    """What each reader is given at one step, and the states, in; logits and the states to go on with out."""

    def __init__(self, network: RecurrentNetwork) -> None:
        super().__init__()
        self.network = network
        self.num_readers = len(network.readings)

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        stepping = Stepping(self.network)
        given, states = inputs[: self.num_readers], inputs[self.num_readers :]
        logits_BK, memory = stepping.step(filled(stepping.start(1), states), given)
        return logits_BK, *flat(memory)


def flat(memory: Memory) -> list[Tensor]:
    """All tensors of a memory in their order."""
    return [t for body in memory.bodies for state in body for t in state] + [t for r in memory.readouts for t in r]


def filled(like: Memory, tensors: tuple[Tensor, ...]) -> Memory:
    """A memory of the same structure with these tensors."""
    rest = iter(tensors)
    bodies = [[tuple(next(rest) for _ in state) for state in body] for body in like.bodies]
    return Memory(bodies, [tuple(next(rest) for _ in readout) for readout in like.readouts])


@final
@dataclass(frozen=True)
class Plan:
    """All it takes to write a network in one form.

    Attributes:
        module: what the exporter follows; its layers are twins.
        inputs: examples by name, a batch of `EXAMPLES`.
        outputs: names.
        any_size: None where height and width are fixed.
    """

    form: Form
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: list[str]
    any_size: AnySize | None
    readers: list[ReaderCard]
    states: list[StateCard]


EXAMPLES = 3
"""Images in the exporter's example: not 1, which an exporter may take for a constant."""


def plan(network: Network, form: Form, *, fixed_size: bool = False) -> Plan:
    """How a network is written in one form.

    Raises:
        ConfigError: the network cannot be exported, or has no such form.
    """
    if why := why_not(network):
        raise ConfigError(why, where=network.config.name, expected="one of Linewise's own networks")
    if form != "image" and not (isinstance(network, RecurrentNetwork) and network.answers_each_step):
        raise network.no_steps()
    twin, config = with_twins(network), network.config
    for (
        reading
    ) in network.readings:  # orders are remembered; the first call must not be an exporter's, with no numbers
        reading.read(torch.zeros(1, config.in_chans, *config.img_size))
    if form == "row-by-row":
        return _row_by_row(twin, network)
    any_size = None if fixed_size else takes_any_size(network)
    height, width = config.img_size
    if any_size:  # other sides than one another's and than the batch, lest an exporter takes them for the same
        height, width = 2 * height, 3 * width
    images = torch.zeros(EXAMPLES, config.in_chans, height, width)
    if form == "image":
        return Plan(form, Whole(twin), {IMAGES: images}, [LOGITS], any_size, [], [])
    assert isinstance(twin, RecurrentNetwork)
    states = state_names(len(twin.readings))
    return Plan(form, EachStep(twin), {IMAGES: images}, [LOGITS, STEP_LOGITS, *states], any_size, [], [])


def state_names(num_readers: int) -> list[str]:
    """Of the states after each step, one per reader."""
    return ["states"] if num_readers == 1 else [f"states_{i}" for i in range(num_readers)]


def _row_by_row(twin: Network, network: Network) -> Plan:
    assert isinstance(twin, RecurrentNetwork)
    height, width = twin.config.img_size
    many = len(twin.readings) > 1
    readers = [
        ReaderCard(input=f"step_{i}" if many else "step", order=reading.order(height, width).tolist())
        for i, reading in enumerate(twin.readings)
    ]
    inputs = {
        reader.input: torch.zeros(EXAMPLES, reading.num_features(twin.config.in_chans, height, width))
        for reader, reading in zip(readers, twin.readings, strict=True)
    }
    with torch.no_grad():
        start = flat(Stepping(twin).start(EXAMPLES))
    states = []
    for i, tensor in enumerate(start):
        value = tensor.flatten()[0].item()
        assert bool((tensor == value).all()), "a state starts as one number"
        states.append(
            StateCard(
                input=f"state_{i}",
                output=f"next_state_{i}",
                shape=list(tensor.shape[1:]),
                start="-Infinity" if value == float("-inf") else value,
            )
        )
        inputs[f"state_{i}"] = tensor.clone()  # an exporter takes the same tensor for the same input
    outputs = [LOGITS, *(state.output for state in states)]
    return Plan("row-by-row", OneStep(twin), inputs, outputs, None, readers, states)


def takes_any_size(network: Network) -> AnySize | None:
    """Whether height and width may vary, and of what they are multiples; found by asking the network for others.

    Linear recurrences are written for one number of steps, so that a grid swept by them keeps its size.
    """
    height, width = network.config.img_size
    if isinstance(network, RecurrentNetwork) or any(isinstance(layer, Cell) for layer in network.modules()):
        return None
    ghost = create_on_meta(network.config).eval()
    if not (_takes(ghost, 2 * height, 2 * width) and _takes(ghost, 2 * height, 3 * width)):
        return None
    for multiple in range(1, min(height, width) + 1):
        fits = height % multiple == 0 and width % multiple == 0
        if fits and _takes(ghost, height + multiple, width) and _takes(ghost, height, width + multiple):
            return AnySize(multiple=multiple)
    return None


def _takes(ghost: Network, height: int, width: int) -> bool:
    try:
        with torch.no_grad():
            ghost(torch.zeros(1, ghost.config.in_chans, height, width, device="meta"))
    except ConfigError:
        return False
    return True


def torchs(network: Network, form: Form, x_BCHW: Tensor) -> dict[str, Any]:
    """What torch answers in the form `image` or `steps`, by output name, as arrays."""
    with torch.inference_mode():
        found = {LOGITS: network(x_BCHW)}
        if form == "steps":
            assert isinstance(network, RecurrentNetwork)
            features = network.forward_features(x_BCHW)
            states = features if isinstance(features, tuple) else (features,)
            found[STEP_LOGITS] = network.forward_steps(x_BCHW)
            found.update(zip(state_names(len(states)), states, strict=True))
    return {name: tensor.numpy() for name, tensor in found.items()}
