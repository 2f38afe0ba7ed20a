"""`linewise export`: what it prints, writes and refuses."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import caches
from linewise.export import exporting, parity
from linewise.export.exporting import check, export_run, label_of
from linewise.export.forms import plan
from linewise.export.onnx_model import load_onnx
from linewise.export.parity import apart
from linewise.export.pictures import NOISE, NUMBER, Pictures, pictures
from linewise.foundations.errors import ConfigError, LinewiseError
from linewise.images import load
from linewise.images.preprocessing import Preprocessing
from tiny_exports import images, saved_as, small


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `linewise train` on the digits, one epoch of a small LSTM."""
    from linewise.__main__ import main

    folder = tmp_path_factory.mktemp("export") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINEWISE_CACHE", str(caches.begin(tmp_path_factory)))
        words = ["linewise", "train", "digits", "--model", "lstm:hidden=8", "--epochs", "1", "--out", str(folder)]
        patch.setattr("sys.argv", words)
        with contextlib.suppress(SystemExit):
            main()
    return folder


def test_exports_a_trained_run(trained: Path, linewise: Callable) -> None:
    said = linewise("export", trained)
    assert said.code == 0, said.err
    assert said.err == ""
    first, into, out, compared, cases, numbers = said.out.splitlines()
    path = trained / "model.onnx"
    assert first.startswith(f"{path}: {path.stat().st_size:,} bytes, 9 operators, opset 20, IR version 10, ")
    assert (into, out) == ("  in:  images batch×1×8×8", "  out: logits batch×10")
    assert compared == f"compared with torch on {NUMBER} validation images of digits and {NOISE} of noise:"
    assert cases == "  batches of 1, 2, 7 and 32; sizes 8×8"
    assert numbers.startswith("  420 numbers, largest difference ")
    model = load_onnx(path)
    validation = load("digits").validation
    right = (model.probabilities(validation.images_NHWC).argmax(1) == validation.labels_N).mean()
    record = json.loads((trained / "run.json").read_text())
    assert right == pytest.approx(record["validation_accuracy"], abs=0.004)  # one image of 288
    assert model.label == label_of(trained, exporting.load_model(trained)) == record["model"]["label"]
    assert not list(trained.glob(".*partial"))


def test_other_forms_have_other_names(trained: Path, linewise: Callable, tmp_path: Path) -> None:
    found = json.loads(linewise("export", trained, "--steps", "--json").out)
    assert found["path"] == str(trained / "model-steps.onnx")
    assert found["outputs"] == {
        "logits": ["batch", 10], "step_logits": ["batch", 8, 10], "states": ["batch", 8, 8],
    }  # fmt: skip
    said = linewise("export", trained, "--row-by-row", "--out", tmp_path / "deep" / "rows.onnx")
    assert "1 to 16 steps" in said.out
    assert (tmp_path / "deep" / "rows.onnx").is_file()


def test_two_forms_at_once_are_refused(trained: Path, linewise: Callable) -> None:
    said = linewise("export", trained, "--steps", "--row-by-row")
    assert (said.code, said.out) == (2, "")
    assert "--steps and --row-by-row are two forms" in said.err
    said = linewise("export", trained, "--format", "onxn")
    assert said.code == 2
    assert "did you mean 'onnx'?" in said.err
    assert linewise("export", trained, "--row-by-row", "--fixed-size").code == 2


def test_places_that_cannot_be_written(trained: Path, linewise: Callable, tmp_path: Path) -> None:
    said = linewise("export", trained, "--out", tmp_path)
    assert said.code == 2
    assert f"{tmp_path}: a folder" in said.err
    (tmp_path / "file").write_text("x")
    said = linewise("export", trained, "--out", tmp_path / "file" / "m.onnx")
    assert said.code == 2
    assert "cannot be written" in said.err
    assert linewise("export", tmp_path / "nothing").code == 3


