"""The body of a request, counted and timed as it comes in, before anything is made of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from linewise.serve.errors import Refused
from linewise.serve.occupancy import Occupancy
from linewise.serve.settings import Settings

AT_ONCE = 64 << 10
"""Bodies of JSON up to here are parsed in the event loop; larger ones in a thread."""
SKIP_S = 0.05


class Body:
    """Stands in the place of an application's `receive`.

    Attributes:
        finished: nothing more will come, so the connection can be kept.
    """

    def __init__(self, receive: Receive, headers: Headers, settings: Settings, occupancy: Occupancy) -> None:
        self._receive, self._settings, self._occupancy = receive, settings, occupancy
        self._until = time.monotonic() + settings.body_s
        self._num_bytes = 0
        self._replay: bytes | None = None
        length = _length(headers, settings.max_body_bytes)
        self.finished = length == 0
        self._small = length is not None and length <= AT_ONCE

    async def receive(self) -> Message:
        """The next piece.

        Raises:
            Refused: 413 too large, 408 too slow, 503 no memory for it.
        """
        if self._replay is not None:
            body, self._replay = self._replay, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self.finished:  # what is left to come is the client's leaving
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._until - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            limit = f"{self._settings.body_s:g} seconds"
            raise Refused(408, "Too slow", f"The body did not come within {limit}.") from None
        if message["type"] == "http.request":
            self._count(len(message.get("body", b"")))
            self.finished = not message.get("more_body", False)
        return message

    def _count(self, num_bytes: int) -> None:
        if self._num_bytes + num_bytes > self._settings.max_body_bytes:
            raise _too_large(self._settings.max_body_bytes)
        self._occupancy.hold(num_bytes)
        self._num_bytes += num_bytes

    async def skip(self) -> None:
        """Read the rest of a small body that is likely here already, so that the connection can be kept."""
        if self._small:
            with suppress(Refused, TimeoutError):
                async with asyncio.timeout(SKIP_S):
                    async for _ in self._pieces():
                        pass

    def release(self) -> None:
        """Give back the memory that the body was counted for."""
        self._occupancy.release(self._num_bytes)

    async def check_json(self) -> Any:
        """Read all of a body of JSON and parse it; the application gets to read it again.

        Raises:
            Refused: 400, it is no JSON, holds a NaN or an infinity, or is nested too deep.
        """
        content = b"".join([piece async for piece in self._pieces()])
        self._replay = content
        try:
            if len(content) <= AT_ONCE:
                return _parse(content)
            return await asyncio.to_thread(_parse, content)
        except ValueError as error:
            where = str(error).partition(" at line")[0][:80]
            raise Refused(400, "Not JSON", f"The body cannot be read as JSON: {where}.") from None

    async def _pieces(self) -> AsyncIterator[bytes]:
        while not self.finished:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            yield message.get("body", b"")


def _parse(content: bytes) -> Any:
    return from_json(content, allow_inf_nan=False, cache_strings=False)


def _length(headers: Headers, limit: int) -> int | None:
    """Bytes to come, None where that is not said; refuse a body that is too large by its own word."""
    length, coded = headers.get("content-length"), headers.get("transfer-encoding")
    if length is not None and coded is not None:
        raise Refused(400, "Two lengths", "Content-Length and Transfer-Encoding exclude each other.")
    if coded is not None:
        return None
    if length is not None and not (length.isascii() and length.isdecimal()):
        raise Refused(400, "No length", "Content-Length is not a number.")
    if int(length or 0) > limit:
        raise _too_large(limit)
    return int(length or 0)


def _too_large(limit: int) -> Refused:
    return Refused(413, "Too large", f"A request may have {limit:,} bytes.")
