"""Which class a network takes for which, from its study's records, for the view Mistakes."""

from __future__ import annotations

import asyncio
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from linewise.analysis.confusion import confusion, recalls, worst_pairs
from linewise.analysis.intervals import accuracy
from linewise.serve.desk import Served
from linewise.serve.errors import Refused
from linewise.serve.routes import ALWAYS, find, refusals
from linewise.serve.views.records import NotTested, Picture, Share, Tested, pictures, tested

router = APIRouter(responses=refusals(*ALWAYS, 404, 422))
MOST_CLASSES = 60
"""A matrix of more classes is not sent; the most frequent confusions are."""
MOST_PAIRS = 12
MOST_PICTURES = 100
ModelQuery = Annotated[str, Query(max_length=200, description="One of `/v1/page`.")]
ClassQuery = Annotated[int, Query(ge=0, le=100_000, description="Place in the class names, from 0.")]
Most = Annotated[int, Query(ge=0, le=MOST_PICTURES, description="Pictures at most.")]


class PairTold(BaseModel):
    """Images of class `true` taken for class `predicted`.

    Attributes:
        rate: of all images of the true class.
        pictures: how many of them have a picture.
    """

    true: int
    predicted: int
    count: int
    rate: float
    pictures: int


class ConfusionAnswer(BaseModel):
    """The confusion matrix of one run on all test images of its study.

    Attributes:
        why: why there is none; empty where there is one.
        counts_KK: true class by answered class; empty where there are too many classes.
        pictures_KK: how many of these images have a picture.
        recall_K: share of each class that was recognised; null for a class without images.
        pairs: the most frequent confusions.
    """

    model: str
    why: str = ""
    study: str = ""
    class_names: list[str] = []
    counts_KK: list[list[int]] = []
    pictures_KK: list[list[int]] = []
    recall_K: list[float | None] = []
    pairs: list[PairTold] = []
    accuracy: Share | None = None


class GalleryAnswer(BaseModel):
    """Test images of one class that got one answer.

    Attributes:
        why: why there are none to see; empty where there are.
        count: of all test images.
        num_pictures: of those, how many have a picture.
        pictures: the first of those, beginning with the answers it was surest of.
    """

    why: str = ""
    count: int = 0
    num_pictures: int = 0
    pictures: list[Picture] = []


@router.get("/v1/confusion")
async def confusion_of(request: Request, model: ModelQuery) -> ConfusionAnswer:
    """Which class a network takes for which, on all test images of its study."""
    return await asyncio.to_thread(_confusion, find(request, model))


def _confusion(chosen: Served) -> ConfusionAnswer:
    try:
        found = tested(chosen)
    except NotTested as error:
        return ConfusionAnswer(model=chosen.name, why=str(error))
    names = chosen.answerer.class_names
    counts_KK = confusion([found.answers], len(names))
    pictures_KK = _pictured(found, len(names))
    small = len(names) <= MOST_CLASSES
    return ConfusionAnswer(
        model=chosen.name,
        study=chosen.study.name if chosen.study else "",
        class_names=names,
        counts_KK=counts_KK.tolist() if small else [],
        pictures_KK=pictures_KK.tolist() if small else [],
        recall_K=[None if np.isnan(share) else float(share) for share in recalls(counts_KK)],
        pairs=[
            PairTold(
                true=pair.true,
                predicted=pair.predicted,
                count=pair.count,
                rate=pair.rate,
                pictures=int(pictures_KK[pair.true, pair.predicted]),
            )
            for pair in worst_pairs(counts_KK, MOST_PAIRS)
        ],
        accuracy=Share.of(accuracy(found.answers.correct_N[None])),
    )


def _pictured(found: Tested, num_classes: int) -> np.ndarray:
    """How many images of each cell have a picture, `KK`."""
    pictures_KK = np.zeros((num_classes, num_classes), np.int64)
    if found.gallery is not None:
        indices_G = found.gallery.indices_G
        np.add.at(pictures_KK, (found.answers.labels_N[indices_G], found.answers.predicted_N[indices_G]), 1)
    return pictures_KK


@router.get("/v1/gallery")
async def gallery(
    request: Request, model: ModelQuery, true: ClassQuery, predicted: ClassQuery, most: Most = 60
) -> GalleryAnswer:
    """Test images of one class that a network gave one answer."""
    return await asyncio.to_thread(_gallery, find(request, model), true, predicted, most)


def _gallery(chosen: Served, true: int, predicted: int, most: int) -> GalleryAnswer:
    names = chosen.answerer.class_names
    if max(true, predicted) >= len(names):
        raise Refused(404, "Unknown class", f"{chosen.name} knows {len(names)} classes, 0 to {len(names) - 1}.")
    try:
        found = tested(chosen)
    except NotTested as error:
        return GalleryAnswer(why=str(error))
    answers = found.answers
    cell_N = (answers.labels_N == true) & (answers.predicted_N == predicted)
    places_G = found.pictured(cell_N)
    if found.gallery is not None:
        sure_G = answers.probabilities_NK[found.gallery.indices_G[places_G], predicted]
        places_G = places_G[np.argsort(-sure_G, kind="stable")]
    return GalleryAnswer(
        count=int(cell_N.sum()),
        num_pictures=len(places_G),
        pictures=pictures([chosen], [found], places_G[:most], names),
    )
