"""How busy the server is: requests and bytes in work, and whether it takes more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from linewise.serve.errors import busy
from linewise.serve.settings import Settings


class Occupancy:
    """Counts of one server; used in its event loop only.

    Attributes:
        draining: it is about to stop and takes nothing new.
        warm: each model has answered once, so that no request pays for the start.
        requests: to the API, being read or answered.
        bringing: those of them that bring images to be answered.
        images_per_request: what recent ones of these brought on average; 1 at first.
        num_bytes: of bodies in memory.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.draining = self.warm = False
        self.requests = self.bringing = self.num_bytes = 0
        self.images_per_request = 1.0

    @contextmanager
    def request(self, brings_images: bool) -> Iterator[None]:
        """Room for one request.

        Raises:
            Refused: 503, there is none.
        """
        if self.draining:
            raise busy("The server is about to stop.")
        if self.requests >= self._settings.max_requests:
            raise busy(f"{self.requests} requests are in work already.")
        if brings_images and self.bringing * self.images_per_request >= self._room:
            raise busy(f"{self.bringing} requests with images are in work already.")
        self.requests += 1
        self.bringing += brings_images
        try:
            yield
        finally:
            self.requests -= 1
            self.bringing -= brings_images

    @property
    def _room(self) -> int:
        """Images that fill the queue and a batch: more would be read and decoded only to be refused."""
        return self._settings.max_waiting + self._settings.max_batch

    def brought(self, images: int) -> None:
        """Note how many images a request had."""
        self.images_per_request += (images - self.images_per_request) / 32

    def hold(self, num_bytes: int) -> None:
        """Room for a piece of a body; `release` gives it back.

        Raises:
            Refused: 503, there is none.
        """
        if self.num_bytes + num_bytes > self._settings.max_memory_bytes:
            raise busy("The server's memory for requests is taken.")
        self.num_bytes += num_bytes

    def release(self, num_bytes: int) -> None:
        self.num_bytes -= num_bytes
