"""How long an answer takes, measured in alternation so that a drifting machine hits all networks alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch

from linewise.foundations.records import Latency
from linewise.models import Network

WARM_UP = 3


def measure(
    networks: Sequence[Network],
    x_BCHW: torch.Tensor,
    *,
    rounds: int = 9,
    at_least_s: float = 0.01,
    on_round: Callable[[int], None] = lambda done: None,
) -> list[Latency]:
    """Median time of one forward pass of each network on the same batch.

    In each round every network takes its turn; a turn repeats the pass until it lasts `at_least_s`, and counts
    the mean. The first turns, not counted, warm caches and threads.

    Args:
        networks: networks of one input shape; set to evaluation mode.
        x_BCHW: the batch.
        rounds: counted turns per network.
        at_least_s: least duration of a turn.

    Returns:
        One `Latency` per network, in their order; low and high are the quartiles over rounds.
    """
    turns: list[list[float]] = [[] for _ in networks]
    with torch.inference_mode():
        repeats = [_repeats(network.eval(), x_BCHW, at_least_s) for network in networks]
        for done in range(rounds):
            for network, n, times in zip(networks, repeats, turns, strict=True):
                times.append(_turn(network, x_BCHW, n))
            on_round(done + 1)
    return [_summarise(times, len(x_BCHW)) for times in turns]


def _repeats(network: Network, x_BCHW: torch.Tensor, at_least_s: float) -> int:
    took_s = min(_turn(network, x_BCHW, 1) for _ in range(WARM_UP))
    return max(1, round(at_least_s / max(took_s, 1e-6)))


def _turn(network: Network, x_BCHW: torch.Tensor, repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        network(x_BCHW)
    return (time.perf_counter() - started) / repeats


def _summarise(times_s: list[float], batch_size: int) -> Latency:
    low, median, high = statistics.quantiles(times_s, n=4) if len(times_s) > 1 else times_s * 3
    return Latency(
        batch_size=batch_size, median_ms=1e3 * median, low_ms=1e3 * low, high_ms=1e3 * high, repeats=len(times_s)
    )
