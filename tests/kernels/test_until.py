"""Reading until the answer is sure, in one call, stops where torch's softmax says so."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from linewise.kernels import until
from linewise.kernels.fused import FusedGRU, FusedLSTM, FusedRNN

FUSED: dict[str, type[nn.RNNBase]] = {"rnn": FusedRNN, "lstm": FusedLSTM, "gru": FusedGRU}


def made(cell: str, units: int, classes: int, bias: bool = True) -> tuple[nn.RNNBase, nn.Linear]:
    torch.manual_seed(units + 100 * classes)
    layer, head = FUSED[cell](5, units), nn.Linear(units, classes, bias=bias)
    with torch.no_grad():
        head.weight.mul_(12)  # so that it is sure, sooner or later
    return layer, head


def start(cell: str, units: int) -> tuple[Tensor, ...]:
    return tuple(torch.randn(2 if cell == "lstm" else 1, 1, units))


def in_double(cell: str, layer: nn.RNNBase, head: nn.Linear, x_TBD: Tensor, state: tuple[Tensor, ...]) -> Tensor:
    """Logits after each step, by torch's layers in double precision."""
    torchs = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](5, layer.hidden_size).double()
    torchs.load_state_dict(layer.state_dict())
    given = tuple(s.double()[None] for s in state)
    h_TBU = torchs(x_TBD.double(), given if cell == "lstm" else given[0])[0][:, 0]
    return nn.functional.linear(
        h_TBU, head.weight.double(), None if head.bias is None else head.bias.double()
    ).detach()


@pytest.mark.parametrize("cell", list(FUSED))
@given(
    num_steps=st.integers(1, 17), units=st.integers(1, 70), classes=st.integers(1, 40), bias=st.booleans(),
    doubt=st.sampled_from([None, 1e-4, 0.01, 0.2, 0.5, 0.9]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_it_stops_where_torch_is_sure(
    cell: str, num_steps: int, units: int, classes: int, bias: bool, doubt: float | None
) -> None:
    layer, head = made(cell, units, classes, bias)
    x_TBD, state = torch.randn(num_steps, 1, 5), start(cell, units)
    reader = until(layer, head)
    assert reader is not None
    read, logits_BK = reader(x_TBD, state, doubt)
    wanted_TK = in_double(cell, layer, head, x_TBD, state)
    doubts_T = 1 - torch.softmax(wanted_TK, dim=1).amax(dim=1)
    if doubt is not None:
        assume(not ((doubts_T / doubt - 1).abs() < 1e-3).any())  # too near to call
    sure = [] if doubt is None else torch.nonzero(doubts_T <= doubt).flatten().tolist()
    assert read == (sure[0] + 1 if sure else num_steps)
    torch.testing.assert_close(logits_BK[0].double(), wanted_TK[read - 1], rtol=1e-4, atol=1e-4)


def test_it_does_not_read_what_it_need_not() -> None:
    layer, head = made("gru", 20, 4)
    x_TBD, state = torch.randn(9, 1, 5), start("gru", 20)
    reader = until(layer, head)
    assert reader is not None
    read, logits_BK = reader(x_TBD, state, 0.3)
    assert 1 <= read < 9
    x_TBD[read:] = torch.nan
    again, same_BK = reader(x_TBD, state, 0.3)
    assert again == read
    assert torch.equal(logits_BK, same_BK)


@pytest.mark.parametrize("classes", [1, 3])
def test_broken_numbers_are_never_sure(classes: int) -> None:
    layer, head = made("lstm", 6, classes)
    x_TBD = torch.full((4, 1, 5), torch.nan)
    reader = until(layer, head)
    assert reader is not None
    read, logits_BK = reader(x_TBD, start("lstm", 6), 0.5)
    assert read == (4 if classes > 1 else 1)  # of one class there is no doubt
    assert torch.isnan(logits_BK).all()


def test_no_doubt_at_all_can_be_asked_for() -> None:
    layer, head = made("rnn", 6, 3)
    with torch.no_grad():
        head.weight.mul_(1e4)
    reader = until(layer, head)
    assert reader is not None
    x_TBD, state = torch.randn(4, 1, 5), start("rnn", 6)
    assert reader(x_TBD, state, 0.0)[0] == 1
    assert reader(x_TBD, state, 1.0)[0] == 1


def test_other_layers_and_classifiers_are_left_to_torch() -> None:
    layer, head = made("gru", 6, 3)
    for other in (
        nn.GRU(5, 6), FusedGRU(5, 6, bidirectional=True), FusedGRU(5, 6, num_layers=2), FusedGRU(5, 6, bias=False),
        FusedGRU(5, 6).double(), FusedRNN(5, 6, nonlinearity="relu"), nn.Identity(),
    ):  # fmt: skip
        assert until(other, head) is None
    assert until(layer, nn.Identity()) is None
    assert until(layer, head.double()) is None
