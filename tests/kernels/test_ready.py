"""Few sequences: calls made ready once give torch's values, from any state; what a promise does, and does not, see."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from linewise.kernels import prepared, steps
from linewise.kernels.fused import FusedGRU, FusedLSTM, FusedRNN, layers, promise
from linewise.kernels.machine import compiled

FUSED: dict[str, tuple[type[nn.RNNBase], type[nn.RNNBase]]] = {
    "rnn": (FusedRNN, nn.RNN),
    "lstm": (FusedLSTM, nn.LSTM),
    "gru": (FusedGRU, nn.GRU),
}


def pair(cell: str, inputs: int, units: int, bidirectional: bool = False) -> tuple[nn.RNNBase, nn.RNNBase]:
    """Ours, and torch's in double precision, with the same weights."""
    torch.manual_seed(inputs + 100 * units)
    ours = FUSED[cell][0](inputs, units, bidirectional=bidirectional)
    torchs = FUSED[cell][1](inputs, units, bidirectional=bidirectional).double()
    torchs.load_state_dict(ours.state_dict())
    return ours, torchs


def flat(found: Any) -> list[Tensor]:
    """Outputs and last states."""
    h_TBU, state = found
    return [h_TBU, *(state if isinstance(state, tuple) else (state,))]


def states(cell: str, directions: int, units: int) -> Any:
    h_R1U, c_R1U = torch.randn(2, directions, 1, units)
    return (h_R1U, c_R1U) if cell == "lstm" else h_R1U


def in_double(state: Any) -> Any:
    return tuple(s.double() for s in state) if isinstance(state, tuple) else state.double()


@pytest.mark.parametrize("cell", list(FUSED))
@given(
    num_steps=st.integers(1, 20), inputs=st.integers(1, 40), units=st.integers(1, 330), bidirectional=st.booleans(),
    begun=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_one_sequence_from_any_state_is_torchs(
    cell: str, num_steps: int, inputs: int, units: int, bidirectional: bool, begun: bool
) -> None:
    ours, torchs = pair(cell, inputs, units, bidirectional)
    x_TBD = torch.randn(num_steps, 1, inputs)
    state = states(cell, 2 if bidirectional else 1, units) if begun else None
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(layers, "fused", None)  # calling it would raise
        found = flat(ours(x_TBD, state))
        wanted = flat(torchs(x_TBD.double(), in_double(state) if begun else None))
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a.double(), b, rtol=3e-6, atol=6e-6)


@pytest.mark.parametrize("cell", list(FUSED))
def test_a_sequence_read_in_parts_has_the_same_bits(cell: str) -> None:
    ours, _ = pair(cell, 28, 126)
    x_TBD = torch.randn(28, 1, 28)
    with torch.inference_mode():
        whole, end = ours(x_TBD)
        first, state = ours(x_TBD[:13])
        second, last = ours(x_TBD[13:], state)
    assert torch.equal(torch.cat([first, second]), whole)
    assert all(torch.equal(a, b) for a, b in zip(flat((whole, end))[1:], flat((whole, last))[1:], strict=True))


@pytest.mark.parametrize("cell", list(FUSED))
def test_single_steps_have_the_bits_of_the_whole(cell: str) -> None:
    ours, _ = pair(cell, 5, 20)
    x_TBD = torch.randn(9, 1, 5)
    with torch.inference_mode():
        whole_TBU = ours(x_TBD)[0]
        state, found = steps.start(ours, 1), []
        for x_BD in x_TBD:
            h_BU, state = steps.step(ours, state, x_BD)
            found.append(h_BU)
    assert torch.equal(torch.stack(found), whole_TBU)


@pytest.mark.parametrize("cell", list(FUSED))
def test_states_that_ask_for_gradients_are_left_to_torch(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_run", None)
    ours, torchs = pair(cell, 4, 5)
    x_TBD, state = torch.randn(3, 1, 4), states(cell, 1, 5)
    a, b = ours(x_TBD, state)[0], torchs(x_TBD.double(), in_double(state))[0]
    assert a.requires_grad
    torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-6)
    with torch.no_grad(), pytest.raises(RuntimeError):
        ours(x_TBD, states(cell, 1, 6))  # torch's own complaint


