"""What every route of the page needs: the model that a request names."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request
from pydantic import Field

from linewise.serve.desk import Desk, Served
from linewise.serve.errors import Problem, Refused

ModelName = Annotated[str, Field(max_length=200, description="One of `/v1/page`.", examples=["lstm-0"])]

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (404, 422, 503)}
"""How every route of the page may refuse, for its description."""


def served(request: Request, name: str) -> Served:
    """The model of this name.

    Raises:
        Refused: 404, there is none.
    """
    desk: Desk = request.app.state.desk
    if name not in desk.models:
        raise Refused(404, "Unknown model", f"Known are {', '.join(list(desk.models)[:20])}.")
    return desk.models[name]
