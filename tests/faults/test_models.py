"""Saved networks that cannot be trusted, given to `linewise predict`: exit code 3 and the whole message."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load, save

from linewise.models import create_model, list_models
from linewise.models.saved import save_model
from refusals import refused

NETWORKS = ", ".join(list_models())
SHAPE = {"height": 6, "width": 5, "channels": 1, "fit": "letterbox"}
CHECKSUM = "the checksum differs: the file was damaged or changed after it was saved\n  expected: SHA-256 "
AGAIN = "\n  to mend:  copy the model again, or train it again"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = create_model("lstm", num_classes=3, img_size=(6, 5), hidden=4)
    preprocessing = {**SHAPE, "mean": [0.5], "std": [0.5]}
    save_model(
        tmp_path / "run",
        network,
        class_names=["a", "b", "c"],
        preprocessing=preprocessing,
        trained={},
        version="0",
    )
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(tmp_path / "x.png")
    return tmp_path / "run"


def edit(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    card = json.loads((run / "model.json").read_text())
    change(card)
    (run / "model.json").write_text(json.dumps(card))


def new_weights(run: Path, payload: bytes) -> None:
    (run / "model.safetensors").write_bytes(payload)
    edit(run, lambda card: card.update(sha256=hashlib.sha256(payload).hexdigest()))


def said(linewise: Callable, run: Path) -> str:
    return refused(linewise, run.parent, 3, "predict", "run", "x.png").removeprefix("run/")


def test_a_whole_model_answers(linewise: Callable, run: Path) -> None:
    assert linewise("predict", "run", "x.png").code == 0


def test_half_a_file(linewise: Callable, run: Path) -> None:
    path = run / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert said(linewise, run) == f"model.safetensors: {CHECKSUM}{hashlib.sha256(whole).hexdigest()}{AGAIN}"


def test_a_flipped_bit(linewise: Callable, run: Path) -> None:
    """Neither torch nor safetensors would notice."""
    path = run / "model.safetensors"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[-5] ^= 1
    assert load(bytes(damaged)).keys() == load(whole).keys()
    path.write_bytes(damaged)
    assert said(linewise, run) == f"model.safetensors: {CHECKSUM}{hashlib.sha256(whole).hexdigest()}{AGAIN}"


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers(linewise: Callable, run: Path, wrong: float) -> None:
    weights = load((run / "model.safetensors").read_bytes())
    weights["head.bias"][1] = wrong
    new_weights(run, save(weights))
    assert said(linewise, run) == "model.safetensors: not a number in head.bias\n  expected: finite weights"


def test_another_architecture_lists_the_differences(linewise: Callable, run: Path) -> None:
    edit(run, lambda card: card["network"].update(name="gru"))
    assert said(linewise, run) == (
        "model.safetensors: the weights do not fit the network: "
        "readers.0.body.layers.0.weight_ih_l0 is (16, 5) torch.float32, not (12, 5) torch.float32; "
        "readers.0.body.layers.0.weight_hh_l0 is (16, 4) torch.float32, not (12, 4) torch.float32; "
        "readers.0.body.layers.0.bias_ih_l0 is (16,) torch.float32, not (12,) torch.float32; "
        "readers.0.body.layers.0.bias_hh_l0 is (16,) torch.float32, not (12,) torch.float32"
        "\n  expected: the weights of the network in model.json"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(class_names=["a", "b"]), "model.json: 2 class names for 3 classes"),
        (lambda c: c.update(class_names=["a", "b", "a"]), "model.json: class 'a' is named twice\n  expected: each class once"),
        (lambda c: c.update(schema_version=2),
         "model.json: format version 2\n  expected: at most 1\n  to mend:  pip install --upgrade linewise"),
        (lambda c: c["network"].update(name="os.system"),
         f"model.json: the network 'os.system' is not known here\n  expected: one of {NETWORKS}"
         "\n  to mend:  install the version of linewise that made it"),
        (lambda c: c["network"]["sizes"].update(cell="subprocess.Popen"),
         "model.json: unknown size of lstm 'cell'\n  expected: one of body, dropout, hidden, join, layers, mlp, reading, readout"),
        (lambda c: c["network"].update({"class": "subprocess.Popen"}),
         "model.json: network.class = 'subprocess.Popen'\n  expected: Extra inputs are not permitted"),
        (lambda c: c["network"]["sizes"].update(hidden=True), "model.json: hidden = True\n  expected: a value like 128"),
        (lambda c: c.update(preprocessing={}), "model.json, preprocessing: mean = {'height': 6, 'width': 5, 'channels': 1}"
         "\n  expected: Field required"),
        (lambda c: c["preprocessing"].update(std=[0]), "model.json, preprocessing: not valid: {'height': 6, 'width': 5, "
         "'channels': 1, 'fit': 'letterbo...\n  expected: Value error, std above 0"),
        (lambda c: c["preprocessing"].update(height=28), "model.json, preprocessing: prepares images of 28×5 with 1 channels"
         "\n  expected: 6×5 with 1, what the network reads"),
        (lambda c: c["preprocessing"].update(code="import os"), "model.json, preprocessing: code = 'import os'"
         "\n  expected: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_descriptions(linewise: Callable, run: Path, change: Callable[[dict], object], message: str) -> None:
    edit(run, change)
    assert said(linewise, run) == message


def test_a_class_name_that_is_no_text(linewise: Callable, run: Path) -> None:
    """JSON can write half a character; printing it would fail."""
    text = (run / "model.json").read_text().replace('"b"', '"\\ud800"')
    (run / "model.json").write_text(text)
    found = said(linewise, run)
    assert found.startswith("model.json: not valid: ")
    assert found.encode("utf-8")


def test_the_training_images_are_not_said_where_a_name_should_be(linewise: Callable, run: Path) -> None:
    edit(run, lambda card: card.update(trained={"options": ["source"]}))
    found = refused(linewise, run.parent, 2, "calibrate", "run")
    assert found == (
        "--data: the model does not say on which images it was trained\n  expected: images of the same classes"
        "\n  to mend:  name them, as for `linewise evaluate`"
    )
