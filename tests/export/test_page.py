"""docs/export.md: its script runs, and what it states is so."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linewise.export.card import IR_VERSION, OPSET, PREFIX, OnnxCard
from linewise.export.parity import BATCHES, TOLERANCE
from linewise.models import list_models
from tiny_exports import images, lstm

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")


def test_the_script_answers_as_the_network_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, found = lstm("row-by-row")
    (tmp_path / "model-row-by-row.onnx").write_bytes(found.data)
    image_HWC = images(saved, 1)[0]
    Image.fromarray(image_HWC[:, :, 0]).save(tmp_path / "image.png")
    monkeypatch.chdir(tmp_path)
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(script, "docs/export.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 8
    (shares_K,) = lstm()[1].model.probabilities(image_HWC[None])
    best = int(shares_K.argmax())
    assert said[-1] == f"after step 8: {saved.card.class_names[best]} {shares_K[best]:.0%}"
    assert np.isclose(shares_K.sum(), 1)


def test_it_states_what_is_so() -> None:
    assert f"**Opset {OPSET}, IR version {IR_VERSION}**" in PAGE
    assert f"More than {TOLERANCE:.0e}".replace("e-0", "e-") in PAGE
    assert f"batches of {', '.join(map(str, BATCHES[:-1]))} and {BATCHES[-1]};" in PAGE
    for name in OnnxCard.model_fields:
        assert f"`{PREFIX}{name}`" in PAGE, name


def test_the_table_has_every_network() -> None:
    rows = re.findall(r"^\| ([a-z0-9_]+) \| any \|", PAGE, flags=re.MULTILINE)
    assert rows == [name for name in list_models() if name != "timm"]
