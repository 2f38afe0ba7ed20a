"""What every test stands on: real data found through LINEWISE_DATA, a cache of its own, no network."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import caches

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun by nohup, or in a script's background
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime's own, should a test import it by itself

LEFT_OUT: dict[str, str] = {
    "mnist": "MNIST tests left out: no mnist/ folder in LINEWISE_DATA",
    "cifar10": "CIFAR-10 tests left out: no cifar10-images.tar.xz in LINEWISE_DATA",
    "browser": "browser tests left out: no chromium on PATH and none named by LINEWISE_CHROMIUM",
}


def data_root() -> Path | None:
    """The folder with real data, where the environment names one that exists."""
    chosen = os.environ.get("LINEWISE_DATA")
    return Path(chosen) if chosen and Path(chosen).is_dir() else None


def chromium() -> str | None:
    """The browser that tests drive."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("LINEWISE_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def has(name: str) -> bool:
    if name == "browser":
        return chromium() is not None
    root = data_root()
    wanted = {"mnist": "mnist", "cifar10": "cifar10-images.tar.xz"}[name]
    return root is not None and (root / wanted).exists()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long") and not os.environ.get("LINEWISE_LONG_TESTS"):
            item.add_marker(
                pytest.mark.skip(
                    reason="left out so that all end in 20 minutes: LINEWISE_LONG_TESTS=1, or make test-long"
                )
            )
        for name, reason in LEFT_OUT.items():
            if item.get_closest_marker(name) and not has(name):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    """Speeds are taken from three rounds: studies in tests are many, and few of them look at speed."""
    if stopwatch := sys.modules.get("linewise.study.stopwatch"):
        stopwatch.ROUNDS.update(dict.fromkeys(stopwatch.ROUNDS, 3))


@pytest.fixture(autouse=True)
def subnormal_numbers() -> Iterator[None]:
    """Training in this process lets them be zero; no test is to find them so because of the one before."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def own_cache(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Each test has a cache of its own; one that is marked `cold` begins with nothing compiled."""
    cache = caches.begin(tmp_path_factory, cold=request.node.get_closest_marker("cold") is not None)
    monkeypatch.setenv("LINEWISE_CACHE", str(cache))
    return cache


@pytest.fixture
def mnist_dir() -> Path:
    root = data_root()
    assert root is not None
    return root / "mnist"


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def linewise(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """The command line in this process: `linewise("compare", "digits", …)`."""
    from linewise.__main__ import main

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["linewise", *map(str, arguments)])
        before = signal.getsignal(signal.SIGTERM)
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        finally:
            signal.signal(signal.SIGTERM, before)
        said = capsys.readouterr()
        return Said(code if isinstance(code, int) else 0, said.out, said.err)

    return run
