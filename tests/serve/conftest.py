"""Servers for tests: one in this process, and real ones as processes of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linewise.serve.app import create_app
from linewise.serve.desk import Desk
from linewise.serve.settings import Settings
from serving import Client, Process, start
from untrained import write_run

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / f"{name}-0", name) for name in ("lstm", "cnn")]


@pytest.fixture(scope="session")
def desk(runs: list[Path]) -> Desk:
    return Desk.open(runs)


@pytest.fixture
def open_client(desk: Desk) -> Iterator[Callable[..., Client]]:
    """A client of an application with these settings."""
    made: list[Client] = []

    def make(**settings: Any) -> Client:
        made.append(Client(create_app(desk, Settings(**settings))))
        return made[-1]

    yield make
    for client in made:
        client.app.state.batcher.close()


@pytest.fixture
def client(open_client: Callable[..., Client]) -> Client:
    return open_client()


@pytest.fixture
def launch(runs: list[Path], tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """A real server with these settings; `delay_s` makes its models slow."""
    started: list[Process] = []

    def make(delay_s: float = 0, **settings: Any) -> Process:
        command = [str(HERE / "launch.py"), json.dumps(settings), str(delay_s), *map(str, runs)]
        started.append(start(command, tmp_path / f"{len(started)}.log"))
        return started[-1]

    yield make
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
        process.end()


@pytest.fixture(scope="session")
def shared(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A real server as the command line starts it, for tests that leave it as it was."""
    log = tmp_path_factory.mktemp("shared") / "log"
    process = start(["-m", "linewise", "serve", *map(str, runs), "--port", "0"], log)
    yield process
    process.terminate()
    process.end()
