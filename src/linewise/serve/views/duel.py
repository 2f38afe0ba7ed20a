"""Two networks on the same picture, and where one of them is right and the other wrong, for the view Duel."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from linewise.analysis.intervals import accuracy, difference
from linewise.foundations.records import Latency
from linewise.serve.desk import Served
from linewise.serve.routes import ALWAYS, find, refusals
from linewise.serve.views.examples import png
from linewise.serve.views.mistakes import ModelQuery, Most
from linewise.serve.views.picture import Base64, prepare
from linewise.serve.views.records import ModelName, NotTested, Picture, Share, Tested, cost, pictures, tested

router = APIRouter(responses=refusals(*ALWAYS, 404, 422))
MOST_REPEATS, MOST_TIMING_S = 25, 0.4


class DuelRequest(BaseModel):
    """What two networks are to answer.

    Attributes:
        image: PNG or JPEG in base64.
        drawn: it is ink on paper, to be centred and scaled as the training images were.
        repeats: answers of each network that are timed; 0 times nothing.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    models: Annotated[list[ModelName], Field(min_length=2, max_length=2, description="Two of `/v1/page`.")]
    image: Base64
    drawn: bool = False
    repeats: Annotated[int, Field(ge=0, le=MOST_REPEATS)] = 0


class Contestant(BaseModel):
    """One network's answer, and what it costs.

    Attributes:
        sight: the picture as it sees it, PNG in base64.
        parameters: trained numbers.
        macs: multiply-accumulates for one picture, from the run's record; null without one.
        latency: of one picture, as often as there was time for; null where nothing was timed.
    """

    model: str
    class_names: list[str]
    probabilities_K: list[float]
    sight: str
    parameters: int
    macs: int | None
    latency: Latency | None


class DuelAnswer(BaseModel):
    """Both answers.

    Attributes:
        threads: of the processor, for each network.
    """

    contestants: list[Contestant]
    threads: int


@router.post("/v1/duel")
async def duel(asked: DuelRequest, request: Request) -> DuelAnswer:
    """Two networks on the same picture: answers, cost, and latency measured here and now."""
    chosen = [find(request, name) for name in asked.models]
    settings = request.app.state.settings

    def see() -> list[np.ndarray]:
        return [prepare(each, asked.image, asked.drawn, settings.max_megapixels) for each in chosen]

    sights = await asyncio.get_running_loop().run_in_executor(request.app.state.decoders, see)

    def answer() -> tuple[list[np.ndarray], list[Latency | None]]:
        answers = [each.answerer.probabilities(x_HWC[None])[0] for each, x_HWC in zip(chosen, sights, strict=True)]
        return answers, timed(chosen, sights, asked.repeats)

    answers, latencies = await request.app.state.batcher.run(answer)
    return DuelAnswer(
        contestants=[_told(*each) for each in zip(chosen, sights, answers, latencies, strict=True)],
        threads=settings.threads,
    )


def timed(chosen: list[Served], sights: list[np.ndarray], repeats: int) -> list[Latency | None]:
    """Times of one picture, warm, in turns so that what slows the machine slows both; cut short after 0.4 s."""
    until, taken = time.perf_counter() + MOST_TIMING_S, [[] for _ in chosen]
    for _ in range(repeats):
        for times, each, x_HWC in zip(taken, chosen, sights, strict=True):
            started = time.perf_counter()
            each.answerer.probabilities(x_HWC[None])
            times.append(1000 * (time.perf_counter() - started))
        if time.perf_counter() > until:
            break
    return [_latency(times) for times in taken]


def _latency(times_ms: list[float]) -> Latency | None:
    if not times_ms:
        return None
    low, middle, high = (round(float(x), 4) for x in np.percentile(times_ms, [25, 50, 75]))
    return Latency(batch_size=1, median_ms=middle, low_ms=low, high_ms=high, repeats=len(times_ms))


def _told(each: Served, sight_HWC: np.ndarray, answer_K: np.ndarray, latency: Latency | None) -> Contestant:
    found = cost(each)
    return Contestant(
        model=each.name,
        class_names=each.answerer.class_names,
        probabilities_K=[round(float(p), 4) for p in answer_K],
        sight=png(sight_HWC),
        parameters=found.parameters if found else sum(w.numel() for w in each.saved.network.parameters()),
        macs=found.macs if found else None,
        latency=latency,
    )


class DisagreementsAnswer(BaseModel):
    """Test images that one network recognises and the other does not, over the whole test set.

    Attributes:
        why: why the two cannot be laid side by side; empty where they can.
        both_right, only_right, only_wrong, both_wrong: images; `only_right` are those that the first recognises
            and the second does not, `only_wrong` the other way round.
        right, wrong: accuracy of the first and of the second.
        difference: first minus second, paired by image.
        num_pictures: of the images of `only_right`, how many have a picture.
        pictures: the first of those, beginning with the greatest difference in the probability of the true class.
    """

    why: str = ""
    num_images: int = 0
    both_right: int = 0
    only_right: int = 0
    only_wrong: int = 0
    both_wrong: int = 0
    right: Share | None = None
    wrong: Share | None = None
    difference: Share | None = None
    num_pictures: int = 0
    pictures: list[Picture] = []


@router.get("/v1/disagreements")
async def disagreements(
    request: Request, right: ModelQuery, wrong: ModelQuery, most: Most = 60
) -> DisagreementsAnswer:
    """Test images that one network recognises and the other does not."""
    return await asyncio.to_thread(_disagreements, find(request, right), find(request, wrong), most)


def _disagreements(first: Served, second: Served, most: int) -> DisagreementsAnswer:
    try:
        found = [tested(first), tested(second)]
        _comparable(first, second, found)
    except NotTested as error:
        return DisagreementsAnswer(why=str(error))
    right_N, wrong_N = (each.answers.correct_N for each in found)
    places_G = found[0].pictured(right_N & ~wrong_N)
    gallery = found[0].gallery
    if gallery is not None:
        indices = gallery.indices_G[places_G]
        labels = found[0].answers.labels_N[indices]
        p, q = (each.answers.probabilities_NK[indices, labels] for each in found)
        places_G = places_G[np.argsort(q - p, kind="stable")]
    return DisagreementsAnswer(
        num_images=len(right_N),
        both_right=int((right_N & wrong_N).sum()),
        only_right=int((right_N & ~wrong_N).sum()),
        only_wrong=int((~right_N & wrong_N).sum()),
        both_wrong=int((~right_N & ~wrong_N).sum()),
        right=Share.of(accuracy(right_N[None])),
        wrong=Share.of(accuracy(wrong_N[None])),
        difference=Share.of(difference(right_N[None], wrong_N[None])),
        num_pictures=len(places_G),
        pictures=pictures([first, second], found, places_G[:most], first.answerer.class_names),
    )


def _comparable(first: Served, second: Served, found: list[Tested]) -> None:
    """Refuse two models whose test images are not the same.

    Raises:
        NotTested: saying so.
    """
    if first.study != second.study:
        raise NotTested(
            f"{first.name} and {second.name} are from different studies: their answers cannot be laid side by "
            "side image by image."
        )
    if not np.array_equal(found[0].answers.labels_N, found[1].answers.labels_N):
        raise NotTested(f"The test images of {first.name} and {second.name} are not the same.")
