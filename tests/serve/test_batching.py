from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from linewise.serve.batching import Batcher
from linewise.serve.desk import Desk
from linewise.serve.errors import Refused
from serving import complete
from untrained import image


class Counting:
    """A model whose answer tells which image it was asked about, and that keeps what it was asked."""

    def __init__(self, number: int) -> None:
        self.number, self.batches = number, list[list[int]]()
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Event()

    def probabilities(self, images_NHWC: np.ndarray) -> np.ndarray:
        self.begun.set()
        assert self.go.wait(10)
        self.batches.append(images_NHWC[:, 0, 0, 0].tolist())
        return np.stack([[self.number, value] for value in images_NHWC[:, 0, 0, 0]]).astype(np.float32)


def pixel(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


def batcher(*models: Counting, **options: Any) -> Batcher:
    return Batcher({f"m{model.number}": model for model in models}, **options)  # type: ignore[misc]


def test_everyone_gets_their_own_answer_from_batches_of_one_model() -> None:
    first, second = Counting(1), Counting(2)
    sizes: list[int] = []
    desk = batcher(first, second, max_batch=8, wait_s=0.05, on_batch=sizes.append)

    async def ask() -> list[np.ndarray]:
        first.go.clear()
        asked = [asyncio.create_task(desk.answer(f"m{1 + i % 2}", pixel(i, i + 100))) for i in range(40)]
        await asyncio.to_thread(first.begun.wait, 10)
        first.go.set()
        return await asyncio.gather(*asked)

    for i, answer_NK in enumerate(complete(ask())):
        assert answer_NK.tolist() == [[1 + i % 2, i], [1 + i % 2, i + 100]]
    desk.close()
    assert sum(sizes) == 80
    assert max(sizes) == 8
    assert {value % 2 for batch in first.batches for value in batch} == {0}
    assert sorted(map(len, first.batches + second.batches)) == sorted(sizes)


def test_a_batch_answers_as_its_images_do_alone(desk: Desk) -> None:
    images = [image(seed)[None] for seed in range(30)]
    shared = Batcher({name: served.answerer for name, served in desk.models.items()}, wait_s=0.1)

    async def ask() -> list[np.ndarray]:
        return await asyncio.gather(*[shared.answer("lstm-0", image_NHWC) for image_NHWC in images])

    found = complete(ask())
    shared.close()
    for image_NHWC, answer_NK in zip(images, found, strict=True):
        alone_NK = desk.models["lstm-0"].answerer.probabilities(image_NHWC)
        np.testing.assert_allclose(answer_NK, alone_NK, atol=1e-6)


def test_what_does_not_fit_is_refused_at_once_and_what_waits_is_answered() -> None:
    model = Counting(1)
    desk = batcher(model, max_waiting=4, max_batch=2)

    async def ask() -> None:
        model.go.clear()
        running = asyncio.create_task(desk.answer("m1", pixel(1)))
        await asyncio.to_thread(model.begun.wait, 10)
        waiting = [asyncio.create_task(desk.answer("m1", pixel(i))) for i in (2, 3, 4, 5)]
        await asyncio.sleep(0)
        assert desk.waiting == 4
        with pytest.raises(Refused) as refused:
            await desk.answer("m1", pixel(6))
        assert (refused.value.status, refused.value.detail) == (503, "4 images wait for an answer already.")
        assert int((refused.value.headers or {})["Retry-After"]) >= 1
        model.go.set()
        assert [float(a[0, 1]) for a in await asyncio.gather(running, *waiting)] == [1, 2, 3, 4, 5]

    complete(ask())
    desk.close()
    assert model.batches == [[1], [2, 3], [4, 5]]


def test_a_batch_larger_than_the_queue_is_taken_by_an_empty_one() -> None:
    desk = batcher(Counting(1), max_waiting=2)
    assert len(complete(desk.answer("m1", pixel(*range(50))))) == 50
    desk.close()


def test_nothing_is_computed_for_those_who_have_gone() -> None:
    model = Counting(1)
    desk = batcher(model)

    async def ask() -> None:
        model.go.clear()
        running = asyncio.create_task(desk.answer("m1", pixel(1)))
        await asyncio.to_thread(model.begun.wait, 10)
        gone, stays = (asyncio.create_task(desk.answer("m1", pixel(i))) for i in (2, 3))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        model.go.set()
        await asyncio.gather(running, stays)

    complete(ask())
    desk.close()
    assert model.batches == [[1], [3]]


def test_calls_run_between_batches_in_order_and_their_errors_reach_the_caller() -> None:
    desk = batcher(Counting(1))

    def fails() -> None:
        raise ZeroDivisionError("here")

    async def ask() -> None:
        names = await asyncio.gather(*[desk.run(lambda: threading.current_thread().name) for _ in range(3)])
        assert names == ["models"] * 3
        with pytest.raises(ZeroDivisionError, match="here"):
            await desk.run(fails)
        assert (await desk.answer("m1", pixel(9))).tolist() == [[1, 9]]

    complete(ask())
    desk.close()


def test_the_error_of_a_model_reaches_everyone_in_its_batch_and_the_next_batch_is_answered() -> None:
    broken = SimpleNamespace(probabilities=lambda images: 1 / 0)
    desk = Batcher({"broken": broken, "m1": Counting(1)}, wait_s=0.05)  # type: ignore[dict-item]

    async def ask() -> list[Any]:
        asked = [desk.answer("broken", pixel(i)) for i in range(3)]
        return await asyncio.gather(*asked, desk.answer("m1", pixel(7)), return_exceptions=True)

    *failed, answered = complete(ask())
    desk.close()
    assert [type(error) for error in failed] == [ZeroDivisionError] * 3
    assert answered.tolist() == [[1, 7]]


def test_close_answers_what_waits_and_refuses_what_comes() -> None:
    model = Counting(1)
    desk = batcher(model, max_batch=1)

    async def ask() -> list[np.ndarray]:
        asked = [asyncio.create_task(desk.answer("m1", pixel(i))) for i in range(20)]
        await asyncio.sleep(0)
        await asyncio.to_thread(desk.close)
        with pytest.raises(Refused, match="about to stop"):
            await desk.answer("m1", pixel(99))
        return await asyncio.gather(*asked)

    assert [float(a[0, 1]) for a in complete(ask())] == list(range(20))


def test_an_unknown_model_is_the_callers_mistake() -> None:
    with pytest.raises(KeyError):
        complete(batcher(Counting(1)).answer("m2", pixel(1)))
