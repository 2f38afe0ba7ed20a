"""Reading step by step gives what reading at once gives, for every layer, body and readout."""

from __future__ import annotations

import pytest
import torch

from linewise.foundations.errors import ConfigError
from linewise.kernels import recurrent_layer, steps
from linewise.models import create_model
from linewise.models.recurrent.network import RecurrentNetwork
from linewise.models.recurrent.stepping import Memory, Stepping

CELLS = ["rnn", "irnn", "lstm", "gru", "mingru", "minlstm", "lru", "rglru", "mlstm"]


def network(name: str, **sizes: object) -> RecurrentNetwork:
    torch.manual_seed(0)
    found = create_model(name, num_classes=3, img_size=(8, 8), hidden=8, **sizes)  # type: ignore[arg-type]
    for module in found.modules():
        if type(module).__name__ == "Attention":  # a score that is zero would make it a mean
            torch.nn.init.normal_(module.score.weight)  # type: ignore[union-attr,arg-type]
    assert isinstance(found, RecurrentNetwork)
    return found.eval()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("num_inputs", [5, 6])  # 6: as many as hidden units, which gives the LRU a skip
@torch.inference_mode()
def test_a_layer_step_by_step(cell: str, num_inputs: int) -> None:
    torch.manual_seed(0)
    layer = recurrent_layer(cell, num_inputs, 6)
    for parameter in layer.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    x_TBD = torch.randn(40, 3, num_inputs)
    state, found = steps.start(layer, 3), []
    for x_BD in x_TBD:
        h_BU, state = steps.step(layer, state, x_BD)
        found.append(h_BU)
    torch.testing.assert_close(torch.stack(found), layer(x_TBD)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "sizes",
    [
        {"body": "plain", "readout": "last"},
        {"body": "plain", "readout": "attention", "layers": 2},
        {"body": "blocks", "readout": "mean", "layers": 2},
        {"body": "blocks", "readout": "max"},
        {"body": "plain", "readout": "last-mean", "reading": "rows+columns"},
        {"body": "plain", "readout": "mean", "reading": "rows+columns", "join": "sum", "dropout": 0.2},
    ],
)
@torch.inference_mode()
def test_a_network_step_by_step(cell: str, sizes: dict[str, object]) -> None:
    net = network(cell, **sizes)
    stepping, x_BCHW = Stepping(net), torch.randn(4, 1, 8, 8)
    memory, found = stepping.start(4), []
    for x in stepping.steps(x_BCHW):
        logits_BK, memory = stepping.step(memory, x)
        found.append(logits_BK)
    torch.testing.assert_close(torch.stack(found, dim=1), net.forward_steps(x_BCHW), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "mlstm"])
@torch.inference_mode()
def test_images_may_leave_and_join(cell: str) -> None:
    net = network(cell, body="blocks", readout="attention")
    stepping, x_BCHW = Stepping(net), torch.randn(5, 1, 8, 8)
    expected_BTK, x = net.forward_steps(x_BCHW), stepping.steps(x_BCHW)

    def read(memory: Memory, images: list[int], times: range) -> tuple[torch.Tensor, Memory]:
        logits_BK = torch.zeros(0)
        for t in times:
            logits_BK, memory = stepping.step(memory, tuple(x_BD[images] for x_BD in x[t]))
        return logits_BK, memory

    _, some = read(stepping.start(2), [0, 3], range(3))
    _, more = read(stepping.start(3), [1, 2, 4], range(3))
    together = some.join(more).pick(torch.tensor([True, False, True, False, True]))
    logits_BK, _ = read(together, [0, 1, 4], range(3, 6))
    torch.testing.assert_close(logits_BK, expected_BTK[[0, 1, 4], 5], rtol=1e-4, atol=1e-5)
    twice = more.pick(torch.tensor([2, 2]))
    logits_BK, _ = read(twice, [4, 4], range(3, 4))
    torch.testing.assert_close(logits_BK, expected_BTK[[4, 4], 3], rtol=1e-4, atol=1e-5)


def test_a_network_without_steps_is_refused() -> None:
    with pytest.raises(ConfigError, match="bigru reads in two directions"):
        Stepping(network("bigru"))
