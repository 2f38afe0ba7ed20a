"""The fused layers give torch's values and gradients, whatever the shape; what they cannot do, torch's layers do."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from linewise.kernels.fused import FusedGRU, FusedLSTM, FusedRNN, back, described, layers, threads
from linewise.kernels.fused.gradients import _Fused
from linewise.kernels.reference import run

FUSED: dict[str, tuple[type[nn.RNNBase], type[nn.RNNBase]]] = {
    "rnn": (FusedRNN, nn.RNN),
    "lstm": (FusedLSTM, nn.LSTM),
    "gru": (FusedGRU, nn.GRU),
}


LEARNS_FROM, LOSES = layers.LSTM_LEARNS_FROM, layers.LSTM_LOSES


@pytest.fixture(autouse=True)
def kernels_at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where torch's LSTM is as fast."""
    monkeypatch.setattr(layers, "LSTM_LEARNS_FROM", 0)
    monkeypatch.setattr(layers, "LSTM_LOSES", range(0))
    monkeypatch.setattr(layers, "LSTM_LEARNS_LARGE", 0)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pair(
    cell: str, num_inputs: int, num_hidden: int, bidirectional: bool = False
) -> tuple[nn.RNNBase, nn.RNNBase]:
    """Ours, and torch's in double precision, with the same weights."""
    torch.manual_seed(num_inputs + 100 * num_hidden)
    ours_class, torchs_class = FUSED[cell]
    ours = ours_class(num_inputs, num_hidden, bidirectional=bidirectional)
    torchs = torchs_class(num_inputs, num_hidden, bidirectional=bidirectional).double()
    torchs.load_state_dict(ours.state_dict())
    return ours, torchs


def everything(layer: nn.RNNBase, x_TBD: Tensor) -> list[Tensor]:
    """Outputs and last states, then the gradients of a function of them all."""
    x_TBD = x_TBD.detach().to(next(layer.parameters()).dtype).requires_grad_()
    h_TBU, state = layer(x_TBD)
    states = list(state) if isinstance(state, tuple) else [state]
    waves = torch.sin(torch.arange(h_TBU.numel(), dtype=h_TBU.dtype)).view_as(h_TBU)
    loss = (h_TBU * waves).sum() + sum((s.square() * (i + 1)).sum() for i, s in enumerate(states))
    return [h_TBU, *states, *torch.autograd.grad(loss, [x_TBD, *layer.parameters()])]


