"""A reader of a visitor's own classes, trained on the spot, for the view Teach."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from linewise.analysis.intervals import wilson
from linewise.foundations.names import escaped
from linewise.serve.errors import Refused
from linewise.serve.lesson import PAPER
from linewise.serve.routes import ALWAYS, refusals
from linewise.serve.teaching import Phase, Progress, Teaching
from linewise.serve.views.page import PageModel, told
from linewise.serve.views.picture import prepare_ink
from linewise.serve.views.records import ModelName, Share

router = APIRouter(responses=refusals(*ALWAYS))
FEWEST_CLASSES, MOST_CLASSES = 2, 10
FEWEST_DRAWINGS, MOST_DRAWINGS = 3, 20
MOST_MEGAPIXELS = 4.0
NO_LETTERS = {"Zl", "Zp", "Co", "Cn"}
"""Categories of Unicode: ends of lines and paragraphs, private and unassigned."""
SEEN = "LNPS"
"""Letters, numbers, punctuation and symbols: a name has one, or nobody sees it."""


def _plain(name: str) -> str:
    """A name that can be shown anywhere: one line, no letter that is none."""
    name = unicodedata.normalize("NFC", name).strip()
    if not any(unicodedata.category(letter)[0] in SEEN for letter in name):
        raise ValueError("a name of at least one letter")
    if escaped(name) != name or any(unicodedata.category(letter) in NO_LETTERS for letter in name):
        raise ValueError("a name on one line, without control characters")
    return name


ClassName = Annotated[str, Field(min_length=1, max_length=40, examples=["star"]), AfterValidator(_plain)]
MOST_LETTERS = 200_000


def _short(drawing: str) -> str:
    """Not too long; the description keeps silent, because a body of many long ones is refused as a whole."""
    if len(drawing) > MOST_LETTERS:
        raise ValueError(f"at most {MOST_LETTERS:,} characters of base64")
    return drawing


Drawing = Annotated[
    str,
    Field(min_length=1, description="A PNG or JPEG, in base64.", examples=["iVBORw0KGgo="]),
    AfterValidator(_short),
]


class TaughtClass(BaseModel):
    """Drawings of one class."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: ClassName
    images: Annotated[list[Drawing], Field(min_length=FEWEST_DRAWINGS, max_length=MOST_DRAWINGS)]


class TeachRequest(BaseModel):
    """What a reader is to learn; a quarter of the drawings of each class, at least one, only examines it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    classes: Annotated[list[TaughtClass], Field(min_length=FEWEST_CLASSES, max_length=MOST_CLASSES)]


class SaveRequest(BaseModel):
    """Which taught model to save."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: ModelName


class TeachState(BaseModel):
    """Where the last training is.

    Attributes:
        allowed: whether networks can be taught on this server.
        losses: of the training drawings, after each epoch.
        num_train, num_apart: drawings it learns from, and drawings that are kept apart to examine it.
        right: of those kept apart, how many it recognises.
        apart: the same as a share with its interval; null before the first epoch.
        train_s: of training alone.
        saved: its folder, from where the server was started; empty where it was not saved.
        message: why it stopped or failed.
        told: the model as the page offers it, once it is ready.
    """

    allowed: bool
    phase: Phase
    model: str
    class_names: list[str]
    step: int
    steps: int
    losses: list[float]
    num_train: int
    num_apart: int
    right: int
    apart: Share | None
    train_s: float
    saved: str
    message: str
    told: PageModel | None


@router.get("/v1/teach")
async def state(request: Request) -> TeachState:
    """Where the last training is."""
    return _state(request)


@router.post("/v1/teach", status_code=202, responses=refusals(409, 422))
async def teach(asked: TeachRequest, request: Request) -> TeachState:
    """Train a small reader on drawings; it answers at once, `GET` tells how far it is."""
    teaching = _allowed(request)
    names = [each.name for each in asked.classes]
    if len(set(names)) < len(names):
        raise Refused(422, "Not valid", "classes: two have the same name")
    teaching.reserve()
    try:
        loop = asyncio.get_running_loop()
        drawings = await loop.run_in_executor(request.app.state.decoders, _drawings, asked)
        teaching.start(names, drawings)
    except BaseException:
        teaching.release()
        raise
    return _state(request)


@router.delete("/v1/teach")
async def cancel(request: Request) -> TeachState:
    """Stop the training that runs, if one does."""
    _allowed(request).cancel()
    return _state(request)


@router.api_route("/v1/teach", methods=["HEAD", "OPTIONS", "PATCH", "PUT", "TRACE"], include_in_schema=False)
async def others() -> None:
    """Refuse the other methods; a router of several routes would name those of the first only."""
    raise Refused(
        405, "Method not allowed", "This address does not take this method.", {"Allow": "GET, POST, DELETE"}
    )


@router.post("/v1/teach/save", responses=refusals(404, 409, 422))
async def save(asked: SaveRequest, request: Request) -> TeachState:
    """Write a taught model as a run under `runs/`, for `linewise predict` and `linewise serve`."""
    teaching = _allowed(request)
    await asyncio.to_thread(teaching.save, asked.model)
    return _state(request)


def _allowed(request: Request) -> Teaching:
    if not request.app.state.settings.teach:
        raise Refused(403, "Switched off", "Networks cannot be taught on this server.")
    return request.app.state.teaching


def _drawings(asked: TeachRequest) -> list[np.ndarray]:
    """Of each class, uint8 `NHWC`.

    Raises:
        Refused: 422, naming the class and the drawing.
    """
    found = []
    for each in asked.classes:
        images = []
        for number, data in enumerate(each.images, start=1):
            where = f"drawing {number} of {each.name!r}"
            try:
                image_HWC = prepare_ink(data, PAPER, "drawings", MOST_MEGAPIXELS)
            except Refused as refused:
                raise Refused(refused.status, refused.title, f"{where}: {refused.detail}") from None
            if not image_HWC.any():
                raise Refused(422, "Blank", f"{where}: nothing is drawn.")
            images.append(image_HWC)
        found.append(np.stack(images))
    return found


def _state(request: Request) -> TeachState:
    progress: Progress = request.app.state.teaching.progress
    served = request.app.state.desk.models.get(progress.model) if progress.phase == "ready" else None
    return TeachState(
        allowed=request.app.state.settings.teach,
        phase=progress.phase,
        model=progress.model,
        class_names=list(progress.class_names),
        step=progress.step,
        steps=progress.steps,
        losses=list(progress.losses),
        num_train=progress.num_train,
        num_apart=progress.num_apart,
        right=progress.right,
        apart=_share(progress) if progress.losses else None,
        train_s=progress.train_s,
        saved=progress.saved,
        message=progress.message,
        told=told(served) if served else None,
    )


def _share(progress: Progress) -> Share:
    low, high = wilson(progress.right, progress.num_apart)
    return Share(estimate=progress.right / progress.num_apart, low=low, high=high, num_images=progress.num_apart)
