"""One picture as a network reads it, for the views Read and Inside a cell."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from linewise.models.recurrent.network import RecurrentNetwork
from linewise.serve.desk import Served
from linewise.serve.routes import ALWAYS, find, refusals
from linewise.serve.views.picture import Base64, prepare
from linewise.tracing import Trace, trace

router = APIRouter(responses=refusals(*ALWAYS, 404, 422))


class ReadRequest(BaseModel):
    """What to read.

    Attributes:
        image: PNG or JPEG in base64.
        drawn: it is ink on paper, to be centred and scaled as the training images were.
        gates: open up the cell, where it is an LSTM's, a GRU's or a plain RNN's.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str = Field(max_length=200, description="One of `/v1/page`.", examples=["lstm-0"])
    image: Base64
    drawn: bool = False
    gates: bool = False


class TraceAnswer(BaseModel):
    """`linewise.tracing.Trace`, in lists. T steps, K classes, U units, H × W pixels of C channels."""

    label: str
    class_names: list[str]
    image_HWC: list[list[list[int]]]
    probabilities_K: list[float]
    reading: str
    num_steps: int | None
    step_HW: list[list[int]] | None
    probabilities_TK: list[list[float]] | None
    settled: int | None
    stopped: int | None
    hidden_TU: list[list[float]] | None
    gates: dict[str, list[list[float]]] | None


class ReadAnswer(BaseModel):
    """What the network made of it.

    Attributes:
        directions: in which it reads: 0 where it does not read step by step, 1, or 2.
        layers: recurrent layers, one upon the other; `hidden_TU` and `gates` are of the last.
        compute_ms: time in the network, milliseconds.
    """

    model: str
    directions: int
    layers: int
    compute_ms: float
    trace: TraceAnswer


@router.post("/v1/read")
async def read(asked: ReadRequest, request: Request) -> ReadAnswer:
    """Read a picture step by step: answers, memory and gates after each step."""
    chosen = find(request, asked.model)
    max_megapixels = request.app.state.settings.max_megapixels
    image_HWC = await asyncio.get_running_loop().run_in_executor(
        request.app.state.decoders, prepare, chosen, asked.image, asked.drawn, max_megapixels
    )

    def look() -> tuple[Trace, float]:
        started = time.perf_counter()
        found = trace(chosen.saved, image_HWC, gates=asked.gates, rule=chosen.answerer.rule, label=chosen.name)
        return found, 1000 * (time.perf_counter() - started)

    found, compute_ms = await request.app.state.batcher.run(look)
    directions, layers = _shape(chosen)
    return ReadAnswer(
        model=chosen.name,
        directions=directions,
        layers=layers,
        compute_ms=round(compute_ms, 2),
        trace=TraceAnswer.model_validate(found.to_json()),
    )


def _shape(chosen: Served) -> tuple[int, int]:
    network = chosen.saved.network
    if not isinstance(network, RecurrentNetwork):
        return 0, 0
    return 2 if network.bidirectional else 1, int(network.config.sizes.get("layers", 1))
