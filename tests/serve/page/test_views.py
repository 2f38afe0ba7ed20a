"""The routes behind the page answer as the networks themselves do, and refuse in a sentence."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from linewise.images.drawing import prepare_drawing
from linewise.models.saved import load_model
from linewise.tracing import trace


def encoded(image: Image.Image, kind: str = "PNG") -> str:
    file = io.BytesIO()
    image.save(file, format=kind)
    return base64.b64encode(file.getvalue()).decode()


def ask(address: str, **body: object) -> httpx.Response:
    return httpx.post(f"{address}/v1/read", json=body, timeout=20)


@pytest.mark.parametrize("name", ["lstm", "gru", "cnn", "bilstm", "rnn", "lstm@columns"])
def test_read_is_the_trace_of_the_network(address: str, study: Path, name: str) -> None:
    image_HW = np.random.default_rng(3).integers(0, 256, (8, 8)).astype(np.uint8)
    answer = ask(address, model=f"{name}-0", image=encoded(Image.fromarray(image_HW)), gates=True)
    assert answer.status_code == 200
    told = answer.json()
    expected = trace(load_model(study / "runs" / f"{name}-0"), image_HW[:, :, None], gates=True).to_json()
    for field in ("image_HWC", "num_steps", "step_HW", "settled", "reading", "class_names"):
        assert told["trace"][field] == expected[field]
    for field in ("probabilities_K", "probabilities_TK", "hidden_TU"):
        assert (told["trace"][field] is None) == (expected[field] is None)
        if expected[field] is not None:
            np.testing.assert_allclose(told["trace"][field], expected[field], atol=2e-4)
    assert (told["trace"]["gates"] or {}).keys() == (expected["gates"] or {}).keys()
    assert told["directions"] == {"cnn": 0, "bilstm": 2}.get(name, 1)


def test_drawings_are_prepared_as_the_training_images_were(address: str, study: Path) -> None:
    drawing = Image.new("L", (280, 280), 255)
    drawing.paste(0, (150, 60, 175, 220))
    told = ask(address, model="lstm-0", image=encoded(drawing), drawn=True).json()["trace"]
    preprocessing = load_model(study / "runs" / "lstm-0").card.preprocessing
    from linewise.images.preprocessing import Preprocessing

    expected_HWC = prepare_drawing(drawing, Preprocessing.model_validate(preprocessing), "digits")
    assert told["image_HWC"] == expected_HWC.tolist()
    assert np.max(told["image_HWC"]) > 100


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize(
    "image",
    ["!!!!", base64.b64encode(b"<html>").decode(), base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()],
    ids=["no base64", "no image", "cut off"],
)
def test_what_is_no_image_is_refused(address: str, image: str, drawn: bool) -> None:
    answer = ask(address, model="lstm-0", image=image, drawn=drawn)
    assert answer.status_code == 422
    assert set(answer.json()) == {"id", "title", "detail"}


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize(("side", "word"), [(8_000, "megapixels"), (20_000, "far too large")])
def test_too_many_pixels_are_refused_before_they_are_decoded(
    address: str, drawn: bool, side: int, word: str
) -> None:
    bomb = encoded(Image.new("1", (side, side)))
    assert len(bomb) < 100_000
    answer = ask(address, model="lstm-0", image=bomb, drawn=drawn)
    assert answer.status_code == 413
    assert word in answer.json()["detail"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
@pytest.mark.parametrize("drawn", [True, False])
def test_every_kind_of_pixel_is_read(address: str, mode: str, drawn: bool) -> None:
    drawing = Image.new("L", (90, 120), 255)
    drawing.paste(0, (40, 20, 50, 100))
    if mode == "I;16":
        deep = Image.fromarray(np.asarray(drawing).astype(np.uint16) * 257)
    else:
        deep = drawing.convert("RGBA" if mode == "LA" else mode).convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    answer = ask(address, model="lstm-0", image=encoded(deep, kind), drawn=drawn)
    assert answer.status_code == 200
    sight_HW = np.array(answer.json()["trace"]["image_HWC"])[:, :, 0]
    assert (sight_HW[:, 3:5].mean() > 100 > sight_HW[:, :2].mean()) if drawn else np.ptp(sight_HW[4]) > 30


def test_unknown_models_are_told_which_are_known(address: str) -> None:
    answer = ask(address, model="lstm-7", image="AAAA")
    assert answer.status_code == 404
    assert "lstm-0" in answer.json()["detail"]
    assert httpx.get(f"{address}/v1/examples?model=nobody").status_code == 404


def test_examples_are_read_as_what_they_are(address: str) -> None:
    found = httpx.get(f"{address}/v1/examples?model=lstm-0").json()["examples"]
    easy = [each for each in found if not each["hard"]]
    assert len({each["label"] for each in easy}) == len(easy) > 5
    names = [str(k) for k in range(10)]
    right = 0
    for each in easy:
        p_K = ask(address, model="lstm-0", image=each["image"], drawn=each["drawn"]).json()["trace"][
            "probabilities_K"
        ]
        right += names[int(np.argmax(p_K))] == each["label"]
    assert right > len(easy) / 2


def test_a_model_without_a_study_is_shown_embedded_digits_it_knows() -> None:
    from linewise.serve.views.examples import from_digits

    found = from_digits(("7", "2", "cat"), (28, 28))
    assert [each.label for each in found] == ["2", "7"]
    assert all(each.drawn for each in found)
    (exact,) = from_digits(("3",), (8, 8))
    from sklearn.datasets import load_digits

    digits = load_digits()
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(exact.image))))
    np.testing.assert_array_equal(np.rint(image.astype(float) * 16 / 255), digits.images[digits.target == 3][0])
    assert not exact.drawn


def test_the_page_knows_what_its_models_read(address: str) -> None:
    models = {each["name"]: each for each in httpx.get(f"{address}/v1/page").json()["models"]}
    assert models["photos-0"]["channels"] == 3
    assert models["photos-0"]["study"] == ""
    assert (models["lstm-0"]["height"], models["lstm-0"]["width"], models["lstm-0"]["study"]) == (8, 8, "digits")
    assert next(iter(models)) == "lstm-0"
