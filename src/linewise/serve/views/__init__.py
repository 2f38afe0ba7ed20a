"""What the page at `/` asks of the server."""

from __future__ import annotations

from fastapi import APIRouter

from linewise.serve.views import duel, examples, mistakes, page, read, teach

router = APIRouter(tags=["page"])
for part in (page, read, examples, duel, mistakes, teach):
    router.include_router(part.router)
