"""Stopping early gives the answer that full reading had at that step, image by image."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linewise.models import create_model
from linewise.models.recurrent.early import EarlyReader, doubts
from linewise.models.recurrent.network import RecurrentNetwork
from linewise.models.recurrent.stepping import Stepping

SIDE = 7
BLANK = torch.full((1, SIDE, SIDE), -0.4)


def network(name: str, **sizes: object) -> RecurrentNetwork:
    torch.manual_seed(3)
    found = create_model(name, num_classes=3, img_size=(SIDE, SIDE), hidden=8, **sizes)  # type: ignore[arg-type]
    assert isinstance(found, RecurrentNetwork)
    with torch.no_grad():
        found.head.weight *= 12  # answers of which it is sure, sooner or later
    return found.eval()


NETWORKS = {
    "lstm": network("lstm"),
    "gru@columns": network("gru", reading="columns", readout="mean"),
    "minlstm@rows+columns": network("minlstm", reading="rows+columns", body="blocks"),
    "gru@rows3-stride2": network("gru", reading="rows3-stride2"),
}


def images(count: int, seed: int) -> torch.Tensor:
    """Some begin with blank rows or columns, one is blank."""
    torch.manual_seed(seed)
    x_BCHW = torch.randn(count, 1, SIDE, SIDE)
    for i in range(count):
        x_BCHW[i, :, : i % (SIDE + 1)] = -0.4
        x_BCHW[i, :, :, : i % 3] = -0.4
    return x_BCHW


@given(
    name=st.sampled_from(sorted(NETWORKS)),
    count=st.integers(1, 12),
    doubt=st.sampled_from([None, 0.0, 0.01, 0.1, 0.3, 0.6]),
    skipping=st.booleans(),
    seed=st.integers(0, 30),
)
@settings(max_examples=80, deadline=None)
def test_it_stops_where_full_reading_was_sure(
    name: str, count: int, doubt: float | None, skipping: bool, seed: int
) -> None:
    net, x_BCHW = NETWORKS[name], images(count, seed)
    with torch.inference_mode():
        logits_BTK = net.forward_steps(x_BCHW)
    found = EarlyReader(Stepping(net), doubt, BLANK if skipping else None).read(x_BCHW)
    for i in range(count):
        doubt_T = doubts(logits_BTK[i])
        close_T = (doubt_T - (doubt or 0.0)).abs() < 1e-5  # rounding may decide
        sure_T = doubt_T <= doubt if doubt is not None else torch.zeros_like(close_T)
        if close_T.any() and doubt:
            continue
        stop = int(sure_T.int().argmax()) + 1 if sure_T.any() else logits_BTK.shape[1]
        assert found.read_B[i] == stop
        torch.testing.assert_close(found.logits_BK[i], logits_BTK[i, stop - 1], rtol=1e-4, atol=1e-4)
        assert 0 <= found.computed_B[i] <= stop
        if not skipping:
            assert found.computed_B[i] == stop


def test_blank_steps_at_the_beginning_are_not_computed() -> None:
    net, x_BCHW = NETWORKS["lstm"], images(SIDE + 1, 0)
    for found in (
        EarlyReader(Stepping(net), None, BLANK).read(x_BCHW),
        *(EarlyReader(Stepping(net), None, BLANK).read(x_B[None]) for x_B in x_BCHW[3:4]),
    ):
        assert set(found.read_B.tolist()) == {SIDE}
        expected = [SIDE - i for i in range(SIDE + 1)] if len(found.read_B) > 1 else [SIDE - 3]
        assert found.computed_B.tolist() == expected


def test_a_doubt_is_what_the_other_classes_have_together_however_small() -> None:
    logits_BK = torch.tensor([[0.0, -20.0, -21.0], [1.0, 1.0, 1.0], [-3.0, 30.0, 2.0]])
    exact_BK = torch.softmax(logits_BK.double(), dim=1)
    expected_B = exact_BK.sum(dim=1) - exact_BK.max(dim=1).values
    expected_B[0] = exact_BK[0, 1:].sum()
    expected_B[2] = exact_BK[2, [0, 2]].sum()
    torch.testing.assert_close(doubts(logits_BK).double(), expected_B, rtol=1e-5, atol=0)


@pytest.mark.parametrize("count", [1, 4])
def test_a_blank_image_is_looked_up_whole(count: int) -> None:
    net = NETWORKS["lstm"]
    x_BCHW = BLANK[None].expand(count, -1, -1, -1)
    with torch.inference_mode():
        logits_BTK = net.forward_steps(x_BCHW)
    for doubt in (None, 1.0 - 1e-6):
        found = EarlyReader(Stepping(net), doubt, BLANK).read(x_BCHW)
        stop = SIDE if doubt is None else 1
        assert found.read_B.tolist() == [stop] * count
        assert found.computed_B.tolist() == [0] * count
        torch.testing.assert_close(found.logits_BK, logits_BTK[:, stop - 1])
