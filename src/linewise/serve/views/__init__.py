"""What the page at `/` asks of the server."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
