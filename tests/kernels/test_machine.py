"""The machine code itself: tanh and sigmoid, processors of other widths, the cache."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from linewise.kernels.fused import FusedGRU, FusedLSTM, FusedRNN, ahead, back, packing
from linewise.kernels.machine import activations, compiled
from linewise.kernels.machine.code import Code
from linewise.kernels.machine.compiled import Width


def test_kernels_of_ours_are_there() -> None:
    """What the other tests of kernels would else compare with itself: llvmlite is in the extra `dev`."""
    assert compiled.available()


def elementwise(what: Callable[[Code, str], str], values_N: np.ndarray) -> np.ndarray:
    """A function of the kernels on an array whose length is a multiple of 16."""
    import llvmlite.binding as llvm

    code = Code("elementwise", 16)
    count, source, target = code.argument(0), code.argument(1, "ptr"), code.argument(2, "ptr")
    with code.loop(0, count, 16) as i:
        code.store(what(code, code.load(code.at(source, i))), code.at(target, i))
    machine = compiled._machine()
    engine = llvm.create_mcjit_compiler(compiled.optimised(code.text(), machine), machine)
    engine.finalize_object()
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(engine.get_function_address("elementwise"))
    x_N = values_N.astype(np.float32)
    y_N = np.empty_like(x_N)
    call((ctypes.c_int64 * 3)(len(x_N), x_N.ctypes.data, y_N.ctypes.data))
    return y_N


EVERYWHERE_N = np.concatenate([
    np.linspace(-20, 20, 2**16), np.geomspace(1e-30, 1e30, 2**12), -np.geomspace(1e-30, 1e30, 2**12),
    [0.0, -0.0, np.inf, -np.inf, 87.0, -87.0, 88.8, -88.8, 7.9, -7.9, 8.0, -8.0, 1e4, -1e4, 3e38, -3e38],
]).astype(np.float32)  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "exact"),
    [
        (activations.tanh, np.tanh),
        (activations.sigmoid, lambda x: 1 / (1 + np.exp(-np.clip(x, -700, 700)))),
    ],
)
def test_activations_are_exact_to_a_few_units_of_the_last_place(
    ours: Callable[[Code, str], str], exact: Callable[[np.ndarray], np.ndarray]
) -> None:
    found_N, wanted_N = elementwise(ours, EVERYWHERE_N), exact(EVERYWHERE_N.astype(np.float64))
    assert np.abs(found_N - wanted_N).max() < 3e-7
    usual_N = (np.abs(EVERYWHERE_N) < 80) & (wanted_N != 0)
    assert np.abs(found_N[usual_N] / wanted_N[usual_N] - 1).max() < 1e-6
    assert np.abs(found_N).max() <= 1
    assert np.all(np.diff(found_N[: 2**16].astype(np.float64)) > -4e-7)  # rises, but for rounding
    assert np.isnan(elementwise(ours, np.full(16, np.nan))).all()


def test_tanh_is_odd() -> None:
    assert np.array_equal(
        elementwise(activations.tanh, -EVERYWHERE_N), -elementwise(activations.tanh, EVERYWHERE_N)
    )


@pytest.fixture
def of_width(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Width], None]]:
    """Kernels as for a processor with other vectors."""

    def choose(width: Width) -> None:
        monkeypatch.setattr(compiled, "width", lambda: width)
        monkeypatch.setattr(packing, "width", lambda: width)
        compiled.function.cache_clear()

    yield choose
    compiled.function.cache_clear()


@pytest.mark.parametrize("width", [Width(4, 8), Width(4, 24), Width(8, 12), Width(16, 24)])
@pytest.mark.parametrize(("ours", "torchs"), [(FusedRNN, nn.RNN), (FusedLSTM, nn.LSTM), (FusedGRU, nn.GRU)])
def test_narrower_vectors_give_the_same(
    of_width: Callable[[Width], None], width: Width, ours: type[nn.RNNBase], torchs: type[nn.RNNBase]
) -> None:
    of_width(width)
    layer, wanted = ours(19, 37, bidirectional=True), torchs(19, 37, bidirectional=True)
    wanted.load_state_dict(layer.state_dict())
    x_TBD = torch.randn(6, 27, 19)
    found_TBU, wanted_TBU = layer(x_TBD)[0], wanted(x_TBD)[0]
    torch.testing.assert_close(found_TBU, wanted_TBU, rtol=1e-5, atol=1e-6)
    found_TBU.square().sum().backward()
    wanted_TBU.square().sum().backward()
    for a, b in zip(layer.parameters(), wanted.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)


def forget() -> None:
    """All that was compiled, and the plans that have it."""
    for remembered in (compiled.function, compiled.list_function, ahead.plan, back.walk):
        remembered.cache_clear()


@pytest.fixture
def compiled_anew() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.mark.cold
@pytest.mark.usefixtures("compiled_anew")
def test_code_is_kept_and_a_damaged_file_is_made_again(own_cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="linewise")
    layer, x_TBD = FusedRNN(4, 5), torch.randn(3, 40, 4)  # of few sequences, calls hold on to their code
    with torch.no_grad():
        wanted = layer(x_TBD)[0]
        files = sorted((own_cache / "kernels").iterdir())
        assert sorted(r.message for r in caplog.records) == [
            f"kernel {name} compiled in {r.args[1]:.1f} s, kept in {file}"  # pyright: ignore
            for name, file, r in zip(
                ("list", "rnn-ahead"), files, sorted(caplog.records, key=lambda r: r.message), strict=True
            )
        ]
        forget()
        assert torch.equal(layer(x_TBD)[0], wanted)
        assert len(caplog.records) == 2  # from the cache
        file = files[1]
        whole = file.read_bytes()
        for damaged in (whole[:-100], whole[:40] + b"\xff" + whole[41:], b""):
            file.write_bytes(damaged)
            forget()
            assert torch.equal(layer(x_TBD)[0], wanted)
            assert file.read_bytes() == whole


@pytest.mark.usefixtures("compiled_anew")
def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kernels").write_text("a file where the folder should be")
    monkeypatch.setenv("LINEWISE_CACHE", str(tmp_path))
    layer, wanted = FusedRNN(4, 5), nn.RNN(4, 5)
    wanted.load_state_dict(layer.state_dict())
    x_TBD = torch.randn(3, 2, 4)
    torch.testing.assert_close(layer(x_TBD)[0], wanted(x_TBD)[0], rtol=1e-5, atol=1e-6)


def test_where_no_code_can_be_made_torch_computes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(cell: str, program: str) -> None:
        raise RuntimeError("unknown processor")

    monkeypatch.setattr(compiled, "function", fail)
    compiled.available.cache_clear()
    layer, wanted = FusedRNN(4, 5), nn.RNN(4, 5)
    wanted.load_state_dict(layer.state_dict())
    x_TBD = torch.randn(3, 2, 4)
    assert torch.equal(layer(x_TBD)[0], wanted(x_TBD)[0])
    assert torch.equal(layer(x_TBD)[0], wanted(x_TBD)[0])
    assert [r.message for r in caplog.records] == ["no fused kernels here: RuntimeError: unknown processor"]
    assert compiled.described() == "torch's own layers; for the fused ones: pip install 'linewise[fast]'"
    compiled.available.cache_clear()
