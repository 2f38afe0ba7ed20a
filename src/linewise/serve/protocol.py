"""HTTP on one connection: uvicorn's, with a time limit on headers and an end that lets the answer arrive.

uvicorn limits the time between requests only, so that a client that sends a header byte by byte would hold its
connection for ever (slowloris).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from linewise.serve.errors import log, new_id
from linewise.serve.settings import Settings

LINGER_S = 1.0
"""How long what a refused client still sends is read and thrown away, so that it gets to read why."""
FLUSH_S = 5.0
"""How long a client may take to fetch the rest of its answer after the end."""


class Lingering:
    """A transport whose `close` lets the client read the answer first.

    Closing with unread bytes makes the system reset the connection, and the answer would be lost with it.
    """

    def __init__(self, transport: asyncio.Transport, protocol: Connection) -> None:
        self._transport, self._protocol = transport, protocol
        self._closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if not self._closing:
            self._transport.write(data)

    def close(self) -> None:
        if self.is_closing():
            return
        self._closing = True
        loop = asyncio.get_running_loop()
        if self._protocol.half_way and self._transport.can_write_eof():
            self._transport.write_eof()
            self._protocol.lingering = True
            self._protocol.flow.resume_reading()
            loop.call_later(LINGER_S, self._transport.abort)
            return
        if self._transport.get_write_buffer_size():
            loop.call_later(FLUSH_S, self._transport.abort)
        self._transport.close()


class Connection(H11Protocol):
    """One connection; `settings` is set by `protocol_for`."""

    settings = Settings()
    lingering = False
    _deadline: asyncio.TimerHandle | None = None
    _draining = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Lingering(transport, self))  # type: ignore[arg-type]
        if len(self.connections) > self.settings.max_connections:
            self._refuse(503, "Busy", "Too many connections are open.")
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.lingering:
            return
        super().data_received(data)
        self._watch()

    @property
    def half_way(self) -> bool:
        """Whether the client is in the middle of a request."""
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    def _watch(self) -> None:
        """Let the time run while a header is awaited; it is not begun anew by each byte."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.settings.header_s, self._too_slow)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.conn.trailing_data[0] and self.conn.our_state is h11.IDLE:
            self._refuse(408, "Too slow", f"The header did not come within {self.settings.header_s:g} seconds.")
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._draining and not self.transport.is_closing():
            self.loop.call_later(0.2, self._end)

    def shutdown(self) -> None:
        """End soon: a request that is under way already is still answered, if only to be refused."""
        self._draining = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(0.2, self._end)
        else:
            self.cycle.keep_alive = False

    def _end(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "Not HTTP", "The request cannot be read as HTTP/1.1.")

    def _refuse(self, status: int, title: str, detail: str) -> None:
        """Answer before there is a request to give to the application, and end."""
        found = {"id": new_id(), "title": title, "detail": detail}
        log.info("%s %d connection: %s: %s", found["id"], status, title, detail)
        content = json.dumps(found).encode()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            lines = [
                f"HTTP/1.1 {status} {title}",
                "content-type: application/json",
                f"content-length: {len(content)}",
                "cache-control: no-store",
                "x-content-type-options: nosniff",
                "connection: close",
                *(["retry-after: 1"] if status == 503 else []),
            ]
            self.transport.write("\r\n".join([*lines, "", ""]).encode() + content)
        self.transport.close()


def protocol_for(settings: Settings) -> type[Connection]:
    """The class that uvicorn makes connections of."""
    return type("Connection", (Connection,), {"settings": settings})