def assert_close(ours: list[Tensor], torchs: list[Tensor], tolerance: float = 3e-6) -> None:
    for a, b in zip(ours, torchs, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(
            a.double(), b, rtol=tolerance, atol=tolerance * (1 + float(b.detach().abs().max()))
        )


@pytest.mark.parametrize("cell", list(FUSED))
@given(
    steps=st.integers(1, 6), batch=st.integers(1, 20), inputs=st.integers(1, 40), units=st.integers(1, 70),
    bidirectional=st.booleans(), cache=st.sampled_from([1, 30_000, 10**7]), num_threads=st.sampled_from([1, 1, 2, 3]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_values_and_gradients_are_torchs(
    cell: str, steps: int, batch: int, inputs: int, units: int, bidirectional: bool, cache: int, num_threads: int
) -> None:
    ours, torchs = pair(cell, inputs, units, bidirectional)
    x_TBD = torch.randn(steps, batch, inputs)
    torch.set_num_threads(num_threads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(back, "CACHE", cache)  # how many steps are gone back at a time
        back.walk.cache_clear()
        found = everything(ours, x_TBD)
    back.walk.cache_clear()
    torch.set_num_threads(1)
    assert_close(found, everything(torchs, x_TBD))
    with torch.inference_mode():
        assert torch.equal(ours(x_TBD)[0], found[0])


@pytest.mark.parametrize("cell", list(FUSED))
@pytest.mark.parametrize("shape", [(28, 33, 28, 148), (7, 50, 48, 12), (100, 12, 1, 32), (9, 7, 130, 260)])
def test_shapes_of_real_networks(cell: str, shape: tuple[int, int, int, int]) -> None:
    steps, batch, inputs, units = shape
    ours, torchs = pair(cell, inputs, units, bidirectional=units == 12)
    x_TBD = torch.rand(steps, batch, inputs)
    assert_close(everything(ours, x_TBD), everything(torchs, x_TBD), 1e-5)


@pytest.mark.parametrize("cell", list(FUSED))
def test_values_are_those_of_the_readable_cells(cell: str) -> None:
    ours, _ = pair(cell, 5, 9, bidirectional=True)
    x_TBD = torch.randn(6, 4, 5)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ahead, backwards = ([getattr(ours, f"{n}_l0{end}") for n in names] for end in ("", "_reverse"))
    x_BTD = x_TBD.transpose(0, 1)
    wanted = torch.cat([run(cell, x_BTD, *ahead), run(cell, x_BTD, *backwards, reverse=True)], dim=2)
    torch.testing.assert_close(ours(x_TBD)[0].transpose(0, 1), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", list(FUSED))
def test_gradients_agree_with_finite_differences(cell: str) -> None:
    ours, _ = pair(cell, 3, 5)
    x_TBD = torch.randn(4, 7, 3)
    tensors = [x_TBD.requires_grad_(), *ours.parameters()]
    ways = [torch.randn_like(t) for t in tensors]

    def value(far: float) -> Tensor:
        moved = {n: p + far * w for (n, p), w in zip(ours.named_parameters(), ways[1:], strict=True)}
        layer = copy.deepcopy(ours)
        layer.load_state_dict(moved)
        return layer(x_TBD + far * ways[0])[0].double().square().sum()

    gradients = torch.autograd.grad(value_of(ours, x_TBD), tensors)
    slope = sum(float((g * w).sum()) for g, w in zip(gradients, ways, strict=True))
    with torch.no_grad():
        rise = float(value(5e-3) - value(-5e-3)) / 1e-2
    assert slope == pytest.approx(rise, rel=2e-3)


def value_of(layer: nn.RNNBase, x_TBD: Tensor) -> Tensor:
    return layer(x_TBD)[0].square().sum()


@pytest.mark.parametrize("cell", list(FUSED))
def test_a_sequence_has_the_same_bits_alone_and_among_others(cell: str) -> None:
    ours, _ = pair(cell, 9, 40)
    x_TBD = torch.randn(5, 29, 9)
    with torch.no_grad():
        all_TBU = ours(x_TBD)[0]
        for rows in (slice(0, 1), slice(3, 5), slice(20, 29)):
            assert torch.equal(ours(x_TBD[:, rows])[0], all_TBU[:, rows])


@pytest.mark.parametrize("cell", list(FUSED))
def test_the_same_call_repeats_to_the_bit(cell: str) -> None:
    ours, _ = pair(cell, 28, 64, bidirectional=True)
    x_TBD = torch.randn(28, 50, 28)
    for num_threads in (1, 2):
        torch.set_num_threads(num_threads)
        first, again = everything(ours, x_TBD), everything(ours, x_TBD)
        torch.set_num_threads(1)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("cell", list(FUSED))
@pytest.mark.parametrize("value", [1e4, -1e4, float("inf"), float("nan")])
def test_huge_and_broken_inputs_are_torchs(cell: str, value: float) -> None:
    ours, torchs = pair(cell, 4, 20)
    x_TBD = torch.randn(5, 13, 4)
    x_TBD[2, 7, 1] = value
    with torch.no_grad():
        found, wanted = ours(x_TBD)[0].double(), torchs(x_TBD.double())[0]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=3e-6, equal_nan=True)
    assert torch.isnan(found[:2]).sum() == 0
    assert torch.isnan(found[2:, 7]).any() == (value != value)


@pytest.mark.parametrize("cell", list(FUSED))
def test_inputs_that_do_not_lie_together(cell: str) -> None:
    ours, torchs = pair(cell, 6, 10)
    x_TBD = torch.randn(12, 8, 5).permute(2, 1, 0)[:, :, ::2]
    assert not x_TBD.is_contiguous()
    assert_close(everything(ours, x_TBD), everything(torchs, x_TBD))


@pytest.mark.parametrize("cell", list(FUSED))
def test_gradients_of_the_input_alone_and_of_the_weights_alone(cell: str) -> None:
    ours, torchs = pair(cell, 6, 10)
    x_TBD = torch.randn(4, 8, 6)
    wanted = everything(torchs, x_TBD)
    whole = everything(ours, x_TBD)
    ours.requires_grad_(False)
    inputs = x_TBD.clone().requires_grad_()
    value_of(ours, inputs).backward()
    ours.requires_grad_(True)
    value_of(ours, x_TBD).backward()
    reference = x_TBD.double().requires_grad_()
    value_of(torchs, reference).backward()
    assert inputs.grad is not None
    assert reference.grad is not None
    torch.testing.assert_close(inputs.grad.double(), reference.grad, rtol=1e-5, atol=1e-5)
    for a, b in zip(ours.parameters(), torchs.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        torch.testing.assert_close(a.grad.double(), b.grad, rtol=1e-5, atol=1e-5)
    assert len(whole) == len(wanted)


def test_a_graph_can_be_gone_back_twice() -> None:
    ours, _ = pair("lstm", 6, 10)
    loss = value_of(ours, torch.randn(4, 8, 6))
    first = torch.autograd.grad(loss, list(ours.parameters()), retain_graph=True)
    again = torch.autograd.grad(loss, list(ours.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_second_derivative_is_refused() -> None:
    ours, _ = pair("gru", 3, 4)
    x_TBD = torch.randn(2, 2, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(value_of(ours, x_TBD), x_TBD, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        gradient.sum().backward()


CANNOT: dict[str, Callable[[nn.RNNBase], tuple[nn.RNNBase, Tensor]]] = {
    "float64": lambda layer: (layer.double(), torch.randn(3, 2, 4, dtype=torch.float64)),
    "bfloat16": lambda layer: (layer.bfloat16(), torch.randn(3, 2, 4, dtype=torch.bfloat16)),
    "one sequence without a batch": lambda layer: (layer, torch.randn(3, 4)),
    "meta": lambda layer: (layer.to("meta"), torch.randn(3, 2, 4, device="meta")),
    "an empty batch": lambda layer: (layer, torch.randn(3, 0, 4)),
}


@pytest.mark.parametrize("cell", list(FUSED))
@pytest.mark.parametrize("case", list(CANNOT))
def test_what_the_kernels_cannot_do_is_left_to_torch(
    cell: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_run", None)  # calling it would raise
    ours, x = CANNOT[case](FUSED[cell][0](4, 5))
    torchs = FUSED[cell][1](4, 5).to(ours.weight_ih_l0.device, ours.weight_ih_l0.dtype)
    if case != "meta":
        torchs.load_state_dict(ours.state_dict())
    found, wanted = ours(x)[0], torchs(x)[0]
    assert found.shape == wanted.shape
    if case != "meta":
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("cell", list(FUSED))
def test_layers_and_states_of_other_kinds_are_left_to_torch(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_run", None)
    ours_class, torchs_class = FUSED[cell]
    for options in ({"num_layers": 2}, {"bias": False}, {"batch_first": True}):
        ours, torchs = ours_class(4, 5, **options), torchs_class(4, 5, **options)
        torchs.load_state_dict(ours.state_dict())
        x = torch.randn(3, 2, 4)
        assert torch.equal(ours(x)[0], torchs(x)[0])
    ours, torchs = ours_class(4, 5), torchs_class(4, 5)
    torchs.load_state_dict(ours.state_dict())
    state = torch.randn(1, 2, 5)
    given_state = (state, state) if cell == "lstm" else state
    assert torch.equal(ours(x, given_state)[0], torchs(x, given_state)[0])
    with pytest.raises(RuntimeError, match="input"):
        ours(torch.randn(3, 2, 7))


def test_relu_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_run", None)
    ours, torchs = FusedRNN(4, 5, nonlinearity="relu"), nn.RNN(4, 5, nonlinearity="relu")
    torchs.load_state_dict(ours.state_dict())
    x_TBD = torch.randn(3, 2, 4)
    assert torch.equal(ours(x_TBD)[0], torchs(x_TBD)[0])


@pytest.mark.filterwarnings("ignore:The tensor attributes")  # torch.export, of torch's own layers too
def test_transforms_casts_and_tracers_see_torchs_layers() -> None:
    ours = FusedGRU(4, 5)
    x_TBD = torch.randn(3, 2, 4)
    plain = ours(x_TBD)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert FusedLSTM(4, 5)(x_TBD)[0].dtype == nn.LSTM(4, 5)(x_TBD)[0].dtype == torch.bfloat16
    moved = torch.func.functional_call(ours, dict(ours.named_parameters()), (x_TBD,))[0]
    assert torch.equal(moved, plain)
    jacobian = torch.func.jacrev(lambda x: ours(x)[0].sum())(x_TBD)
    (wanted,) = torch.autograd.grad(ours(x := x_TBD.clone().requires_grad_())[0].sum(), x)
    torch.testing.assert_close(jacobian, wanted, rtol=1e-5, atol=1e-6)
    program = torch.export.export(ours, (x_TBD,))
    torch.testing.assert_close(program.module()(x_TBD)[0], plain, rtol=1e-5, atol=1e-6)


def test_without_llvmlite_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, torchs = FusedLSTM(4, 5), nn.LSTM(4, 5)
    torchs.load_state_dict(ours.state_dict())
    x_TBD = torch.randn(3, 2, 4)
    assert described().startswith("fused kernels, ")
    monkeypatch.setattr(layers, "available", lambda: False)
    assert torch.equal(ours(x_TBD)[0], torchs(x_TBD)[0])


@pytest.mark.parametrize("cell", list(FUSED))
def test_copies_pickles_and_saved_weights(cell: str) -> None:
    ours, torchs = pair(cell, 4, 5)
    x_TBD = torch.randn(3, 2, 4)
    wanted = ours(x_TBD)[0]
    assert wanted.grad_fn is not None
    assert type(wanted.grad_fn).__name__ == f"{_Fused.__name__}Backward"
    assert torch.equal(copy.deepcopy(ours)(x_TBD)[0], wanted)
    assert torch.equal(pickle.loads(pickle.dumps(ours))(x_TBD)[0], wanted)
    file = io.BytesIO()
    torch.save(torchs.state_dict(), file)
    file.seek(0)
    other = FUSED[cell][0](4, 5)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x_TBD)[0], wanted)


def test_several_threads_at_once_do_not_disturb_one_another() -> None:
    ours, _ = pair("lstm", 8, 33)
    inputs = [torch.randn(20, 17, 8) for _ in range(4)]
    wanted = [everything(ours, x) for x in inputs]
    found: dict[int, list[Tensor]] = {}

    def work(i: int) -> None:
        for _ in range(5):
            found[i] = everything(ours, inputs[i])

    at_work = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in at_work:
        thread.start()
    for thread in at_work:
        thread.join()
    for i, of_thread in enumerate(wanted):
        assert all(torch.equal(a, b) for a, b in zip(found[i], of_thread, strict=True))


def test_another_process_gives_the_same_bits() -> None:
    program = (
        "import torch, hashlib; from linewise.kernels.fused import FusedGRU; torch.manual_seed(3); "
        "torch.set_num_threads(2); layer = FusedGRU(28, 40); x = torch.randn(28, 33, 28); "
        "layer(x)[0].square().sum().backward(); "
        "print(hashlib.sha256(layer.weight_hh_l0.grad.numpy().tobytes()).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True) for _ in "ab"
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout) == 65


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch", [1, 3, 40])
def test_weights_changed_in_any_way_are_seen(bidirectional: bool, batch: int) -> None:
    ours, torchs = pair("gru", 6, 20, bidirectional)
    x_TBD = torch.randn(4, batch, 6)

    def agree() -> None:
        torchs.load_state_dict(ours.state_dict())
        with torch.inference_mode():
            torch.testing.assert_close(ours(x_TBD)[0].double(), torchs(x_TBD.double())[0], rtol=1e-5, atol=1e-6)

    agree()
    ours.weight_hh_l0.data.mul_(1.5)  # past the tensor's version
    agree()
    ours.bias_hh_l0.detach().numpy()[3] += 1
    agree()
    with torch.no_grad():
        ours.weight_ih_l0[2, 3] = 2.0
    agree()
    other = FusedGRU(6, 20, bidirectional=bidirectional)
    ours.load_state_dict(other.state_dict())
    agree()


@pytest.mark.parametrize("cell", list(FUSED))
def test_threads_of_our_own_give_the_same_bits_as_torchs(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = pair(cell, 28, 30, bidirectional=True)
    x_TBD = torch.randn(9, 26, 28)
    torch.set_num_threads(3)
    with_torchs = everything(ours, x_TBD)
    monkeypatch.setattr(threads, "_team", lambda: None)
    with_own = everything(ours, x_TBD)
    assert all(torch.equal(a, b) for a, b in zip(with_torchs, with_own, strict=True))


@pytest.mark.parametrize(("batch", "learns", "ours"), [
    (1, False, True), (2, False, True), (3, False, False), (8, False, False), (9, False, True), (100, False, True),
    (1, True, False), (23, True, False), (24, True, True),
])  # fmt: skip
def test_the_lstm_is_ours_where_it_wins(
    batch: int, learns: bool, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "LSTM_LEARNS_FROM", LEARNS_FROM)
    monkeypatch.setattr(layers, "LSTM_LOSES", LOSES)
    used: list[str] = []
    real = layers._run

    def noted(name: str, *rest: object) -> tuple[Tensor, Tensor]:
        used.append(name)
        return real(name, *rest)  # pyright: ignore

    monkeypatch.setattr(layers, "_run", noted)
    monkeypatch.setattr(layers, "LSTM_LARGE", 3)
    with torch.set_grad_enabled(learns):
        FusedLSTM(3, 4)(torch.randn(2, batch, 3))
    assert used == ["lstm"] * ours
    used.clear()
    with torch.set_grad_enabled(learns):
        FusedGRU(3, 4)(torch.randn(2, batch, 3))
    assert used == ["gru"]


def test_a_large_lstm_is_ours_from_so_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "LSTM_LARGE", 3)
    monkeypatch.setattr(layers, "LSTM_LEARNS_LARGE", 50)
    wins = layers._lstm_wins
    assert not wins(FusedLSTM(3, 4), torch.randn(2, 24, 3))
    assert wins(FusedLSTM(3, 4), torch.randn(2, 25, 3))
    assert wins(FusedLSTM(3, 3), torch.randn(2, 24, 3))
