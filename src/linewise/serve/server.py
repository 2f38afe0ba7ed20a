"""The server: an address, a socket, a process that ends well."""

from __future__ import annotations

import ipaddress
import logging
import socket
import sys
from collections.abc import Callable
from threading import Thread
from types import FrameType

import uvicorn
from fastapi import FastAPI

from linewise.foundations.errors import ConfigError
from linewise.serve.doors import is_loopback
from linewise.serve.errors import log
from linewise.serve.protocol import protocol_for
from linewise.serve.settings import Settings

TOKEN_LENGTH = 16


def check_address(settings: Settings, public: bool) -> None:
    """Refuse to be reached from other machines, unless that is said and a token is asked for.

    Raises:
        ConfigError: what is missing.
    """
    if settings.token and (len(settings.token) < TOKEN_LENGTH or not settings.token.isascii()):
        raise ConfigError(
            f"a token of {len(settings.token)} characters",
            where="--token",
            expected=f"at least {TOKEN_LENGTH}, plain ASCII",
            mend="python -c 'import secrets; print(secrets.token_urlsafe())' makes one",
        )
    if is_loopback(settings.host):
        return
    try:
        ipaddress.ip_address(settings.host)
    except ValueError:
        raise ConfigError(repr(settings.host), where="--host", expected="an address, such as 127.0.0.1") from None
    if not public or not settings.token:
        raise ConfigError(
            f"{settings.host} can be reached from other machines",
            where="--host",
            expected="--public and a token",
            mend="add --public and set LINEWISE_TOKEN, or leave --host out to serve this machine only",
        )


def listen(settings: Settings) -> socket.socket:
    """A socket bound to the address.

    Raises:
        ConfigError: the port is in use, or may not be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP, so that asyncio turns Nagle's algorithm off: it would hold each answer back for 40 ms.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((settings.host, settings.port))
        found.listen(1024)
    except OSError as error:
        found.close()
        raise ConfigError(
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror})",
            where="--port",
            mend="choose another --port (0 takes a free one), or end what uses this one",
        ) from None
    return found


class Server(uvicorn.Server):
    """uvicorn's, which says where it listens and refuses new work from the signal on."""

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, address: str, opened: Callable[[str], object] | None
    ) -> None:
        super().__init__(config)
        self._occupancy, self._address, self._opened = app.state.occupancy, address, opened

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            log.info("listening on %s", self._address)
            if self._opened is not None:
                Thread(target=self._opened, args=[self._address], daemon=True).start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._occupancy.draining = True
        super().handle_exit(sig, frame)


def address(settings: Settings) -> str:
    """Where a browser finds it."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def serve(app: FastAPI, listener: socket.socket, opened: Callable[[str], object] | None = None) -> None:
    """Answer until SIGTERM or Ctrl-C, then finish what was accepted.

    Args:
        opened: called with the address, in a thread of its own, once connections are taken.
    """
    settings: Settings = app.state.settings
    _log_to_stderr()
    _more_files(settings.max_connections)
    config = uvicorn.Config(
        app,
        http=protocol_for(settings),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(settings.idle_s),
        timeout_graceful_shutdown=int(settings.drain_s),
        h11_max_incomplete_event_size=settings.max_header_bytes,
    )
    Server(config, app, address(settings), opened).run([listener])


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name, level in (("linewise.serve", logging.INFO), ("uvicorn.error", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def _more_files(connections: int) -> None:
    """Let each connection have its file."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 256
    if soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit, soft), hard))
