"""`POST /v1/predict`: three forms of one question, and what is refused."""

from __future__ import annotations

import io
import json
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from linewise.serve.desk import Desk
from serving import Client, png
from untrained import PRE, image

SMALL = {"max_images": 3, "max_parts": 4, "max_megapixels": 0.01, "max_request_megapixels": 0.012}


def expected(desk: Desk, name: str, images_NHWC: np.ndarray) -> list[dict[str, float]]:
    """Class probabilities straight from the network: scaled here, softmax here."""
    x_NHWC = (images_NHWC / 255 - PRE["mean"]) / PRE["std"]
    with torch.no_grad():
        logits_NK = desk.models[name].saved.network(
            torch.tensor(x_NHWC.transpose(0, 3, 1, 2), dtype=torch.float32)
        )
    rows = np.exp(logits_NK.numpy().astype(np.float64))
    return [dict(zip("abcd", (row / row.sum()).tolist(), strict=True)) for row in rows]


def probabilities(response: Any) -> list[dict[str, float]]:
    assert response.status_code == 200, response.text
    return [{c["name"]: c["probability"] for c in answer["top"]} for answer in response.json()["answers"]]


@pytest.mark.parametrize("name", ["lstm-0", "cnn-0"])
def test_files_bytes_and_pixels_get_the_networks_own_answers(client: Client, desk: Desk, name: str) -> None:
    images_NHWC = np.stack([image(seed) for seed in range(3)])
    wanted = expected(desk, name, images_NHWC)
    address = f"/v1/predict?model={name}&top=4"
    files = [("image", (f"{i}.png", png(x_HWC), "image/png")) for i, x_HWC in enumerate(images_NHWC)]
    form = client.post(address, files=files)
    pixels = client.post(address, json={"images": images_NHWC[..., 0].tolist()})
    deep = client.post(address, json={"images": [x_HWC.repeat(3, 2).tolist() for x_HWC in images_NHWC]})
    single = [
        client.post(address, content=png(x_HWC), headers={"Content-Type": "image/png"}) for x_HWC in images_NHWC
    ]
    for found in (
        probabilities(form),
        probabilities(pixels),
        probabilities(deep),
        [probabilities(response)[0] for response in single],
    ):
        assert len(found) == 3
        for row, other in zip(found, wanted, strict=True):
            assert row == pytest.approx(other, abs=2e-6)
    assert form.json()["model"] == name


def test_the_first_model_answers_with_three_classes_most_likely_first(client: Client, desk: Desk) -> None:
    found = client.post("/v1/predict", json={"images": [image(7)[..., 0].tolist()]}).json()
    assert found["model"] == "lstm-0"
    row = expected(desk, "lstm-0", image(7)[None])[0]
    assert [c["name"] for c in found["answers"][0]["top"]] == sorted(row, key=lambda name: -row[name])[:3]


