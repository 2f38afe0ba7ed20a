"""Ways to ask a server: one in this process, and real ones as processes of their own."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI
from PIL import Image

URL = "http://localhost:8000"


class Client:
    """Asks an application in this process; it has no start and no end."""

    def __init__(self, app: FastAPI) -> None:
        self.app, self.cookies = app, httpx.Cookies()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, **options))

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=URL, cookies=self.cookies) as client:
            response = await client.request(method, path, **options)
            self.cookies = client.cookies
            return response

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)


def png(image_HWC: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image_HWC[:, :, 0] if image_HWC.shape[2] == 1 else image_HWC).save(file, "PNG")
    return file.getvalue()


@dataclass
class Process:
    """A server of its own."""

    process: subprocess.Popen[str]
    port: int
    log: Path
    said: str = ""
    opened: list[socket.socket] = field(default_factory=list)

    def connect(self, timeout_s: float = 20) -> socket.socket:
        found = socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)
        self.opened.append(found)
        return found

    def ask(self, raw: bytes, timeout_s: float = 20) -> bytes:
        """What comes back on a connection of its own, until it is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as found:
            found.sendall(raw)
            return read_all(found)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def end(self, timeout_s: float = 30) -> int:
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            for found in self.opened:
                found.close()
            if self.process.stdout:
                self.process.stdout.close()


def read_all(found: socket.socket) -> bytes:
    pieces = []
    try:
        while piece := found.recv(65536):
            pieces.append(piece)
    except ConnectionError:
        pass
    return b"".join(pieces)


def start(command: list[str], log: Path, **environment: str) -> Process:
    """Start a server and wait until it is ready."""
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=stderr, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **environment},
        )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.readline()
    assert " at http://127.0.0.1:" in said, said + log.read_text()
    port = int(said.partition(" at http://127.0.0.1:")[2].partition(" ")[0])
    found = Process(process, port, log, said)
    for _ in range(200):
        if b" 200 " in found.ask(
            f"GET /ready HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()
        ):
            return found
        time.sleep(0.05)
    raise AssertionError(log.read_text())
