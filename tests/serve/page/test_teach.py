"""Readers taught from a few drawings: that they learn, that they are real runs, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from linewise.foundations.records import RunRecord
from linewise.models.saved import load_model
from linewise.serve.teaching import keep
from serving import Client

HOSTILE = "<img src=x onerror=alert(1)>"


def scribble(kind: str, rng: np.random.Generator) -> Image.Image:
    """A ring or a zigzag, a little different each time."""
    x, y, r = 140 + rng.normal(0, 12), 140 + rng.normal(0, 12), 70 + rng.normal(0, 12)
    if kind == "ring":
        points = [
            (x + r * np.cos(a) + rng.normal(0, 4), y + r * np.sin(a) + rng.normal(0, 4))
            for a in np.linspace(0, 6.3, 24)
        ]
    else:
        points = [(x - r + 2 * r * t / 8, y + (r / 2) * (-1) ** t + rng.normal(0, 6)) for t in range(9)]
    image = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(image).line(points, fill=0, width=22, joint="curve")
    return image


def encoded(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def drawings(kind: str, seed: int, count: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [encoded(scribble(kind, rng)) for _ in range(count)]


def body(count: int = 4, names: tuple[str, str] = (HOSTILE, "zigzag")) -> dict[str, Any]:
    return {
        "classes": [
            {"name": name, "images": drawings(kind, seed, count)}
            for seed, (name, kind) in enumerate(zip(names, ["ring", "zigzag"], strict=True))
        ]
    }


def wait(address: str, phase: str = "ready") -> dict[str, Any]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        state = httpx.get(f"{address}/v1/teach").json()
        if state["phase"] not in ("preparing", "training"):
            assert state["phase"] == phase
            return state
        time.sleep(0.05)
    raise AssertionError("it never ends")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the server seems to have been started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def taught(address: str) -> dict[str, Any]:
    answer = httpx.post(f"{address}/v1/teach", json=body(), timeout=60)
    assert answer.status_code == 202
    return wait(address)


def test_a_taught_network_recognises_new_drawings(address: str, taught: dict[str, Any]) -> None:
    assert taught["class_names"] == [HOSTILE, "zigzag"]
    assert (taught["num_train"], taught["num_apart"]) == (6, 2)
    assert taught["apart"]["num_images"] == 2
    assert taught["losses"][-1] < taught["losses"][0] / 5
    assert taught["told"]["name"] == taught["model"]
    assert taught["model"] in [each["name"] for each in httpx.get(f"{address}/v1/page").json()["models"]]
    right = []
    for label, kind in enumerate(["ring", "zigzag"]):
        for image in drawings(kind, 100 + label, 25):
            asked = {"model": taught["model"], "image": image, "drawn": True}
            trace = httpx.post(f"{address}/v1/read", json=asked, timeout=20).json()["trace"]
            right.append(int(np.argmax(trace["probabilities_K"])) == label)
    assert np.mean(right) >= 0.9
    assert trace["num_steps"] == 28
    assert len(trace["probabilities_TK"]) == 28


def test_a_taught_network_answers_in_the_api_and_in_duels(address: str, taught: dict[str, Any]) -> None:
    (image,) = drawings("ring", 7, 1)
    asked = {"models": [taught["model"], "lstm-0"], "image": image, "drawn": True}
    first = httpx.post(f"{address}/v1/duel", json=asked, timeout=20).json()["contestants"][0]
    sight = Image.open(io.BytesIO(base64.b64decode(first["sight"])))
    file = io.BytesIO()
    sight.save(file, "PNG")
    answer = httpx.post(
        f"{address}/v1/predict?model={taught['model']}", files={"image": ("a.png", file.getvalue())}, timeout=20
    ).json()
    assert answer["answers"][0]["top"][0]["name"] == HOSTILE
    assert answer["answers"][0]["top"][0]["probability"] == pytest.approx(first["probabilities_K"][0], abs=1e-3)


def test_a_saved_run_is_a_run_like_any_other(address: str, taught: dict[str, Any], here: Path) -> None:
    first = httpx.post(f"{address}/v1/teach/save", json={"model": taught["model"]}, timeout=20).json()
    again = httpx.post(f"{address}/v1/teach/save", json={"model": taught["model"]}, timeout=20).json()
    assert first["saved"] == again["saved"] == str(Path("runs") / "taught-1")
    run = here / first["saved"]
    record = RunRecord.load(run / "run.json")
    assert (record.status, record.num_train, record.data_name) == ("finished", 6, "drawings")
    assert len((run / "epochs.csv").read_text().splitlines()) == record.recipe.epochs + 1
    assert sorted(path.name for path in here.joinpath("runs").iterdir()) == ["taught-1"]
    (image,) = drawings("zigzag", 9, 1)
    asked = {"models": [taught["model"], taught["model"]], "image": image, "drawn": True}
    told = httpx.post(f"{address}/v1/duel", json=asked, timeout=20).json()["contestants"][0]
    (here / "sight.png").write_bytes(base64.b64decode(told["sight"]))
    command = [sys.executable, "-m", "linewise", "predict", first["saved"], "sight.png", "--json", "--top", "2"]
    found = json.loads(subprocess.run(command, cwd=here, capture_output=True, check=True, text=True).stdout)
    found = found[0] if isinstance(found, list) else found
    probabilities = {each["name"]: each["probability"] for each in found["top"]}
    for name, probability in zip(told["class_names"], told["probabilities_K"], strict=True):
        assert probabilities[name] == pytest.approx(probability, abs=2e-4)
    assert load_model(run).card.class_names == [HOSTILE, "zigzag"]


def test_saving_never_writes_over_anything(tmp_path: Path) -> None:
    run, runs = tmp_path / "run", tmp_path / "runs"
    run.mkdir()
    (run / "model.json").write_text("mine")
    (runs / "taught-1").mkdir(parents=True)
    (runs / "taught-1" / "model.json").write_text("another's")
    (runs / "taught-2").write_text("a file")
    (runs / "taught-3").symlink_to(tmp_path / "nowhere")
    assert keep(run, runs) == runs / "taught-4"
    assert keep(run, runs) == runs / "taught-5"
    assert (runs / "taught-1" / "model.json").read_text() == "another's"
    assert (runs / "taught-2").read_text() == "a file"
    assert not (tmp_path / "nowhere").exists()
    assert sorted(path.name for path in runs.iterdir()) == [f"taught-{n}" for n in range(1, 6)]


def test_where_nothing_can_be_written_it_is_said(address: str, taught: dict[str, Any], here: Path) -> None:
    (here / "runs").write_text("in the way")
    answer = httpx.post(f"{address}/v1/teach/save", json={"model": taught["model"]}, timeout=20)
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("runs/ cannot be written")
    assert httpx.post(f"{address}/v1/teach/save", json={"model": "lstm-0"}).status_code == 404


def test_one_at_a_time_and_cancelled(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linewise.serve.lesson.EPOCHS", 5000)
    asked = body(3)
    assert httpx.post(f"{address}/v1/teach", json=asked, timeout=60).status_code == 202
    second = httpx.post(f"{address}/v1/teach", json=asked, timeout=60)
    assert (second.status_code, second.json()["detail"]) == (
        409,
        "A network is being trained already; one at a time.",
    )
    httpx.delete(f"{address}/v1/teach")
    state = wait(address, "stopped")
    assert state["message"] == "It was cancelled."
    assert 0 <= state["step"] < 5000
    assert state["told"] is None
    assert state["model"] not in [each["name"] for each in httpx.get(f"{address}/v1/page").json()["models"]]


BLANK = encoded(Image.new("L", (20, 20), 255))


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda asked: asked["classes"].pop(), "at least 2"),
        (lambda asked: asked["classes"].extend(asked["classes"] * 5), "at most 10"),
        (lambda asked: asked["classes"][0]["images"].pop(), "at least 3"),
        (lambda asked: asked["classes"][0].update(images=[BLANK] * 21), "at most 20"),
        (lambda asked: asked["classes"][0].update(name="zigzag"), "the same name"),
        (lambda asked: asked["classes"][0].update(name=" zigzag "), "the same name"),
        (lambda asked: asked["classes"][0].update(name="  "), "at least one letter"),
        (lambda asked: asked["classes"][0].update(name="\u200b\ufe0f"), "at least one letter"),
        (lambda asked: asked["classes"][0].update(name="x" * 41), "at most 40"),
        (lambda asked: asked["classes"][0].update(name="a\nb"), "one line"),
        (lambda asked: asked["classes"][0].update(name="a\u2028b"), "one line"),
        (lambda asked: asked["classes"][0].update(name="a\u202eb"), "one line"),
        (lambda asked: asked["classes"][0].update(name="a\u200fb"), "one line"),
        (lambda asked: asked["classes"][0]["images"].__setitem__(1, "!!"), "drawing 2 of"),
        (
            lambda asked: asked["classes"][1]["images"].__setitem__(0, BLANK),
            "drawing 1 of 'zigzag': nothing is drawn",
        ),
        (lambda asked: asked["classes"][0]["images"].__setitem__(0, "A" * 200_004), "at most 200,000"),
    ],
)
def test_what_cannot_be_taught_is_refused(address: str, change: Callable, detail: str) -> None:
    asked = body(3)
    change(asked)
    answer = httpx.post(f"{address}/v1/teach", json=asked, timeout=20)
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
    assert httpx.get(f"{address}/v1/teach").json()["phase"] != "training"


def test_letters_that_are_none_are_refused(address: str) -> None:
    text = json.dumps(body(3)).replace(json.dumps(HOSTILE), '"a\\ud800"')
    answer = httpx.post(f"{address}/v1/teach", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


def test_the_oldest_is_forgotten(address: str, taught: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linewise.serve.teaching.MOST_MODELS", 1)
    assert httpx.post(f"{address}/v1/teach", json=body(3), timeout=60).status_code == 202
    wait(address)
    asked = {"model": taught["model"], "image": BLANK}
    assert httpx.post(f"{address}/v1/read", json=asked).status_code == 404
    assert httpx.post(f"{address}/v1/teach/save", json={"model": taught["model"]}).status_code == 404


def test_switched_off(study: Path) -> None:
    from linewise.serve.app import create_app
    from linewise.serve.desk import Desk
    from linewise.serve.settings import Settings

    client = Client(create_app(Desk.open([study / "runs" / "lstm-0"]), Settings(teach=False)))
    assert client.get("/v1/teach").json()["allowed"] is False
    assert client.get("/v1/page").json()["teach"] is False
    for answer in (
        client.post("/v1/teach", json=body(3)),
        client.request("DELETE", "/v1/teach"),
        client.post("/v1/teach/save", json={"model": "lstm-0"}),
    ):
        assert answer.status_code == 403


@pytest.mark.parametrize(("typed", "teach"), [([], True), (["--no-teach"], False)])
def test_the_command_switches_it_off(monkeypatch: pytest.MonkeyPatch, typed: list[str], teach: bool) -> None:
    from typer.testing import CliRunner

    from linewise.cli.app import app

    asked = []
    monkeypatch.setattr("linewise.cli.serve.open_server", lambda runs, options, opened=None: asked.append(options))
    assert CliRunner().invoke(app, ["serve", "runs/lstm-0", *typed]).exit_code == 0
    assert [options.teach for options in asked] == [teach]


@pytest.mark.browser
def test_a_class_is_drawn_taught_tried_and_saved(visit: Callable, here: Path) -> None:
    seen = visit("#teach")
    seen.page.wait_for_selector(".lesson")
    train = seen.page.locator(".pupil .main")
    assert train.is_disabled()
    assert seen.text(".missing") == "Still to draw: 3 of circle, 3 of cross."
    seen.page.fill("[aria-label='Name of class 1']", HOSTILE)
    for number, digit in (("1", 0), ("2", 4)):
        for way in (0, 1, 0):
            seen.draw(digit, way)
            seen.page.keyboard.press(number)
    seen.draw(0)
    seen.page.locator(".keep-drawing").first.click()
    assert seen.page.locator(".lesson:first-child .drawing").count() == 4
    seen.page.locator(".lesson:first-child .drawing").last.click()
    assert seen.page.locator(".lesson:first-child .drawing").count() == 3
    train.click()
    seen.page.wait_for_selector(".pupil .progress:visible")
    seen.page.get_by_role("button", name="Save as a run").wait_for(timeout=60_000)
    assert f"learned {HOSTILE}, cross from 4 drawings" in seen.text(".pupil-told")
    seen.draw(0)
    seen.page.wait_for_selector(".trial .says b")
    assert seen.page.locator(".trial .bar span").all_inner_texts() == [HOSTILE, "cross"]
    assert seen.text(".trial .says b") == HOSTILE
    seen.page.get_by_role("button", name="Save as a run").click()
    seen.page.wait_for_selector(".saved:visible")
    saved = seen.page.locator(".saved code").first.inner_text()
    assert load_model(here / saved).card.class_names == [HOSTILE, "cross"]
    seen.page.get_by_role("button", name="Open in Read").click()
    seen.page.wait_for_selector(".view-read")
    assert seen.page.input_value("#model").startswith("taught-")
    seen.page.wait_for_selector(f".view-read .sentence b:text-is('{HOSTILE}')")
    seen.page.click("text=Clear")
    seen.draw(4)
    seen.page.wait_for_selector(".view-read .sentence b:text-is('cross')")
    assert seen.page.locator("main img").count() == 0


@pytest.mark.browser
def test_training_is_cancelled_in_the_page(visit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linewise.serve.lesson.EPOCHS", 5000)
    seen = visit("#teach")
    seen.page.wait_for_selector(".lesson")
    seen.page.get_by_role("button", name="Add a class").click()
    seen.page.keyboard.type("bar")
    for number, digit in (("1", 0), ("2", 7), ("3", 1)):
        for _ in range(3):
            seen.draw(digit)
            seen.page.keyboard.press(number)
    seen.page.locator(".pupil .main").click()
    seen.page.wait_for_selector(".curve:visible")
    seen.page.get_by_role("button", name="Cancel").click()
    seen.page.wait_for_selector(".pupil-told:has-text('Training was stopped. It was cancelled.')")
    assert seen.page.locator(".pupil .main").is_enabled()
    assert not seen.page.locator(".pupil .progress").is_visible()
