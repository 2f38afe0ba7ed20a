"""What stands before every route: names, token, limits, time; and what every answer carries."""

from __future__ import annotations

import asyncio
import time

from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linewise.serve.body import Body
from linewise.serve.doors import Doors
from linewise.serve.errors import CutOff, Refused, broken, busy, place, problem
from linewise.serve.metrics import Metrics
from linewise.serve.occupancy import Occupancy
from linewise.serve.settings import Settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
API = "/v1/"
PREDICT = f"{API}predict"


class Guard:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings, occupancy: Occupancy, metrics: Metrics) -> None:
        self._app, self._settings, self._occupancy, self._metrics = app, settings, occupancy, metrics
        self._doors = Doors(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(self, scope, receive, send).run()

    async def answer(self, exchange: _Exchange) -> None:
        """Let the application answer, once the request has passed.

        Raises:
            Refused: it has not. Exception: whatever the application fails with.
        """
        scope, headers = exchange.scope, Headers(scope=exchange.scope)
        path = scope["path"]
        if not path.startswith("/"):
            raise Refused(400, "Not an address", "An address begins with a slash.")
        self._doors.check_names(headers, scope["method"])
        self._check_header(scope)
        if scope["method"] == "GET" and self._doors.enters(path, scope["query_string"]):
            await self._enter()(scope, exchange.receive, exchange.send)
            return
        self._doors.check_token(headers, path)
        exchange.body = body = Body(exchange.receive, headers, self._settings, self._occupancy)
        if not path.startswith(API):
            await self._app(scope, body.receive, exchange.send)
            return
        with self._occupancy.request(brings_images=path == PREDICT):
            try:
                if _is_json(headers) and not body.finished:
                    scope["state"] = {**scope.get("state", {}), "json": await body.check_json()}
                await self._app(scope, body.receive, exchange.send)
            finally:
                body.release()

    def _check_header(self, scope: Scope) -> None:
        """h11 limits headers that come in pieces only; these came in one."""
        size = len(scope.get("raw_path", b"")) + len(scope["query_string"])
        size += sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if size > self._settings.max_header_bytes:
            limit = f"{self._settings.max_header_bytes:,} bytes"
            raise Refused(431, "Too large a header", f"Address and header may have {limit}.")

    def _enter(self) -> Response:
        response = RedirectResponse("/", 303)
        value = self._doors.cookie_value()
        response.set_cookie(self._doors.cookie, value, httponly=True, samesite="strict", path="/")
        return response

    @property
    def request_s(self) -> float:
        return self._settings.request_s

    @property
    def draining(self) -> bool:
        return self._occupancy.draining

    def note(self, scope: Scope, code: int, seconds: float) -> None:
        self._metrics.answered(_route(scope, code), code, seconds)


class _Exchange:
    """One request and its answer."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self.guard, self.scope, self.receive, self._send = guard, scope, receive, send
        self.body: Body | None = None
        self.code = 0
        self._started = time.perf_counter()

    async def run(self) -> None:
        where = place(HTTPConnection(self.scope))
        try:
            async with asyncio.timeout(self.guard.request_s):
                await self.guard.answer(self)
        except ClientDisconnect:
            self.code = self.code or 499  # as nginx counts those who left
        except TimeoutError:
            await self._instead(problem(busy("The request was not answered in time."), where))
        except Refused as refused:
            await self._instead(problem(refused, where))
        except Exception as error:
            await self._instead(broken(error, where))
        finally:
            self.guard.note(self.scope, self.code or 499, time.perf_counter() - self._started)

    async def _instead(self, response: JSONResponse) -> None:
        """Answer in the place of the application."""
        if self.code:  # an answer has begun: cut it off, so that nobody takes it for whole
            raise CutOff("the answer could not be finished; its cause is in the log")
        if self.body is not None:
            await self.body.skip()
        await response(self.scope, self.receive, self.send)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.code = message["status"]
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() != b"server"]
            message["headers"] = [*kept, *_HEADERS, *self._more(dict(kept))]
        await self._send(message)

    def _more(self, headers: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        found = []
        if b"cache-control" not in headers:
            of_page = b"etag" in headers and self.code in (200, 304)
            found.append((b"cache-control", b"no-cache" if of_page else b"no-store"))
        if self._unread() or self.guard.draining:
            found.append((b"connection", b"close"))
        return found

    def _unread(self) -> bool:
        """Whether more of the request may come, which nobody will read."""
        if self.body is not None:
            return not self.body.finished
        headers = Headers(scope=self.scope)
        return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _is_json(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _route(scope: Scope, code: int) -> str:
    """The declared path; files of the page are one, and what is refused before a route is found another."""
    if path := getattr(scope.get("route"), "path", None):
        return path
    return "page" if code in (200, 206, 304) else "none"
