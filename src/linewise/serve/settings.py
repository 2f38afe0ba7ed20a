"""How a server listens, and what it takes at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What one server listens on, and its limits. Times in seconds, sizes in bytes unless the name says otherwise.

    Attributes:
        host: address it binds.
        port: 0 takes a free one.
        names: host names and addresses clients may call it by, beside those of loopback and `host`.
        token: what clients must show; empty asks for none, which is for loopback only.
        max_body_bytes: of one request.
        max_memory_bytes: of the bodies of all requests that are being read or answered.
        max_parts: of one multipart body.
        max_images: of one request.
        max_megapixels: of one image, from its header, before it is decoded.
        max_request_megapixels: of all images of one request.
        max_requests: read or answered at once; the next one is refused at once.
        max_waiting: images that wait for the model; what does not fit is refused at once.
        max_batch: images that go through a model together.
        wait_s: how long a request waits for others to share its batch.
        header_s: to send the whole header of a request.
        body_s: to send the whole body.
        request_s: to be answered, reading included.
        idle_s: between two requests of one connection.
        drain_s: after SIGTERM, for what was accepted.
        max_connections: open at once.
        max_header_bytes: of one request.
        threads: of the processor, for the models.
        teach: whether visitors of the page may train small networks of their own.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    names: tuple[str, ...] = ()
    token: str = ""
    max_body_bytes: int = 16 << 20
    max_memory_bytes: int = 256 << 20
    max_parts: int = 64
    max_images: int = 64
    max_megapixels: float = 25.0
    max_request_megapixels: float = 50.0
    max_requests: int = 128
    max_waiting: int = 256
    max_batch: int = 64
    wait_s: float = 0.002
    header_s: float = 5.0
    body_s: float = 10.0
    request_s: float = 30.0
    idle_s: float = 5.0
    drain_s: float = 20.0
    max_connections: int = 1000
    max_header_bytes: int = 16 << 10
    threads: int = 1
    teach: bool = True
