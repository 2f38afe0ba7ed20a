"""What Prometheus is told, from a registry of this server's own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counts and durations of one server. Routes are named as they are declared, so their number is bounded."""

    def __init__(self, waiting: Callable[[], float], in_work: Callable[[], float]) -> None:
        own = self._registry = CollectorRegistry()
        self._requests = Counter(
            "linewise_requests", "Requests by route and code.", ["route", "code"], registry=own
        )
        self._seconds = Histogram(
            "linewise_request_seconds",
            "Time to answer, reading included.",
            ["route"],
            registry=own,
            buckets=_SECONDS,
        )
        self._batches = Histogram("linewise_batch_images", "Images per batch.", registry=own, buckets=_SIZES)
        self._refused = Counter("linewise_refused", "Requests refused for want of room.", registry=own)
        Gauge("linewise_waiting_images", "Images that wait for a model.", registry=own).set_function(waiting)
        Gauge("linewise_requests_in_work", "API requests in work.", registry=own).set_function(in_work)

    def answered(self, route: str, code: int, seconds: float) -> None:
        self._requests.labels(route, str(code)).inc()
        self._seconds.labels(route).observe(seconds)
        if code == 503:
            self._refused.inc()

    def batch(self, size: int) -> None:
        self._batches.observe(size)

    def text(self) -> bytes:
        return generate_latest(self._registry)