def test_a_full_disk_is_told_as_one(
    trained: Path, linewise: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(exporting, "replace_file", full)
    said = linewise("export", trained, "--out", tmp_path / "m.onnx")
    assert said.code == 4
    assert f"error: {tmp_path / 'm.onnx'}: No space left on device (" in said.err
    assert said.err.endswith(" MB are free)\n  to mend:  make room; then the same command again\n")


def test_a_mismatch_refuses_the_file(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Other weights in the graph than in torch: nothing is written, and what was there stays."""
    out = tmp_path / "m.onnx"
    out.write_bytes(b"as it was")

    def other(network, form, **options):
        prepared = plan(network, form, **options)
        with torch.no_grad():
            prepared.module.network.head.bias[3] += 0.01
        return prepared

    monkeypatch.setattr(exporting, "plan", other)
    for form in ("image", "steps", "row-by-row"):
        with pytest.raises(
            LinewiseError, match=r"ONNX Runtime and torch differ by .* in logits \(1 images of 8×8"
        ) as caught:
            export_run(trained, out, form=form)
        assert "nothing was written" in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    assert out.read_bytes() == b"as it was"


def test_a_mismatch_at_another_size_only_is_noticed() -> None:
    """A network that forgets the rows it was not made for."""
    saved = small("cnn")
    prepared = plan(saved.network, "image")
    inner = prepared.module.network

    class Short(torch.nn.Module):
        def forward(self, images):
            return inner(images[:, :, :8, :])

    object.__setattr__(prepared, "module", Short())
    with pytest.raises(LinewiseError, match="3 images of 9×8"):
        check(saved, prepared, Pictures(images(saved), "noise"), label="x")


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_no_match(broken: float) -> None:
    right = np.array([1.0, 2.0], np.float32)
    wrong = np.array([1.0, broken], np.float32)
    assert apart(wrong, right) == apart(right, wrong) == apart(wrong, wrong) == float("inf")
    assert apart(right, right[:1]) == float("inf")
    assert apart(right * 1e-9, right * 0) == pytest.approx(2e-9)
    assert apart(np.array([1000.0, 1.0]), np.array([1000.0, 1.1])) == pytest.approx(1e-4)


def test_every_case_of_the_docs_is_compared() -> None:
    saved = small("cnn")
    seen = []
    model = check(saved, plan(saved.network, "image"), Pictures(images(saved), "noise"), label="x").model
    for case, name, ours, torchs in parity._whole(saved.network, model, images(saved)):
        assert ours.shape == torchs.shape == (case.batch, 3)
        seen.append((name, case.batch, case.size))
    assert seen == [
        *(("logits", batch, (8, 8)) for batch in (1, 2, 7, 32)),
        *(("logits", 3, size) for size in ((9, 8), (8, 10), (16, 16))),
    ]


def test_pictures_of_the_run_or_digits(trained: Path, tmp_path: Path) -> None:
    from linewise.models.saved import load_model

    saved = load_model(trained)
    own = pictures(trained, saved, None)
    assert own.missing == ""
    validation = {image.tobytes() for image in load("digits").validation.images_NHWC}
    assert sum(image.tobytes() in validation for image in own.images_NHWC) >= NUMBER
    assert not (trained / "openings.jsonl").exists()  # the test images stay sealed
    colour = saved_as(small("cnn", channels=3).network, tmp_path / "colour")
    other = pictures(tmp_path / "colour", colour, None)
    assert other.text == f"{NUMBER} of scikit-learn's digits and {NOISE} of noise"
    assert other.missing == "--data: it was trained on arrays"
    assert other.images_NHWC.shape == (NUMBER + NOISE, 8, 8, 3)
    assert other.images_NHWC.dtype == np.uint8
    Preprocessing.model_validate(colour.card.preprocessing).normalise(other.images_NHWC)


def test_an_old_torch_is_told(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.onnx, "ops")
    with pytest.raises(ConfigError, match=r"torch 2\.8 or later"):
        export_run(trained, os.devnull)


def test_two_exports_are_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_run(trained, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
