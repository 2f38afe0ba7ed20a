"""What `--on` accepts, and what it says of addresses where no cluster is."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import clusters  # noqa: F401  Ray's settings, before it is loaded
from conftest import Said
from linewise.api import comparing
from linewise.foundations.errors import ConfigError
from linewise.study.cluster import connecting
from linewise.study.cluster import nodes as nodes_module
from linewise.study.cluster.nodes import Nodes
from linewise.study.cluster.place import Place, parse_place
from linewise.study.dials import CompareConfig
from postgres import free_port

Run = Callable[..., Said]


def test_places() -> None:
    assert parse_place("ray") == Place("ray")
    assert parse_place("head.example:6379") == Place("head.example:6379", "head.example", 6379)
    assert parse_place("ray://10.0.0.7:10001") == Place("ray://10.0.0.7:10001", "10.0.0.7", 10001, outside=True)
    assert parse_place("[::1]:6379") == Place("[::1]:6379", "::1", 6379)


@pytest.mark.parametrize("text", ["", "Ray", "auto", "head", "head:", ":6379", "head:0", "head:65536", "http://head:6379",
                                  "ray://head", "ray://user@head:1", "head:6379/x", "a b:1"])  # fmt: skip
def test_other_values_are_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_place(text)
    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        f"--on: {text!r}\n  expected: ray (on this machine), HOST:PORT (a cluster that this machine is a node of), "
        "or ray://HOST:PORT (a cluster from outside, by its client server)"
    )


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nothing_is(linewise: Run, tmp_path: Path, scheme: str) -> None:
    place = f"{scheme}127.0.0.1:{free_port()}"
    said = linewise("compare", "digits", "--on", place, "--out", tmp_path / "s")
    assert (said.code, said.err) == (
        2,
        f"error: --on {place}: no connection (Connection refused)\n  expected: a Ray cluster\n"
        "  to mend:  see `ray status` on the cluster, and docs/cluster.md\n",
    )
    assert not (tmp_path / "s").exists()


class Silent(http.server.BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def web_server() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_where_something_else_answers(
    linewise: Run, tmp_path: Path, web_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "PATIENCE_S", 1.0)
    said = linewise("tune", "digits", "--on", f"127.0.0.1:{web_server}", "--out", tmp_path / "s")
    assert said.code == 2
    assert said.err.startswith(
        f"error: --on 127.0.0.1:{web_server}: something answers there, but it is not Ray\n"
        "  expected: the port of the cluster (6379 where none was chosen), or with ray:// that of its client server"
    )
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("package", ["ray", "grpc"])
def test_without_the_extra(linewise: Run, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    find: Any = connecting.importlib.util.find_spec
    monkeypatch.setattr(
        connecting.importlib.util, "find_spec", lambda name: None if name == package else find(name)
    )
    said = linewise("compare", "digits", "--on", "ray")
    assert (said.code, said.err) == (
        2,
        f"error: --on needs the package '{package}', which is not installed\n"
        "  to mend:  pip install 'linewise[cluster]'\n",
    )


def test_options_that_contradict_it(linewise: Run) -> None:
    said = linewise("compare", "digits", "--on", "ray", "--jobs", "0")
    assert (said.code, said.err) == (
        2, "error: --jobs 0: trains in this process, not on a cluster\n  to mend:  leave out --on\n",
    )  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        comparing._executor(CompareConfig(models=["lstm"], device="cuda"), None, "ray", 300)
    assert str(caught.value) == (
        "--on ray: --device cuda, and a cluster computes on processors\n  to mend:  leave one of the two out"
    )


def test_a_head_may_be_silent_for_a_while_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes_module, "LOOK_S", 0.0)
    monkeypatch.setattr(Nodes, "room", lambda self: 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = parse_place(f"127.0.0.1:{server.getsockname()[1]}")
        nodes = Nodes(1, place)
        nodes.watch()
    nodes.watch()
    monkeypatch.setattr(nodes_module, "HEADLESS_S", 0.0)
    with pytest.raises(ConfigError) as caught:
        nodes.watch()
    assert str(caught.value) == (
        f"--on {place.text}: the head of the cluster does not answer any more (Connection refused)\n"
        "  to mend:  begin it anew, and its nodes; what has ended is kept, and the same command goes on"
    )


def test_only_what_tells_of_the_connection_is_told_as_its_loss() -> None:
    place = parse_place("ray://127.0.0.1:10001")
    assert connecting.loss(place, OSError(28, "No space left on device")) is None
    assert connecting.loss(place, KeyboardInterrupt()) is None
    assert str(connecting.loss(place, ConnectionError("gone\nfor good"))) == (
        "--on ray://127.0.0.1:10001: the connection was lost (gone)\n"
        "  to mend:  see that the cluster is there; what has ended is kept, and the same command goes on"
    )