def test_images_of_other_sizes_are_brought_to_the_models(client: Client, desk: Desk) -> None:
    large = image(3, side=40)
    form = client.post(
        "/v1/predict?top=4", content=png(large), headers={"Content-Type": "application/octet-stream"}
    )
    pixels = client.post("/v1/predict?top=4", json={"images": [large[..., 0].tolist()]})
    prepared = desk.first.answerer.preprocessing.conform(large[None])
    for response in (form, pixels):
        assert probabilities(response)[0] == pytest.approx(expected(desk, "lstm-0", prepared)[0], abs=2e-6)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b"", 422, "Image 1 is no image."),
        (b"hello", 422, "Image 1 is no image."),
        (png(image(0))[:60], 422, "Image 1 is cut off: the image ends early."),
        (bomb(9_000, 9_000), 413, "Image 1 is 9,000 × 9,000 pixels, more than 25 megapixels."),
        (bomb(60_000, 60_000), 413, "Image 1 is far too large an image."),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 422, "Image 1 is no image."),
    ],
)
def test_what_is_no_image_is_refused_in_words(client: Client, content: bytes, status: int, detail: str) -> None:
    started = time.perf_counter()
    found = client.post("/v1/predict", content=content, headers={"Content-Type": "image/png"})
    assert (found.status_code, found.json()["detail"]) == (status, detail)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"images": [[[NaN]]]}', 400), ('{"images": [[[Infinity]]]}', 400), ('{"images": [[[1,]]]}', 400),
        ("[" * 100_000, 400), ("[" * 100_000 + "]" * 100_000, 400), ('{"a":' * 100_000 + "1" + "}" * 100_000, 400),
        ("", 400), ("\xff\xfe", 400), ("{}", 422), ("null", 422), ("3", 422), ("[]", 422), ('{"images": []}', 422),
        ('{"images": [[]]}', 422), ('{"images": [[[]]]}', 422), ('{"images": [[[256]]]}', 422), ('{"images": [[[-1]]]}', 422),
        ('{"images": [[[1.5]]]}', 422), ('{"images": [[[1.0]]]}', 422), ('{"images": [[["1"]]]}', 422), ('{"images": [[[true]]]}', 422),
        ('{"images": [[[null]]]}', 422), ('{"images": [[[[1,2]]]]}', 422), ('{"images": [[[1],[1,2]]]}', 422),
        ('{"images": [[[1,[1,2,3]]]]}', 422), ('{"images": [[[1e400]]]}', 422), (f'{{"images": [[[{"9" * 5000}]]]}}', 400),
        ('{"images": [[[1]]], "model": "lstm-0"}', 422), ('{"images": {"0": 1}}', 422),
    ],
)  # fmt: skip
def test_json_that_is_not_pixels_is_refused(client: Client, body: str, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    found = client.post("/v1/predict", content=body.encode("latin-1"), headers=headers)
    assert found.status_code == status, found.text
    assert set(found.json()) == {"id", "title", "detail"}
    assert len(found.content) < 1500


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("model=nobody", 404), ("model=", 404), ("top=0", 422), ("top=x", 422), ("top=1001", 422), ("top=1e2", 422),
        ("what=1", 422), ("model=../../etc/passwd", 404), ("top=1000", 200), ("model=cnn-0&top=1", 200),
    ],
)  # fmt: skip
def test_what_is_asked_beside_the_images(client: Client, query: str, status: int) -> None:
    found = client.post(f"/v1/predict?{query}", json={"images": [[[1]]]})
    assert found.status_code == status, found.text
    assert "passwd" not in found.text


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "", "multipart/mixed; boundary=x", "application/jsonp"]
)
def test_another_kind_of_body_is_refused(client: Client, kind: str) -> None:
    found = client.post("/v1/predict", content=png(image(0)), headers={"Content-Type": kind})
    assert (found.status_code, found.json()["title"]) == (415, "Unknown kind of body")


def test_numbers_of_images_and_pixels_are_limited_before_anything_is_decoded(
    open_client: Callable[..., Client],
) -> None:
    client = open_client(**SMALL)
    file = ("image", ("x.png", png(image(0)), "image/png"))
    assert client.post("/v1/predict", files=[file] * 3).status_code == 200
    assert client.post("/v1/predict", files=[file] * 4).status_code == 413
    assert client.post("/v1/predict", files=[file] * 5).status_code == 400  # while the form is still being read
    assert client.post("/v1/predict", json={"images": [[[1]]] * 4}).status_code == 413
    half = ("image", ("x.png", bomb(100, 70), "image/png"))  # decoding it would fail with 422
    found = client.post("/v1/predict", files=[half] * 2)
    assert (found.status_code, found.json()["detail"]) == (
        413,
        "The images of a request may have 0.012 megapixels in sum.",
    )
    row = [[0] * 100] * 130
    assert client.post("/v1/predict", json={"images": [row]}).status_code == 413


