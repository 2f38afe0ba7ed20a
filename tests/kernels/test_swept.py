"""Two layers over the columns and the rows of a grid as one: torch's values and gradients, whatever the grid."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from linewise.kernels import fused
from linewise.kernels.fused import FusedGRU, FusedLSTM, FusedRNN, layers, shares, swept
from linewise.kernels.fused.ahead import plan
from linewise.kernels.fused.back import walk
from linewise.kernels.twins import with_torchs_layers
from linewise.models.grid.mixing import Sweeps2D

FUSED = {"rnn": FusedRNN, "lstm": FusedLSTM, "gru": FusedGRU}


@pytest.fixture(autouse=True)
def at_any_size(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(layers, "LSTM_LEARNS_FROM", 0)
    monkeypatch.setattr(layers, "FEW", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def separately(module: Sweeps2D, x_BHWC: Tensor) -> Tensor:
    """Each column and each row by itself, in double precision, by torch's layers."""
    b, h, w, _ = x_BHWC.shape
    found_BHWF = x_BHWC.new_empty(b, h, w, 0).double()
    twin = with_torchs_layers(module)
    assert twin is not None
    twin.double()
    for name, axis in (("rnn_v", 1), ("rnn_h", 2)):
        layer = getattr(twin, name)
        lines = [layer(line.transpose(0, 1))[0].transpose(0, 1) for line in x_BHWC.double().unbind(3 - axis)]
        found_BHWF = torch.cat([found_BHWF, torch.stack(lines, dim=3 - axis)], dim=-1)
    return found_BHWF


def mixing(cell: str, channels: int, units: int, directions: int, union: str = "concat") -> Sweeps2D:
    torch.manual_seed(channels + 100 * units)
    return Sweeps2D(channels, units, cell=cell, directions=directions, union=union, projection="linear")


