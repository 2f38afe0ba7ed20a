"""The application: its routes, its page, and what stands before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from linewise.foundations.version import version
from linewise.serve.batching import Batcher
from linewise.serve.desk import Desk
from linewise.serve.errors import Refused, add_handlers
from linewise.serve.guard import API, Guard
from linewise.serve.metrics import Metrics
from linewise.serve.occupancy import Occupancy
from linewise.serve.reference import router as reference
from linewise.serve.routes import router as api
from linewise.serve.settings import Settings
from linewise.serve.teaching import Teaching
from linewise.serve.views import router as views

STATIC = Path(__file__).parent / "static"
DECODERS = 2
"""Threads that decode images: what they hold in memory at once is bounded by their number."""


def create_app(desk: Desk, settings: Settings | None = None) -> FastAPI:
    """The application around loaded models.

    Its `state` holds `desk`, `settings`, `batcher`, `decoders`, `occupancy`, `metrics` and `teaching`.
    """
    settings = settings or Settings()
    batcher = Batcher(
        {name: served.answerer for name, served in desk.models.items()},
        max_batch=settings.max_batch,
        max_waiting=settings.max_waiting,
        wait_s=settings.wait_s,
        on_batch=lambda size: metrics.batch(size),
    )
    decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="images")
    occupancy = Occupancy(settings)
    metrics = Metrics(lambda: batcher.waiting, lambda: occupancy.requests)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(_warm(desk, batcher, occupancy))
        yield
        warming.cancel()
        await asyncio.to_thread(app.state.teaching.close)
        batcher.close()
        decoders.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="Linewise",
        summary="Trained networks that recognise images.",
        version=version(),
        docs_url=None,
        redoc_url=None,
        lifespan=life,
    )
    state = app.state
    state.desk, state.settings, state.batcher = desk, settings, batcher
    state.occupancy, state.metrics, state.decoders = occupancy, metrics, decoders
    state.teaching = Teaching(desk, batcher, threads=settings.threads)
    add_handlers(app)
    for router in (api, reference, views):
        app.include_router(router)
    app.router.routes.append(_Page(frozenset(getattr(route, "path", "") for route in app.routes)))
    app.add_middleware(Guard, settings=settings, occupancy=occupancy, metrics=metrics)
    return app


class _Page(Mount):
    """The files of the page; it leaves the addresses of the API to the API, so that a wrong method is told so."""

    def __init__(self, taken: frozenset[str]) -> None:
        super().__init__("/", StaticFiles(directory=STATIC, html=True), name="page")
        self._taken = taken

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or scope["path"] in self._taken or scope["path"].startswith(API):
            return Match.NONE, {}
        return super().matches(scope)


async def _warm(desk: Desk, batcher: Batcher, occupancy: Occupancy) -> None:
    """Let each model answer once alone and once in a batch, so that no request waits for what is prepared then."""
    for name, served in desk.models.items():
        p = served.answerer.preprocessing
        for size in (1, 16):
            try:
                await batcher.answer(name, np.zeros((size, p.height, p.width, p.channels), np.uint8))
            except Refused:  # full of requests already, which warm it just as well
                break
    occupancy.warm = True
