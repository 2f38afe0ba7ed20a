"""The API: what is served, answers, health."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from linewise.serve.desk import Desk, Served
from linewise.serve.errors import Problem, Refused, busy
from linewise.serve.metrics import CONTENT_TYPE
from linewise.serve.pictures import Pixels, read_pictures

REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": description}
    for code, description in {
        400: "It cannot be read.",
        401: "The token is missing or wrong.",
        403: "A page of another site sent it, or it is switched off.",
        404: "No such model.",
        408: "It came too slowly.",
        409: "Something else has to come first.",
        413: "More bytes, images or pixels than are taken.",
        415: "Another kind of body.",
        421: "Another host was called.",
        422: "It is not what is asked for.",
        503: "No room; come again after the seconds of Retry-After.",
    }.items()
}


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer instead, for its description."""
    return {code: REFUSALS[code] for code in codes}


ALWAYS = (400, 401, 403, 408, 413, 421, 503)
router = APIRouter()


class Likely(BaseModel):
    """A class and its probability, from 0 to 1."""

    name: str
    probability: float


class Answer(BaseModel):
    """The most likely classes of one image, most likely first."""

    top: list[Likely]


class Answers(BaseModel):
    """What a model says, an answer per image, in their order."""

    model: str
    answers: list[Answer]


class Model(BaseModel):
    """One model of this server.

    Attributes:
        network: its architecture.
        channels: 1 grey, 3 colour.
        fit: how an image of another shape is brought to this one.
        parameters: trained numbers.
    """

    name: str
    network: str
    class_names: list[str]
    height: int
    width: int
    channels: int
    fit: str
    parameters: int


class Models(BaseModel):
    """All models; the first answers where none is named."""

    models: list[Model]


class State(BaseModel):
    state: str


class Asked(BaseModel):
    """What is asked beside the images."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, max_length=200, description="Its name; by default the first.")
    top: int = Field(3, ge=1, le=1000, description="Classes per image.")


_BINARY = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": Pixels.model_json_schema()},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"image": {"type": "array", "items": _BINARY["schema"], "minItems": 1}},
                "required": ["image"],
                "additionalProperties": False,
            }
        },
        "image/png": _BINARY,
        "image/jpeg": _BINARY,
        "application/octet-stream": _BINARY,
    },
}


@router.post(
    "/v1/predict",
    responses=refusals(*ALWAYS, 404, 415, 422),
    openapi_extra={"requestBody": _BODY},
    summary="Recognise images",
)
async def predict(request: Request, asked: Annotated[Asked, Query()]) -> Answers:
    """One image as the body, several as files in the field 'image' of a form, or pixels as JSON."""
    served = find(request, asked.model)
    settings, batcher = request.app.state.settings, request.app.state.batcher
    images_NHWC = await read_pictures(request, served.answerer.preprocessing, settings)
    request.app.state.occupancy.brought(len(images_NHWC))
    answers_NK = await batcher.answer(served.name, images_NHWC)
    names = served.answerer.class_names
    return Answers(model=served.name, answers=[_answer(row_K, names, asked.top) for row_K in answers_NK])


def find(request: Request, name: str | None) -> Served:
    """The model of this name, or the first.

    Raises:
        Refused: 404, there is none.
    """
    desk: Desk = request.app.state.desk
    if name is None:
        return desk.first
    if name not in desk.models:
        raise Refused(404, "Unknown model", f"Known are {', '.join(list(desk.models)[:20])}.")
    return desk.models[name]


def _answer(row_K: np.ndarray, names: list[str], top: int) -> Answer:
    best = np.argsort(-row_K, kind="stable")[:top]
    return Answer(top=[Likely(name=names[k], probability=round(float(row_K[k]), 6)) for k in best])


@router.get("/v1/models", responses=refusals(*ALWAYS), summary="What is served")
async def models(request: Request) -> Models:
    """The models in the order they were given."""
    desk: Desk = request.app.state.desk
    return Models(models=[_model(served) for served in desk.models.values()])


def _model(served: Served) -> Model:
    geometry = served.answerer.preprocessing
    return Model(
        name=served.name,
        network=served.saved.card.network.name,
        class_names=served.answerer.class_names,
        height=geometry.height,
        width=geometry.width,
        channels=geometry.channels,
        fit=geometry.fit,
        parameters=sum(p.numel() for p in served.saved.network.parameters()),
    )


@router.get("/live", responses=refusals(400, 403, 413, 421), summary="Whether it runs")
async def live() -> State:
    return State(state="live")


@router.get("/ready", responses=refusals(400, 403, 413, 421, 503), summary="Whether it takes requests")
async def ready(request: Request) -> State:
    """503 until each model has answered once, and again from SIGTERM on."""
    occupancy = request.app.state.occupancy
    if occupancy.draining:
        raise busy("The server is about to stop.")
    if not occupancy.warm:
        raise busy("The models are being warmed up.")
    return State(state="ready")


class Text(Response):
    media_type = CONTENT_TYPE


@router.get("/metrics", responses=refusals(400, 401, 403, 413, 421), response_class=Text, summary="For Prometheus")
async def metrics(request: Request) -> Response:
    """Requests by route and code, times, batches, the queue."""
    return Text(request.app.state.metrics.text())