def answers(layer: nn.RNNBase, batch: int) -> Tensor:
    with torch.inference_mode():
        return layer(torch.sin(torch.arange(5 * batch * 6.0)).view(5, batch, 6))[0]


@pytest.mark.parametrize("cell", list(FUSED))
@pytest.mark.parametrize("batch", [1, 3, 60])
def test_a_promise_changes_no_bit(cell: str, batch: int) -> None:
    ours, _ = pair(cell, 6, 33, bidirectional=True)
    wanted = answers(ours, batch)
    with prepared(nn.ModuleList([ours])), prepared(ours):
        assert torch.equal(answers(ours, batch), wanted)
        assert torch.equal(answers(ours, batch), wanted)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_promise_sees_what_torch_counts_and_nothing_else(batch: int) -> None:
    ours, _ = pair("gru", 6, 20)

    def fresh() -> Tensor:
        other = FusedGRU(6, 20)
        other.load_state_dict(ours.state_dict())
        return answers(other, batch)

    with prepared(ours):
        before = answers(ours, batch)
        with torch.no_grad():
            ours.weight_ih_l0[2, 3] = 2.0
        assert torch.equal(answers(ours, batch), fresh())
        ours.load_state_dict(FusedGRU(6, 20).state_dict())
        assert torch.equal(answers(ours, batch), fresh())
        ours.bias_hh_l0 = nn.Parameter(torch.randn(60))
        now = answers(ours, batch)
        assert torch.equal(now, fresh())
        assert not torch.equal(now, before)
        ours.weight_hh_l0.data.mul_(1.5)  # past torch's count: as documented, not seen
        assert torch.equal(answers(ours, batch), now)
    assert torch.equal(answers(ours, batch), fresh())
    assert not torch.equal(answers(ours, batch), now)


@pytest.mark.parametrize("batch", [1, 3, 60])
def test_weights_that_are_lent_for_a_call_are_seen(batch: int) -> None:
    ours, other = FusedGRU(6, 20), FusedGRU(6, 20)
    x_TBD = torch.randn(5, batch, 6)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            lent = torch.func.functional_call(ours, dict(other.named_parameters()), (x_TBD,))[0]
            assert torch.equal(lent, other(x_TBD)[0])
            assert not torch.equal(ours(x_TBD)[0], lent)


def test_calls_keep_their_code_in_memory() -> None:
    ours, _ = pair("gru", 6, 20)
    wanted = answers(ours, 1)
    compiled.function.cache_clear()
    gc.collect()
    assert torch.equal(answers(ours, 1), wanted)


def test_a_promise_ends_once_whatever_ends_it() -> None:
    ours, _ = pair("lstm", 6, 7)
    outer, inner = prepared(ours), prepared(ours)
    inner.close()
    inner.close()
    assert ours in promise._promised
    del outer
    gc.collect()
    assert ours not in promise._promised
    with pytest.raises(ZeroDivisionError), prepared(ours):
        raise ZeroDivisionError
    assert ours not in promise._promised


def test_threads_answer_side_by_side() -> None:
    ours, _ = pair("lstm", 28, 100)
    inputs = [torch.randn(28, 1 + i % 2, 28) for i in range(4)]
    with torch.inference_mode():
        wanted = [flat(ours(x)) for x in inputs]
    wrong: list[int] = []

    def work(i: int) -> None:
        with torch.inference_mode():
            for _ in range(200):
                found = zip(flat(ours(inputs[i])), wanted[i], strict=True)
                wrong.extend(i for a, b in found if not torch.equal(a, b))

    with prepared(ours):
        at_work = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in at_work:
            thread.start()
        for thread in at_work:
            thread.join()
    assert not wrong
