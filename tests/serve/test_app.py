"""What is told of the models and of the server itself, and what is not."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from linewise.foundations.errors import ConfigError, DataError, SavedModelError
from linewise.serve.desk import Desk
from linewise.serve.errors import Refused
from serving import URL, Client, Process, complete, png
from studies import make_study
from untrained import image, write_run


def test_models_are_told_in_the_order_they_were_given(client: Client, desk: Desk) -> None:
    lstm, cnn = client.get("/v1/models").json()["models"]
    assert (lstm["name"], lstm["network"], cnn["name"]) == ("lstm-0", "lstm", "cnn-0")
    assert (lstm["class_names"], lstm["height"], lstm["width"], lstm["channels"]) == (
        ["a", "b", "c", "d"],
        12,
        12,
        1,
    )
    weights = desk.models["lstm-0"].saved.network.state_dict()
    assert lstm["parameters"] == sum(t.numel() for t in weights.values())


def test_every_answer_carries_the_headers_that_hold_a_page_to_its_own_files(client: Client) -> None:
    for method, path in (
        ("GET", "/"),
        ("GET", "/v1/models"),
        ("POST", "/v1/predict"),
        ("GET", "/nothing"),
        ("PUT", "/live"),
    ):
        headers = client.request(method, path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert (policy["default-src"], policy["script-src"], policy["frame-ancestors"]) == (
            "'none'",
            "'self'",
            "'none'",
        )
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == ("no-cache" if path == "/" else "no-store")
        assert not {"server", "access-control-allow-origin"} & set(headers)


def test_a_wrong_method_is_told_the_right_one(client: Client) -> None:
    for method, path, allowed in (
        ("GET", "/v1/predict", "POST"),
        ("POST", "/v1/models", "GET"),
        ("DELETE", "/live", "GET"),
    ):
        found = client.request(method, path)
        assert (found.status_code, found.json()["title"]) == (405, "Method not allowed")
        assert allowed in found.headers["allow"]
    assert client.request("TRACE", "/").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2fapp.py",
        "/%00",
        "//etc/passwd",
        "/static/../../app.py",
    ],
)
def test_nothing_but_the_pages_files_is_handed_out(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_failure_shows_its_number_to_the_client_and_the_rest_to_the_log(
    client: Client, desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> None:
        raise RuntimeError("secret of /home/someone")

    monkeypatch.setattr(client.app.state.batcher, "answer", fail)
    with caplog.at_level(logging.INFO, "linewise.serve"):
        found = client.post("/v1/predict", json={"images": [[[1]]]})
    assert found.status_code == 500
    assert found.json() == {
        "id": found.json()["id"],
        "title": "Server error",
        "detail": "The server failed; its log has this id.",
    }
    [record] = [r for r in caplog.records if found.json()["id"] in r.getMessage()]
    assert record.exc_info
    assert "secret of /home/someone" in str(record.exc_info[1])


def test_a_refusal_is_logged_with_its_number_and_without_the_query(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "linewise.serve"):
        found = client.get("/nothing%0Ahere?token=hidden")
    line = next(r.getMessage() for r in caplog.records if found.json()["id"] in r.getMessage())
    assert line == f"{found.json()['id']} 404 'GET' '/nothing\\nhere' Not found: Nothing is here."


def test_metrics_count_what_was_asked(client: Client) -> None:
    for _ in range(3):
        client.post("/v1/predict", json={"images": [[[1]], [[2]]]})
    client.get("/v1/models")
    client.get("/secret-of-a-client")
    client.get("/v1/models", headers={"Host": "evil.example"})
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    found = {
        (s.name, s.labels.get("route"), s.labels.get("code")): s.value
        for family in text_string_to_metric_families(response.text)
        for s in family.samples
        if "le" not in s.labels
    }
    assert found["linewise_requests_total", "/v1/predict", "200"] == 3
    assert found["linewise_requests_total", "/v1/models", "200"] == 1
    assert found["linewise_requests_total", "none", "404"] == 1
    assert found["linewise_requests_total", "none", "421"] == 1
    assert found["linewise_request_seconds_count", "/v1/predict", None] == 3
    assert found["linewise_batch_images_sum", None, None] == 6
    assert found["linewise_refused_total", None, None] == 0
    assert found["linewise_waiting_images", None, None] == 0
    assert "secret" not in response.text


def test_too_many_requests_are_refused_at_once_and_counted(open_client: Callable[..., Client]) -> None:
    client = open_client(max_requests=0)
    found = client.post("/v1/predict", json={"images": [[[1]]]})
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")
    assert "connection" not in found.headers  # the body was small and is read
    assert "linewise_refused_total 1.0" in client.get("/metrics").text


def test_requests_whose_images_would_fill_the_queue_are_refused_before_they_are_read(
    open_client: Callable[..., Client],
) -> None:
    occupancy = open_client(max_requests=128, max_waiting=12, max_batch=4).app.state.occupancy
    with ExitStack() as work:
        for _ in range(16):  # of one image each, as at first
            work.enter_context(occupancy.request(brings_images=True))
        with pytest.raises(Refused, match="16 requests with images"):
            work.enter_context(occupancy.request(brings_images=True))
    for _ in range(500):
        occupancy.brought(10)
    with ExitStack() as work:
        for _ in range(2):  # 1.6 fill the queue and a batch
            work.enter_context(occupancy.request(brings_images=True))
        with pytest.raises(Refused, match="2 requests with images"):
            work.enter_context(occupancy.request(brings_images=True))
        for _ in range(126):  # such as the page's own questions
            work.enter_context(occupancy.request(brings_images=False))
        with pytest.raises(Refused, match="128 requests are"):
            work.enter_context(occupancy.request(brings_images=False))
    assert (occupancy.requests, occupancy.bringing) == (0, 0)


def test_readiness_waits_for_the_models_and_ends_with_the_signal(client: Client) -> None:
    assert (client.get("/live").status_code, client.get("/ready").status_code) == (200, 503)
    client.app.state.occupancy.warm = True
    assert client.get("/ready").json() == {"state": "ready"}
    client.app.state.occupancy.draining = True
    assert client.get("/ready").status_code == 503
    assert client.get("/live").status_code == 200
    assert client.get("/v1/models").headers["connection"] == "close"


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links, self.text = list[str](), ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert tag not in ("script", "style")
        assert "style" not in dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_description_of_the_api_needs_nothing_from_elsewhere(client: Client) -> None:
    found = Page()
    found.feed(client.get("/docs").text)
    assert all(re.match(r"[/#]\w", link) for link in found.links)
    schema = client.get("/openapi.json").json()
    for path in schema["paths"]:
        assert path in found.text
    for link in found.links:
        if link.startswith("/"):
            assert client.get(link).status_code == 200
    assert {"/v1/predict", "/v1/models", "/live", "/ready", "/metrics"} <= set(schema["paths"])


def test_an_answer_that_fails_half_way_is_cut_off(client: Client) -> None:
    from fastapi.responses import StreamingResponse

    @client.app.get("/v1/half")
    async def half() -> StreamingResponse:
        async def pieces() -> Any:
            yield b"some"
            raise Refused(400, "Late", "too late")

        return StreamingResponse(pieces())

    assert client.get("/v1/half").content in (b"", b"some")


def test_a_study_stands_for_its_runs_of_the_first_seed(tmp_path: Path) -> None:
    study = make_study(tmp_path / "one", errors={"lstm": 0.1, "cnn": 0.1}, seeds=2, missing=("cnn", 0))
    for label, seed in (("lstm", 0), ("lstm", 1), ("cnn", 1)):
        write_run(study / "runs" / f"{label}-{seed}", label)
    assert list(Desk.open([study]).models) == ["lstm-0"]
    other = tmp_path / "two" / "runs" / "lstm-0"
    write_run(other, "lstm")
    desk = Desk.open([study / "runs" / "lstm-0", other, study / "runs" / "cnn-1"])
    assert list(desk.models) == ["one:lstm-0", "two:lstm-0", "cnn-1"]
    first, second, _ = desk.models.values()
    assert (first.study, second.study) == (study.resolve(), None)


def test_a_study_begins_with_a_network_whose_gates_can_be_seen(tmp_path: Path) -> None:
    labels = ["linear", "cnn", "gru"]
    study = make_study(tmp_path / "one", errors=dict.fromkeys(labels, 0.1), seeds=1)
    for label in labels:
        write_run(study / "runs" / f"{label}-0", label)
    assert list(Desk.open([study]).models) == ["gru-0", "linear-0", "cnn-0"]
    typed = [study / "runs" / f"{label}-0" for label in labels]
    assert list(Desk.open(typed).models) == ["linear-0", "cnn-0", "gru-0"]


def test_what_cannot_be_served_is_refused(tmp_path: Path, runs: list[Path]) -> None:
    with pytest.raises(ConfigError, match="the same run is given twice"):
        Desk.open([runs[0], runs[0]])
    with pytest.raises(ConfigError, match="no model to serve"):
        Desk.open([])
    with pytest.raises(DataError, match="no finished run"):
        Desk.open([make_study(tmp_path / "empty", missing="all")])
    with pytest.raises(SavedModelError, match="no such file"):
        Desk.open([tmp_path])
    with pytest.raises(SavedModelError, match="is a file, no folder"):
        Desk.open([runs[0] / "model.json"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "error: --host: 0.0.0.0 can be reached from other machines\n"),
        (["--host", "0.0.0.0", "--public"], "error: --host: 0.0.0.0 can be reached from other machines\n"),
        (["--host", "::", "--token", "x" * 20], "error: --host: :: can be reached from other machines\n"),
        (["--host", "example.org", "--public", "--token", "x" * 20], "error: --host: 'example.org'\n"),
        (["--token", "short"], "error: --token: a token of 5 characters\n"),
    ],
)
def test_other_machines_are_not_let_in_by_accident(
    linewise: Callable[..., Any], runs: list[Path], options: list[str], said: str
) -> None:
    found = linewise("serve", runs[0], "--port", 0, *options)
    assert found.code == 2
    assert found.err.startswith(said)


def test_a_port_in_use_is_told(linewise: Callable[..., Any], runs: list[Path], shared: Process) -> None:
    found = linewise("serve", runs[0], "--port", shared.port)
    assert found.code == 2
    assert found.err == (
        f"error: --port: cannot listen on 127.0.0.1 port {shared.port} (Address already in use)\n"
        "  to mend:  choose another --port (0 takes a free one), or end what uses this one\n"
    )


def test_a_damaged_run_is_refused_before_anything_listens(
    linewise: Callable[..., Any], tmp_path: Path, shared: Process
) -> None:
    run = write_run(tmp_path / "lstm-0", "lstm")
    weights = bytearray((run / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (run / "model.safetensors").write_bytes(weights)
    found = linewise("serve", run, "--port", shared.port)  # taken: binding it would be told first
    assert (found.code, "checksum differs" in found.err) == (3, True)


def test_every_route_of_the_api_gets_only_sound_json(client: Client) -> None:
    from fastapi import Body

    @client.app.post("/v1/echo")
    async def echo(value: Any = Body()) -> Any:  # noqa: B008
        return value

    headers = {"Content-Type": "application/json"}
    assert client.post("/v1/echo", content=b'{"a": [1, 2.5, "x"]}', headers=headers).json() == {"a": [1, 2.5, "x"]}
    for broken in (b'{"a": NaN}', b"[" * 100_000 + b"]" * 100_000, b'{"a": 1', b"\xff"):
        assert client.post("/v1/echo", content=broken, headers=headers).status_code == 400


def test_few_images_are_decoded_at_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from linewise.serve import pictures

    lock, running, peak = threading.Lock(), 0, 0
    decode = pictures.decode_quietly

    def watched(*arguments: Any) -> Any:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return decode(*arguments)

    monkeypatch.setattr(pictures, "decode_quietly", watched)

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url=URL) as asking:
            headers = {"Content-Type": "image/png"}
            calls = [asking.post("/v1/predict", content=png(image(0)), headers=headers) for _ in range(12)]
            return await asyncio.gather(*calls)

    assert {response.status_code for response in complete(ask())} == {200}
    assert peak == 2
