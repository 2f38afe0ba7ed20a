"""Image files by the thousand, recognised: decoded in parallel, answered in batches, handed on one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from linewise.foundations.errors import DataError
from linewise.foundations.records import Record
from linewise.images.answering import Answered, Answerer, Asking
from linewise.images.files.asked import Source
from linewise.images.files.decode import MEND, decode_quietly
from linewise.images.files.parallel import bar, streamed
from linewise.images.options import ImageOptions
from linewise.images.preprocessing import Geometry

BATCH, BATCH_BYTES = 250, 64 << 20
"""Images answered together: so many, and fewer of large ones."""


class Likely(Record):
    """A class and its probability, from 0 to 1."""

    name: str
    probability: float


class Answer(Record):
    """The most likely classes of one image file, most likely first.

    Attributes:
        read, steps: steps read and steps there are, where reading may stop early; `read` is None where all is read
            in one pass.
        enough: the step at which the stored rule would have stopped, where all was read although there is one.
    """

    path: str
    top: list[Likely]
    read: int | None = None
    steps: int | None = None
    enough: int | None = None


@dataclass(frozen=True)
class Seen:
    """An image as the network saw it, uint8 `HWC`, and the answer."""

    source: Source
    image_HWC: np.ndarray
    answer: Answer


def recognise(
    answerer: Answerer,
    sources: Sequence[Source],
    top: int,
    *,
    ask: Asking | None = None,
    progress: bool = False,
) -> Iterator[Seen | DataError]:
    """An answer per readable image, in order, and an error per unreadable one where it stood.

    Memory does not grow with their number: a few batches are under way at a time.

    Args:
        top: classes per answer.
        ask: another way to ask, such as stopping early.
        progress: show a bar, on a terminal only.
    """
    ask = ask or (lambda images_NHWC: Answered(answerer.probabilities(images_NHWC)))
    shape = answerer.preprocessing
    most = max(1, min(BATCH, BATCH_BYTES // (shape.height * shape.width * shape.channels)))
    decoded = streamed(partial(_decode, shape), sources, most)
    with bar("predict", len(sources), progress) as advance:
        waiting: list[tuple[Source, np.ndarray | str]] = []
        for source, found in zip(sources, decoded, strict=True):
            waiting.append((source, found))
            if len(waiting) == most:
                yield from _answer(answerer, ask, waiting, top)
                advance(len(waiting))
                waiting = []
        yield from _answer(answerer, ask, waiting, top)
        advance(len(waiting))


def _decode(shape: Geometry, sources: list[Source]) -> list[np.ndarray | str]:
    """Pixels, or a sentence where there are none."""
    limit, found = ImageOptions().max_megapixels, []
    for source in sources:
        outcome = decode_quietly(source.open(), shape, limit)
        found.append(outcome if isinstance(outcome, str) else outcome.image_HWC)
    return found


def _answer(
    answerer: Answerer, ask: Asking, batch: list[tuple[Source, np.ndarray | str]], top: int
) -> Iterator[Seen | DataError]:
    images = [found for _, found in batch if not isinstance(found, str)]
    answered = ask(np.stack(images)) if images else Answered(np.empty((0, 0), np.float32))
    n = 0
    for source, found in batch:
        if isinstance(found, str):
            yield DataError(found, where=source.path, expected="an image", mend=MEND)
        else:
            yield Seen(source, found, _answer_of(answerer.class_names, source.path, answered, n, top))
            n += 1


def _answer_of(class_names: list[str], path: str, answered: Answered, n: int, top: int) -> Answer:
    row_K = answered.probabilities_NK[n]
    best = np.argsort(-row_K, kind="stable")[:top]
    return Answer(
        path=path,
        top=[Likely(name=class_names[k], probability=float(row_K[k])) for k in best],
        read=None if answered.read_N is None else int(answered.read_N[n]),
        steps=answered.steps,
        enough=None if answered.enough_N is None else int(answered.enough_N[n]),
    )
