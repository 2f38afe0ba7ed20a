"""A folder of colour photographs of mixed sizes and kinds, from check to prediction."""

from __future__ import annotations

import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import data_root

CLASSES = ("airplane", "frog", "truck")
EACH = 60


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of CIFAR-10 at many sizes, with odd files among them."""
    root = data_root()
    assert root is not None
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    counts: dict[str, int] = defaultdict(int)
    with tarfile.open(root / "cifar10-images.tar.xz") as archive:
        for member in archive:
            parts = Path(member.name).parts
            if member.isfile() and len(parts) > 1 and parts[-2] in CLASSES and counts[parts[-2]] < EACH:
                counts[parts[-2]] += 1
                file = archive.extractfile(member)
                assert file is not None
                image = Image.open(io.BytesIO(file.read())).convert("RGB")
                size = tuple(int(side) for side in rng.integers(24, 90, 2))
                (folder / parts[-2]).mkdir(exist_ok=True)
                image.resize(size).save(folder / parts[-2] / f"{counts[parts[-2]]:03d}.jpg", quality=95)
            if len(counts) == 3 and min(counts.values()) == EACH:
                break
    some = Image.open(folder / "frog" / "001.jpg")
    some.convert("L").save(folder / "frog" / "grey.png")
    some.convert("CMYK").save(folder / "frog" / "cmyk.JPG")
    some.quantize(16).save(folder / "frog" / "palette.gif")
    some.convert("RGBA").save(folder / "frog" / "alpha.webp", lossless=True)
    Image.fromarray(np.asarray(some.convert("L")).astype(np.uint16) * 257).save(folder / "frog" / "deep.png")
    (folder / "frog" / "Thumbs.db").write_bytes(b"\0" * 100)
    return folder


@pytest.mark.cifar10
def test_from_check_to_prediction(photographs: Path, tmp_path: Path, linewise: Callable) -> None:
    checked = linewise("data", "check", photographs, "--size", "32", "--json")
    assert checked.code == 0, checked.err
    found = json.loads(checked.out)
    assert found["class_names"] == list(CLASSES)
    assert found["shape"] == [32, 32, 3]
    assert sum(sum(classes.values()) for classes in found["counts"].values()) == 3 * EACH + 5
    assert len(found["sizes"]) >= 20

    study = tmp_path / "study"
    said = linewise(
        "compare", photographs, "--size", 32, "--models", "gru,cnn,majority", "--budget", "10k", "--epochs", 3,
        "--seeds", 1, "--out", study,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "warning: " in said.err
    assert (study / "report" / "index.html").is_file()

    run = study / "runs" / "cnn-0"
    files = [
        photographs / "frog" / name for name in ("grey.png", "cmyk.JPG", "palette.gif", "alpha.webp", "deep.png")
    ]
    said = linewise("predict", run, *files, photographs / "truck" / "001.jpg", "--json")
    assert said.code == 0, said.err
    answers = json.loads(said.out)
    assert [answer["path"] for answer in answers] == [str(f) for f in (*files, photographs / "truck" / "001.jpg")]
    for answer in answers:
        assert {likely["name"] for likely in answer["top"]} == set(CLASSES)
        assert sum(likely["probability"] for likely in answer["top"]) == pytest.approx(1, abs=1e-5)
    grey, deep = (np.array([likely["probability"] for likely in answers[i]["top"]]) for i in (0, 4))
    np.testing.assert_allclose(grey, deep, atol=1e-4)  # 16 bits or 8: the same picture

    said = linewise("evaluate", run, "--data", photographs, "--split", "validation", "--json")
    assert said.code == 0, said.err
    record = json.loads((run / "run.json").read_text())
    assert json.loads(said.out)["accuracy"] == record["validation_accuracy"]
