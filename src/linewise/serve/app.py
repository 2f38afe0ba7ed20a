"""The application: its routes, its page, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from linewise.foundations.version import version
from linewise.serve.batching import Batcher
from linewise.serve.desk import Desk
from linewise.serve.errors import add_handlers
from linewise.serve.settings import Settings
from linewise.serve.teaching import Teaching
from linewise.serve.views import router as views

STATIC = Path(__file__).parent / "static"


def create_app(desk: Desk, settings: Settings | None = None) -> FastAPI:
    """The application around loaded models; `app.state` holds `desk`, `settings` and `batcher`."""
    settings = settings or Settings()
    batcher = Batcher(
        {name: served.answerer for name, served in desk.models.items()},
        max_batch=settings.max_batch,
        max_waiting=settings.max_waiting,
        wait_s=settings.wait_s,
    )

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.teaching.close()
        batcher.close()

    app = FastAPI(title="Linewise", version=version(), docs_url=None, redoc_url=None, lifespan=life)
    app.state.desk, app.state.settings, app.state.batcher = desk, settings, batcher
    app.state.teaching = Teaching(desk, batcher, threads=settings.threads)
    add_handlers(app)
    app.include_router(views)
    app.mount("/", StaticFiles(directory=STATIC, html=True), name="page")
    return app