def test_a_form_of_1001_parts_is_refused(client: Client) -> None:
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="image"; filename="{i}"\r\n\r\n1\r\n' for i in range(1001)
    )
    fields = "".join(f'--x\r\nContent-Disposition: form-data; name="f{i}"\r\n\r\n1\r\n' for i in range(1001))
    for body in (parts, fields):
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        found = client.post("/v1/predict", content=f"{body}--x--\r\n".encode(), headers=headers)
        assert (found.status_code, "Maximum number" in found.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "..\\..\\x", "a\x00b", "猫.png", "x" * 255, "<script>"]
)
def test_file_names_are_harmless(
    client: Client, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = client.post("/v1/predict", files=[("image", (name, png(image(0)), "image/png"))])
    assert found.status_code == 200
    broken = client.post("/v1/predict", files=[("image", (name, b"no image", "image/png"))])
    assert (broken.status_code, broken.json()["detail"]) == (422, "Image 1 is no image.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x--"), ("multipart/form-data; boundary=x", b"no form"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n1\r\n--x--\r\n"), ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\n1\r\n--x--\r\n'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n1\r\n--x--\r\n'),
        ("multipart/form-data; boundary=" + "b" * 300, b"--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 5000 + b"\r\n1\r\n--x--\r\n"),
    ],
)  # fmt: skip
def test_damaged_forms_are_refused(client: Client, kind: str, body: bytes) -> None:
    found = client.post("/v1/predict", content=body, headers={"Content-Type": kind})
    assert found.status_code in (400, 422), found.text
    assert set(found.json()) == {"id", "title", "detail"}


def test_a_body_is_counted_as_it_comes_whatever_it_says_of_itself(open_client: Callable[..., Client]) -> None:
    client = open_client(max_body_bytes=100_000)
    pulled = 0

    async def endless() -> Any:
        nonlocal pulled
        while True:
            pulled += 10_000
            yield bytes(10_000)

    found = client.post("/v1/predict", content=endless(), headers={"Content-Type": "image/png"})
    assert (found.status_code, found.json()["detail"]) == (413, "A request may have 100,000 bytes.")
    assert pulled <= 120_000
    assert client.app.state.occupancy.num_bytes == 0
    said = client.post("/v1/predict", content=bytes(100_001), headers={"Content-Type": "image/png"})
    assert (said.status_code, said.headers["connection"]) == (413, "close")


def test_the_memory_of_all_bodies_is_limited(open_client: Callable[..., Client]) -> None:
    client = open_client(max_memory_bytes=50_000)
    found = client.post("/v1/predict", content=bytes(60_000), headers={"Content-Type": "image/png"})
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")
    assert client.app.state.occupancy.num_bytes == 0
    assert (
        client.post("/v1/predict", content=png(image(0)), headers={"Content-Type": "image/png"}).status_code == 200
    )


def test_a_slow_body_is_cut(open_client: Callable[..., Client]) -> None:
    client = open_client(body_s=0.2)

    async def slow() -> Any:
        import asyncio

        while True:
            await asyncio.sleep(0.05)
            yield b"x"

    started = time.perf_counter()
    found = client.post("/v1/predict", content=slow(), headers={"Content-Type": "image/png"})
    assert (found.status_code, found.json()["title"]) == (408, "Too slow")
    assert time.perf_counter() - started < 2


def test_two_lengths_are_refused(client: Client) -> None:
    headers = {"Content-Type": "image/png", "Content-Length": "3", "Transfer-Encoding": "chunked"}
    assert client.post("/v1/predict", content=b"abc", headers=headers).status_code == 400


@pytest.fixture
def jpeg() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image(1, channels=3)).save(file, "JPEG")
    return file.getvalue()


def test_colour_is_brought_to_grey_for_a_model_of_grey(client: Client, jpeg: bytes) -> None:
    assert client.post("/v1/predict", content=jpeg, headers={"Content-Type": "image/jpeg"}).status_code == 200


def test_a_large_body_of_json_is_parsed_beside_the_loop(client: Client) -> None:
    body = json.dumps({"images": [[[5] * 300] * 300]})
    assert len(body) > 200_000
    assert (
        client.post("/v1/predict", content=body, headers={"Content-Type": "application/json"}).status_code == 200
    )
