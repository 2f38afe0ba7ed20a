"""Linear recurrences by doubling, against loops and the cells they stand for."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from linewise.export.doubling import GatedTwin, LRUTwin, doubled, doubled_complex
from linewise.export.twins import AttentionTwin, MaxTwin, OperatorLayer, with_twins
from linewise.kernels import CELLS, Cell, recurrent_layer
from linewise.kernels.lru import LRU
from linewise.models import create_model
from linewise.models.recurrent.readouts import Attention, Max


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31))
def test_doubled_is_the_loop(steps: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a = torch.rand(steps, 2, 3, generator=generator, dtype=torch.float64)
    b = torch.randn(steps, 2, 3, generator=generator, dtype=torch.float64)
    h, states = torch.zeros(2, 3, dtype=torch.float64), []
    for t in range(steps):
        h = a[t] * h + b[t]
        states.append(h)
    torch.testing.assert_close(doubled(a, b), torch.stack(states))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31))
def test_doubled_complex_is_the_loop(steps: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    decay = torch.polar(
        torch.rand(3, generator=generator, dtype=torch.float64),
        6 * torch.rand(3, generator=generator, dtype=torch.float64),
    )
    b = torch.randn(steps, 2, 3, generator=generator, dtype=torch.complex128)
    h, states = torch.zeros(2, 3, dtype=torch.complex128), []
    for t in range(steps):
        h = decay * h + b[t]
        states.append(h)
    real, imaginary = doubled_complex(torch.view_as_real(decay).T, b.real, b.imag)
    torch.testing.assert_close(torch.complex(real, imaginary), torch.stack(states))


def twin_of(cell: Cell) -> Cell:
    twin = with_twins(nn.Sequential(cell))[0]
    assert isinstance(twin, Cell)
    return twin


@pytest.mark.parametrize("inputs", [4, 6])  # the LRU has a skip where both are the same
@pytest.mark.parametrize("name", [name for name in CELLS if name != "mlstm"])
def test_twins_answer_like_their_cells(name: str, inputs: int) -> None:
    torch.manual_seed(0)
    cell = CELLS[name](inputs, 6).eval()
    x_TBD = 3 * torch.randn(11, 2, inputs)
    twin = twin_of(cell)
    assert isinstance(twin, LRUTwin if isinstance(cell, LRU) else GatedTwin)
    with torch.no_grad():
        expected = cell.reference(x_TBD)
        torch.testing.assert_close(twin(x_TBD)[0], expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(twin.reference(x_TBD), expected, atol=1e-5, rtol=1e-4)
        state, states = twin.start(2), []
        for x_BD in x_TBD:
            h_BU, state = twin.step(state, x_BD)
            states.append(h_BU)
        torch.testing.assert_close(torch.stack(states), expected, atol=1e-5, rtol=1e-4)
    assert twin.macs(11) == cell.macs(11)


def test_gates_that_are_shut_stay_finite() -> None:
    cell = CELLS["minlstm"](2, 3).eval()
    with torch.no_grad():
        cell.bias.copy_(torch.tensor([-200.0, -90, 0, -100, -90, 0, 1, 1, 1]))  # type: ignore[operator]
        x_TBD = torch.randn(9, 2, 2)
        torch.testing.assert_close(twin_of(cell)(x_TBD)[0], cell.reference(x_TBD), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", [Max, Attention])
def test_readouts_twins(kind: type) -> None:
    torch.manual_seed(0)
    readout = kind(5)
    if kind is Attention:
        nn.init.normal_(readout.score.weight)
    twin = with_twins(nn.Sequential(readout))[0]
    assert isinstance(twin, MaxTwin if kind is Max else AttentionTwin)
    h_BTF = 4 * torch.randn(3, 13, 5)
    with torch.no_grad():
        torch.testing.assert_close(twin(h_BTF), readout(h_BTF))
        torch.testing.assert_close(twin.each_step(h_BTF), readout.each_step(h_BTF), atol=1e-5, rtol=1e-5)
        state = twin.start(h_BTF[:, 0])
        for t, wanted_BF in enumerate(readout.each_step(h_BTF).unbind(1)):
            found_BF, state = twin.step(state, h_BTF[:, t])
            torch.testing.assert_close(found_BF, wanted_BF, atol=1e-5, rtol=1e-5)


def test_a_twin_network_leaves_the_network_alone() -> None:
    network = create_model("bilstm", num_classes=2, img_size=(4, 4), hidden=3).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    twin = with_twins(network)
    assert any(isinstance(module, OperatorLayer) for module in twin.modules())
    assert not any(isinstance(module, OperatorLayer) for module in network.modules())
    after: dict[str, Tensor] = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_operator_holds_the_weights_in_onnx_order() -> None:
    layer = recurrent_layer("lstm", 2, 3, bidirectional=True)
    twin = OperatorLayer(layer)  # type: ignore[arg-type]
    input_, forget, cell, output = layer.weight_ih_l0_reverse.detach().chunk(4)  # type: ignore[union-attr, operator]
    assert torch.equal(twin.weight_RGD[1], torch.cat([input_, output, forget, cell]))  # type: ignore[list-item]
    assert twin.reference(torch.rand(4, 1, 2)).shape == (4, 1, 6)
