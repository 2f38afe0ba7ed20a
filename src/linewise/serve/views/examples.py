"""Pictures to try: test images from the study's gallery, easy and hard; else the embedded digits."""

from __future__ import annotations

import asyncio
import base64
import io
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from linewise.foundations.errors import LinewiseError
from linewise.foundations.folder import StudyFolder
from linewise.serve.desk import Served
from linewise.serve.routes import ALWAYS, find, refusals

router = APIRouter(responses=refusals(*ALWAYS, 404, 422))
MOST_EASY, MOST_HARD = 10, 5
SIDE = 112
"""Pixels of an embedded digit that is shown to a network for larger images."""


class Example(BaseModel):
    """A picture to try.

    Attributes:
        label: its true class.
        image: PNG in base64.
        drawn: to be sent as a drawing; else it is exactly what the network sees.
        hard: most runs of the study get it wrong.
    """

    label: str
    image: str
    drawn: bool = False
    hard: bool = False


class Examples(BaseModel):
    """Easy ones first, by class."""

    examples: list[Example]


@router.get("/v1/examples")
async def examples(
    request: Request, model: Annotated[str, Query(max_length=200, description="One of `/v1/page`.")]
) -> Examples:
    """Pictures to try with a model; none where there is neither a gallery nor a digit it knows."""
    chosen = find(request, model)
    return Examples(examples=await asyncio.to_thread(_examples, chosen))


def _examples(chosen: Served) -> list[Example]:
    shape = (chosen.answerer.preprocessing.height, chosen.answerer.preprocessing.width)
    if chosen.study is not None:
        found = from_gallery(chosen.study, (*shape, chosen.answerer.preprocessing.channels))
        if found:
            return list(found)
    return list(from_digits(tuple(chosen.answerer.class_names), shape))


@lru_cache(maxsize=32)
def from_gallery(study: Path, shape: tuple[int, int, int]) -> tuple[Example, ...]:
    """Of each class the test image that runs are surest of; and those that most of them get wrong."""
    try:
        folder = StudyFolder.open(study)
        gallery, answers = folder.gallery(), [run.predictions("test") for run in folder.runs()]
        names = folder.spec().data.class_names
    except LinewiseError:  # the page shows what there is; `linewise report` tells of damage
        return ()
    known = [found for found in answers if found is not None]
    if gallery is None or not known or gallery.images_GHWC.shape[1:] != shape:
        return ()
    labels_G = known[0].labels_N[gallery.indices_G]
    true_RG = np.stack([found.probabilities_NK[gallery.indices_G, labels_G] for found in known])
    wrong_G = np.stack([~found.correct_N[gallery.indices_G] for found in known]).mean(axis=0)
    easy_G = true_RG.mean(axis=0) - wrong_G
    chosen: list[tuple[int, bool]] = []
    for label in range(len(names)):
        of_class = np.flatnonzero(labels_G == label)
        if len(of_class) and len(chosen) < MOST_EASY:
            chosen.append((int(of_class[easy_G[of_class].argmax()]), False))
    hardest_G = np.argsort(-wrong_G, kind="stable")
    chosen += [(int(g), True) for g in hardest_G[:MOST_HARD] if wrong_G[g] > 0.5]
    return tuple(
        Example(label=names[labels_G[g]], image=png(gallery.images_GHWC[g]), hard=hard) for g, hard in chosen
    )


@lru_cache(maxsize=32)
def from_digits(class_names: tuple[str, ...], shape: tuple[int, int]) -> tuple[Example, ...]:
    """One embedded digit of each class that is named as one."""
    from PIL import Image

    from linewise.images.sources.digits import embedded_digits

    images_NHW, labels_N = embedded_digits()
    found = []
    for digit in map(str, range(10)):
        if digit not in class_names:
            continue
        image = Image.fromarray(images_NHW[int(np.flatnonzero(labels_N == int(digit))[0])])
        drawn = shape != (8, 8)
        if drawn:
            image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        found.append(Example(label=digit, image=png(np.asarray(image)[:, :, None]), drawn=drawn))
    return tuple(found)


def png(image_HWC: np.ndarray) -> str:
    """A uint8 image as a PNG in base64."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image_HWC[:, :, 0] if image_HWC.shape[2] == 1 else image_HWC).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()