@given(
    cell=st.sampled_from(list(FUSED)),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(1, 35)),
    units=st.integers(1, 35),
    directions=st.integers(1, 2),
    threads=st.integers(1, 2),
)
@settings(deadline=None, max_examples=40)
def test_values_and_gradients_are_torchs(
    cell: str, shape: tuple[int, int, int, int], units: int, directions: int, threads: int
) -> None:
    torch.set_num_threads(min(threads, shape[0]))
    module = mixing(cell, shape[3], units, directions)
    x_BHWC = torch.randn(shape, requires_grad=True)
    states_BHWF = swept(module.rnn_v, module.rnn_h, x_BHWC)  # pyright: ignore[reportArgumentType]
    assert states_BHWF is not None
    wanted_BHWF = separately(module, x_BHWC.detach())
    torch.testing.assert_close(states_BHWF.double(), wanted_BHWF, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        answer_BHWF = swept(module.rnn_v, module.rnn_h, x_BHWC)  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(answer_BHWF, states_BHWF, rtol=1e-6, atol=1e-6)

    weights_BHWF = torch.randn(states_BHWF.shape)
    states_BHWF.backward(weights_BHWF)
    found = [x_BHWC.grad, *(p.grad for n in ("rnn_v", "rnn_h") for p in getattr(module, n).parameters())]
    twin = with_torchs_layers(module)
    assert twin is not None
    twin.double()
    again = x_BHWC.detach().double().requires_grad_()
    of_v, _ = twin.rnn_v(again.transpose(0, 1).flatten(1, 2))  # pyright: ignore[reportOptionalCall]
    of_h, _ = twin.rnn_h(again.permute(2, 0, 1, 3).flatten(1, 2))  # pyright: ignore[reportOptionalCall]
    b, h, w, _ = shape
    of_v, of_h = of_v.unflatten(1, (b, w)).transpose(0, 1), of_h.unflatten(1, (b, h)).permute(1, 2, 0, 3)
    torch.cat([of_v, of_h], dim=-1).backward(weights_BHWF.double())
    wanted = [again.grad, *(p.grad for n in ("rnn_v", "rnn_h") for p in getattr(twin, n).parameters())]
    for a, b_ in zip(found, wanted, strict=True):
        assert a is not None
        assert b_ is not None
        torch.testing.assert_close(a.double(), b_, rtol=1e-4, atol=1e-5 * max(1.0, b_.abs().max().item()))


@pytest.mark.parametrize("cell", list(FUSED))
def test_blocks_of_images_change_nothing_but_rounding(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, x_BHWC = mixing(cell, 12, 5, 2), torch.randn(23, 4, 6, 12)

    def gradients() -> list[Tensor]:
        module.zero_grad()
        x = x_BHWC.clone().requires_grad_()
        states = swept(module.rnn_v, module.rnn_h, x)  # pyright: ignore[reportArgumentType]
        assert states is not None
        states.square().sum().backward()
        return [states.detach(), x.grad, *(p.grad for p in module.parameters() if p.grad is not None)]  # pyright: ignore

    whole = gradients()
    assert len(shares.blocks(_unit(), 1, 1)[0]) == 1
    monkeypatch.setattr(shares, "core_cache", lambda: 64 * 1024)
    monkeypatch.setattr(shares, "LEAST_BLOCK", 1)
    for remembered in (plan, walk):
        remembered.cache_clear()
    assert len(shares.blocks(_unit(), 1, 4096)[0]) == 6  # 4 images of 16 KiB each
    in_blocks = gradients()
    for remembered in (plan, walk):
        remembered.cache_clear()
    assert torch.equal(whole[0], in_blocks[0])
    for a, b in zip(whole, in_blocks, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def _unit() -> fused.sweeps.Unit:
    return fused.sweeps.of_grid((23, 4, 6, 12), 5, 2)


@pytest.mark.parametrize("union", ["concat", "add"])
def test_the_sequencers_mixing_is_what_torchs_layers_give(union: str) -> None:
    module = mixing("lstm", 10, 6, 2, union)
    twin, x_BHWC = with_torchs_layers(module), torch.randn(7, 5, 3, 10)
    assert twin is not None
    torch.testing.assert_close(module(x_BHWC), twin(x_BHWC), rtol=1e-5, atol=1e-6)


def _hooked() -> tuple[Sweeps2D, Tensor]:
    module = mixing("lstm", 6, 4, 2)
    assert module.rnn_h is not None
    module.rnn_h.register_forward_hook(lambda *_: None)
    return module, torch.randn(3, 4, 4, 6)


def _given_torchs() -> tuple[Sweeps2D, Tensor]:
    module = mixing("lstm", 6, 4, 2)
    module.rnn_v = nn.LSTM(6, 4, bidirectional=True)
    return module, torch.randn(3, 4, 4, 6)


def _of_two_widths() -> tuple[Sweeps2D, Tensor]:
    module = mixing("gru", 6, 4, 2)
    module.rnn_v = FusedGRU(6, 3, bidirectional=True)
    return module, torch.randn(3, 4, 4, 6)


def _in_double() -> tuple[Sweeps2D, Tensor]:
    return mixing("rnn", 6, 4, 2).double(), torch.randn(3, 4, 4, 6).double()


def _of_another_cell() -> tuple[Sweeps2D, Tensor]:
    return mixing("mingru", 6, 4, 2), torch.randn(3, 4, 4, 6)


@pytest.mark.parametrize("case", [_hooked, _given_torchs, _of_two_widths, _in_double, _of_another_cell])
def test_what_cannot_be_one_is_read_layer_by_layer(case: object) -> None:
    module, x_BHWC = case()  # pyright: ignore
    assert swept(module.rnn_v, module.rnn_h, x_BHWC) is None
    assert module.eval()._union(x_BHWC).shape[:3] == x_BHWC.shape[:3]


def test_few_sequences_are_read_by_layers_that_remember_their_packed_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layers, "FEW", 32)
    module, x_BHWC = mixing("lstm", 6, 4, 2), torch.randn(4, 8, 8, 6)
    assert swept(module.rnn_v, module.rnn_h, x_BHWC) is not None  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        assert swept(module.rnn_v, module.rnn_h, x_BHWC) is None  # pyright: ignore[reportArgumentType]


def test_fewer_images_than_threads_are_read_layer_by_layer() -> None:
    module = mixing("lstm", 6, 4, 2)
    torch.set_num_threads(2)
    x_BHWC = torch.randn(1, 8, 8, 6)
    assert swept(module.rnn_v, module.rnn_h, x_BHWC) is None  # pyright: ignore[reportArgumentType]
    torch.set_num_threads(1)
    assert swept(module.rnn_v, module.rnn_h, x_BHWC) is not None  # pyright: ignore[reportArgumentType]
