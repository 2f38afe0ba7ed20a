"""A real server with small trained networks, and a real browser that looks at its page."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import uvicorn
from playwright import sync_api as playwright_api

import caches
from conftest import chromium
from drawings import WAYS

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
"""The strictest content policy that the page lives with."""
NETWORKS = ["lstm", "gru", "cnn", "bilstm", "rnn", "lstm@columns"]


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small networks, each trained for a few epochs on the embedded digits."""
    from linewise.api.comparing import compare

    folder = tmp_path_factory.mktemp("study") / "digits"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEWISE_CACHE", str(caches.begin(tmp_path_factory)))
        compare("digits", out=folder, jobs=0, models=NETWORKS, seeds=1, epochs=3, budget=8_000, report=False)
    return folder


@pytest.fixture(scope="session")
def colour_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for colour pictures that was never trained: what it says does not matter here."""
    import torch

    from linewise.models import create_model
    from linewise.models.saved import save_model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("colour") / "photos-0"
    network = create_model("lstm", num_classes=3, in_chans=3, img_size=(12, 12), hidden=8).eval()
    pre = {"height": 12, "width": 12, "channels": 3, "fit": "letterbox", "mean": [0.5] * 3, "std": [0.25] * 3}
    names = ["apple", "<b>pear</b>", "plum"]
    save_model(folder, network, class_names=names, preprocessing=pre, trained={}, version="0")
    return folder


@pytest.fixture(scope="session")
def address(study: Path, colour_run: Path) -> Iterator[str]:
    """Where the server listens, in a thread of this process."""
    from linewise.serve.app import create_app
    from linewise.serve.desk import Desk
    from linewise.serve.settings import Settings

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(
        Desk.open([study / "runs" / f"{name}-0" for name in NETWORKS] + [colour_run]), Settings(port=port)
    )
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    assert server.started
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="session")
def browser() -> Iterator[playwright_api.Browser]:
    path = chromium()
    assert path, "a test that asks for a browser is marked `browser`, and left out where there is none"
    with playwright_api.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@dataclass
class Visit:
    """A visitor's page, what it asked for and what it complained of."""

    page: playwright_api.Page
    address: str
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def settled(self) -> None:
        """Wait until the scan has been played."""
        self.page.wait_for_selector(".play:text-is('Read again')")
        self.page.wait_for_timeout(60)

    def wait_answer(self) -> None:
        self.page.wait_for_selector(".detail[data-latency]:not([data-latency=''])")

    def choose(self, model: str) -> None:
        self.page.select_option("#model", model)

    def draw(self, digit: int, way: int = 0) -> None:
        """Move a pointer over the pad as a hand would."""
        box = self.page.locator(".pad").bounding_box()
        assert box is not None
        for stroke in WAYS[digit][way]:
            points = [
                (box["x"] + box["width"] * (0.2 + 0.6 * x), box["y"] + box["height"] * (0.15 + 0.7 * y))
                for x, y in stroke
            ]
            self.page.mouse.move(*points[0])
            self.page.mouse.down()
            for (x0, y0), (x1, y1) in pairwise(points):
                self.page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2)
                self.page.mouse.move(x1, y1)
            self.page.mouse.up()

    def trace(self) -> dict:
        """What the server says of what the pad shows, asked apart from the page."""
        data = self.page.evaluate("document.querySelector('.pad').toDataURL('image/png').split(',')[1]")
        body = {"model": self.page.input_value("#model"), "image": data, "drawn": True}
        return httpx.post(f"{self.address}/v1/read", json=body, timeout=20).json()["trace"]

    def text(self, where: str) -> str:
        return self.page.locator(where).inner_text()


@pytest.fixture
def visit(address: str, browser: playwright_api.Browser) -> Iterator[Callable[..., Visit]]:
    """Open the page: `visit("#read", viewport={…}, color_scheme="dark")`; nothing may be wrong with it in the end."""
    visits: list[Visit] = []

    def open_page(where: str = "#read", **options: object) -> Visit:
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **options}
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        found = Visit(page, address)
        page.on("request", lambda request: found.hosts.add(request.url.split("/")[2]))
        page.on("console", lambda said: found.complaints.append(said.text) if complains(said) else None)
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.route(f"{address}/", strictly)
        page.goto(f"{address}/{where}")
        page.wait_for_selector("#model option", state="attached")
        visits.append(found)
        return found

    yield open_page
    for each in visits:
        complaints, hosts = each.complaints, each.hosts
        each.page.context.close()
        assert not complaints
        assert hosts == {address.removeprefix("http://")}


def strictly(route: playwright_api.Route) -> None:
    """Answer with the strictest policy."""
    response = route.fetch()
    route.fulfill(response=response, headers={**response.headers, "content-security-policy": POLICY})


def complains(said: playwright_api.ConsoleMessage) -> bool:
    """Whether the browser found fault; not with how these tests look at canvases."""
    return said.type in ("error", "warning") and "getImageData" not in said.text
