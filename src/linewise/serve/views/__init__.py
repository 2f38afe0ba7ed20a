"""What the page at `/` asks of the server."""

from __future__ import annotations

from fastapi import APIRouter

from linewise.serve.views import examples, page, read

router = APIRouter(tags=["page"])
for part in (page, read, examples):
    router.include_router(part.router)
