"""What a client is told when it is refused: a number to quote, a title, a sentence; nothing of the inside."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import HTTPConnection

log = logging.getLogger("linewise.serve")


class Problem(BaseModel):
    """The body of every refusal.

    Attributes:
        id: the same in the server's log.
    """

    id: str = Field(examples=["5f1c2a9e"])
    title: str
    detail: str


class Refused(HTTPException):
    """A request that is not answered, and why.

    Args:
        status: the HTTP status.
        title: what is wrong, in a few words.
        detail: what was found, and what would have been right; it is shown to the client.
        headers: sent with it.
    """

    def __init__(self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.status, self.title = status, title


def busy(detail: str, after_s: int = 1) -> Refused:
    """The refusal for want of room: 503, and when to come again."""
    return Refused(503, "Busy", detail, {"Retry-After": str(after_s)})


def problem(refused: Refused, where: str = "") -> JSONResponse:
    """The answer to a refused request; its id is logged with it."""
    found = Problem(id=new_id(), title=refused.title, detail=refused.detail)
    log.info("%s %d %s%s: %s", found.id, refused.status, f"{where} " if where else "", found.title, found.detail)
    return JSONResponse(found.model_dump(), refused.status, refused.headers)


def new_id() -> str:
    """What joins an answer to a line of the log."""
    return secrets.token_hex(4)


def broken(error: BaseException, where: str) -> JSONResponse:
    """The answer where the server itself failed: the log has the traceback, the client has its id."""
    found = Problem(id=new_id(), title="Server error", detail="The server failed; its log has this id.")
    log.error("%s 500 %s", found.id, where, exc_info=error)
    return JSONResponse(found.model_dump(), 500)


def add_handlers(app: FastAPI) -> None:
    """Answer every refusal of the framework in the same form."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return problem(error, place(request))

    @app.exception_handler(AnyHTTPException)
    async def http(request: Request, error: AnyHTTPException) -> JSONResponse:
        title = {404: "Not found", 405: "Method not allowed"}.get(error.status_code, "Refused")
        detail = {404: "Nothing is here.", 405: "This address does not take this method."}
        told = Refused(error.status_code, title, detail.get(error.status_code, str(error.detail)), error.headers)
        return problem(told, place(request))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(Refused(422, "Not valid", validation(error.errors())), place(request))


def validation(errors: object) -> str:
    """The first few wrong fields in one sentence, without what was sent."""
    found = [
        f"{'.'.join(str(part) for part in error['loc'][:6])[:120]}: {error['msg'][:200]}"
        for error in list(errors)[:4]  # type: ignore[call-overload]
    ]
    return "; ".join(found)


def place(request: HTTPConnection) -> str:
    """Method and path of a request, as the log shows them: no query, which may hold a token."""
    return f"{request.scope['method'][:20]!r} {request.scope['path'][:200]!r}"
