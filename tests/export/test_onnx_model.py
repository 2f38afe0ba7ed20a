"""Files that are answered with, and files that are refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from linewise.export.card import PREFIX, OnnxCard
from linewise.export.onnx_model import OnnxModel, load_onnx
from linewise.export.wire import outline
from linewise.foundations.errors import SavedModelError
from linewise.images.answering import Answerer
from tiny_exports import CLASSES, exported, images, lstm, small


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def changed(change: Callable[[onnx.ModelProto], object], *, sealed: bool = True, form: str = "image") -> bytes:
    """The LSTM's file after a change; `sealed`: with the checksum of what came of it, as a forger would."""
    model = onnx.load_from_string(lstm(form)[1].data)  # type: ignore[arg-type]
    change(model)
    if sealed:
        put("graph_sha256", outline(model.SerializeToString()).graph_sha256)(model)
    return model.SerializeToString()


def put(name: str, text: str | None) -> Callable[[onnx.ModelProto], None]:
    """Change an entry of the metadata, or take it away."""

    def change(model: onnx.ModelProto) -> None:
        kept = [(e.key, e.value) for e in model.metadata_props if e.key != PREFIX + name]
        del model.metadata_props[:]
        for key, value in [*kept, *([(PREFIX + name, text)] if text is not None else [])]:
            model.metadata_props.add(key=key, value=value)

    return change


def test_answers_like_the_network_it_came_from(tmp_path: Path) -> None:
    saved, found = lstm()
    model = load_onnx(write(tmp_path / "m.onnx", found.data))
    answerer: Answerer = model
    assert answerer.label == "a-label"
    assert answerer.class_names == CLASSES
    assert answerer.preprocessing.model_dump() == saved.card.preprocessing
    images_NHWC = images(saved, 600)  # more than a batch
    rows = answerer.probabilities(images_NHWC)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-5)
    from linewise.study.prediction import answers_of

    np.testing.assert_allclose(rows, answers_of(saved, images_NHWC), atol=1e-5)
    assert model.probabilities(images_NHWC[:0]).shape == (0, 3)


def test_metadata_say_all_it_takes() -> None:
    """What another program needs, read without Linewise."""
    saved, found = lstm()
    model = onnx.load_from_string(found.data)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["linewise.format"] == "linewise-onnx"
    assert told["linewise.format_version"] == "1"
    assert json.loads(told["linewise.class_names"]) == CLASSES
    assert json.loads(told["linewise.preprocessing"]) == {
        "height": 8, "width": 8, "channels": 1, "fit": "letterbox", "mean": [0.4], "std": [0.3],
    }  # fmt: skip
    assert told["linewise.weights_sha256"] == saved.card.sha256
    assert told["linewise.label"] == "a-label"
    assert told["linewise.network"] == "lstm"
    assert set(told) == {PREFIX + name for name in OnnxCard.model_fields}
    text = found.data.decode("latin-1")
    assert not re.search(r"/(home|work|tmp|root|usr)/|\.py\b", text), "paths of the machine that wrote it"


def test_row_by_row_reads_what_the_card_says(tmp_path: Path) -> None:
    """The loop of the docs: pixels picked by `order`, states handed on."""
    saved, found = lstm("row-by-row")
    card = found.model.card
    images_NHWC = images(saved, 3)
    x_BCHW = found.model.preprocessing.normalise(images_NHWC)
    assert card.readers[0].order == np.arange(64).reshape(8, 8).tolist()
    states = {s.input: np.full((3, *s.shape), float(s.start), np.float32) for s in card.states}
    out: dict[str, np.ndarray] = {}
    for t in range(8):
        out = found.model.run({"step": x_BCHW[:, 0, t], **states})
        states = {s.input: out[s.output] for s in card.states}
    whole = lstm()[1].model.logits(images_NHWC)
    np.testing.assert_allclose(out["logits"], whole, atol=1e-5)


SCRIPT = """
import sys
sys.modules["torch"] = None  # importing it raises
from linewise.export.onnx_model import load_onnx
from linewise.images import read_image
model = load_onnx(sys.argv[1])
print([model.class_names[k] for k in model.probabilities(read_image(sys.argv[2], model.preprocessing)[None]).argmax(1)])
for package in ("onnx", "onnxscript", "sklearn", "linewise.models", "linewise.training"):
    assert package not in sys.modules, package
"""


def test_answers_without_torch(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(images(lstm()[0])[0, :, :, 0]).save(tmp_path / "i.png")
    for form in ("image", "row-by-row"):
        path = write(tmp_path / f"{form}.onnx", lstm(form)[1].data)
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(path), str(tmp_path / "i.png")],
            capture_output=True, text=True, check=False, env={**os.environ, "PYTHONIOENCODING": "utf-8"}, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() in {f"[{name!r}]" for name in CLASSES}


def test_without_onnxruntime_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from linewise.foundations.errors import ConfigError

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=re.escape("pip install 'linewise[onnx]'")):
        load_onnx(write(tmp_path / "m.onnx", lstm()[1].data))


def test_onnx_runtime_does_not_report_home(tmp_path: Path) -> None:
    """Left alone, it keeps its events in a database in the home folder until it can send them."""
    path = write(tmp_path / "m.onnx", lstm()[1].data)
    code = "import sys, numpy as np; from linewise.export.onnx_model import load_onnx\n"
    code += "load_onnx(sys.argv[1]).probabilities(np.zeros((1, 8, 8, 1), np.uint8))"
    home = tmp_path / "home"
    home.mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    environment |= {"HOME": str(home), "TMPDIR": str(home)}
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, env=environment)
    assert not list(home.rglob("*onnxruntime*"))


def outside(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    size = len(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../etc/passwd"), ("offset", "0"), ("length", str(size))):
        weight.external_data.add(key=key, value=value)


def loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "b", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], [], body=body))


def rename_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "pixels"
    for node in model.graph.node:
        node.input[:] = ["pixels" if name == "images" else name for name in node.input]


def flip(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.raw_data = bytes([weight.raw_data[0] ^ 1]) + weight.raw_data[1:]


def nan(model: onnx.ModelProto) -> None:
    for weight in model.graph.initializer:
        if weight.name.endswith("head.bias"):
            weight.raw_data = np.full(3, np.nan, np.float32).tobytes()


def preprocessing(**other: object) -> str:
    return json.dumps({**lstm()[0].card.preprocessing, **other})


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not an ONNX file: there is no graph in it"),
    "text": (lambda: b"This is no model.\n", "not an ONNX file, or not all of it"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "not an ONNX file, or not all of it"),
    "pickle": (lambda: b"\x80\x04\x95\x0b\x00\x00\x00", "not an ONNX file"),
    "cut in the graph": (lambda: lstm()[1].data[:700], "it ends in the middle of a field"),
    "cut at the end": (lambda: lstm()[1].data[:-1], "it ends in the middle of a field"),
    "more behind": (lambda: lstm()[1].data + b"\x00", "a field without a number"),
    "external data": (lambda: changed(outside), "numbers of 1 tensors are in other files (external data)"),
    "a flipped bit": (lambda: changed(flip, sealed=False), "the checksum differs"),
    "not a number": (lambda: changed(nan), "its answer is not a number"),
    "made by others": (
        lambda: changed(lambda m: m.ClearField("metadata_props"), sealed=False),
        "not made by Linewise: it has no Linewise metadata",
    ),
    "another format": (lambda: changed(put("format", "onnx-zoo")), "its linewise.format is 'onnx-zoo'"),
    "newer": (lambda: changed(put("format_version", "2")), "format version 2"),
    "no classes": (lambda: changed(put("class_names", None)), "its metadata lack linewise.class_names"),
    "not JSON": (lambda: changed(put("class_names", "[a")), "linewise.class_names = '[a'"),
    "deep JSON": (lambda: changed(put("class_names", "[" * 100_000)), "linewise.class_names = '[[["),
    "too few classes": (lambda: changed(put("class_names", '["a", "b"]')), "its graph has the outputs logits"),
    "a class that hides": (lambda: changed(put("class_names", '["a", "b", "\\u001b[2J"]')), "class_names = "),
    "a label that turns": (lambda: changed(put("label", "a\u202ebc")), "label = "),
    "another height": (lambda: changed(put("preprocessing", preprocessing(height=9))), "its graph has the inputs"),
    "three channels": (
        lambda: changed(put("preprocessing", preprocessing(channels=3, mean=[0.1] * 3, std=[0.1] * 3))),
        "its graph has the inputs",
    ),
    "a huge image": (lambda: changed(put("preprocessing", preprocessing(height=10**9))), "67,108,864 pixels"),
    "std of nought": (lambda: changed(put("preprocessing", preprocessing(std=[0.0]))), "preprocessing"),
    "mean of NaN": (lambda: changed(put("preprocessing", preprocessing(mean=[float("nan")]))), "preprocessing.mean"),
    "another form": (lambda: changed(put("form", "row-by-row")), "readers in the form row-by-row"),
    "no such form": (lambda: changed(put("form", "audio")), "form = 'audio'"),
    "any size": (lambda: changed(put("any_size", '{"multiple": 1}')), "its graph has the inputs"),
    "a loop": (lambda: changed(loop), "it holds 'Loop' with a graph inside"),
    "another input": (lambda: changed(rename_input), "its graph has the inputs pixels tensor(float)"),
    "newer IR": (lambda: changed(lambda m: setattr(m, "ir_version", 99)), "IR version 99, opset 20"),
    "newer opset": (
        lambda: changed(lambda m: setattr(m.opset_import[0], "version", 21)),
        "IR version 10, opset 21",
    ),
    "other operators": (
        lambda: changed(lambda m: m.opset_import.append(helper.make_opsetid("com.evil\x1b", 1))),
        "'com.evil\\x1b' 1",
    ),
    "broken graph": (
        lambda: changed(lambda m: setattr(m.graph.node[0], "op_type", "Nonsense\x1b")),
        "cannot open it",
    ),
    "too much metadata": (lambda: changed(put("checked", "x" * (17 << 20))), "more than 16 MiB of metadata"),
    "order outside the image": (
        lambda: changed(put("readers", '[{"input": "step", "order": [[0, 1, 2, 3, 4, 5, 6, 64]]}]'), form="row-by-row"),
        "pixels from -1 to 63",
    ),
    "steps of two widths": (
        lambda: changed(put("readers", '[{"input": "step", "order": [[0], [0, 1]]}]'), form="row-by-row"),
        "equally many pixels",
    ),
    "states that are not there": (
        lambda: changed(put("states", '[{"input": "a", "output": "b", "shape": [4], "start": 0}]'), form="row-by-row"),
        "its graph has the inputs step",
    ),
    "a state of another width": (
        lambda: changed(
            put("states", '[{"input": "state_0", "output": "next_state_0", "shape": [5], "start": 0}]'), form="row-by-row"
        ),
        "its graph has the inputs step",
    ),
}  # fmt: skip


def test_the_helper_leaves_a_good_file_good(tmp_path: Path) -> None:
    load_onnx(write(tmp_path / "m.onnx", changed(lambda model: None)))


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    make, reason = REFUSED[case]
    path = write(tmp_path / "m.onnx", make())
    with pytest.raises(SavedModelError) as caught:
        load_onnx(path).probabilities(images(lstm()[0], 1))
    said = str(caught.value)
    assert reason in said, said
    assert str(path) in said
    assert caught.value.exit_code == 3
    assert len(said) < 1500
    assert all(c.isprintable() or c in "\n" for c in said), "what a file says reaches the terminal as it is"


def test_no_metadata_at_all(tmp_path: Path) -> None:
    data = changed(lambda m: m.ClearField("metadata_props"), sealed=False)
    with pytest.raises(SavedModelError) as caught:
        load_onnx(write(tmp_path / "m.onnx", data))
    assert str(caught.value) == (
        f"{tmp_path / 'm.onnx'}: not made by Linewise: it has no Linewise metadata\n"
        "  expected: metadata_props with linewise.format = linewise-onnx and what it describes\n"
        "  to mend:  make it with `linewise export RUN`"
    )


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SavedModelError, match="no such file"):
        load_onnx(tmp_path / "missing.onnx")
    with pytest.raises(SavedModelError, match="a folder"):
        load_onnx(tmp_path)
    with pytest.raises(SavedModelError, match="not a file"):
        load_onnx("/dev/null")
    with pytest.raises(SavedModelError, match="cannot be read"):
        load_onnx(str(tmp_path) + "\0.onnx")
    huge = tmp_path / "huge.onnx"
    with huge.open("wb") as file:
        file.truncate(3 << 30)  # no blocks on disk
    with pytest.raises(SavedModelError, match="3,221,225,472 bytes"):
        load_onnx(huge)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SavedModelError, match="not a file"):
        load_onnx(tmp_path / "pipe")


def test_damage_anywhere_is_refused(tmp_path: Path) -> None:
    """A bit flipped at 200 places of the file: refused, or in an entry that says something else of no consequence."""
    data, rng = lstm()[1].data, np.random.default_rng(0)
    good = load_onnx(write(tmp_path / "m.onnx", data)).card
    survived = 0
    for at in rng.integers(0, len(data), 200):
        bad = bytearray(data)
        bad[at] ^= 1 << int(rng.integers(8))
        try:
            model = load_onnx(write(tmp_path / "m.onnx", bytes(bad)))
        except SavedModelError:
            continue
        survived += 1
        assert isinstance(model, OnnxModel)
        assert model.card.graph_sha256 == good.graph_sha256
    assert survived < 40  # texts of the metadata, such as the version or a class's name


def test_images_that_are_not_prepared_are_our_mistake() -> None:
    model = lstm()[1].model
    with pytest.raises(ValueError, match="images are float32"):
        model.probabilities(np.zeros((1, 8, 8, 1), np.float32))
    with pytest.raises(SavedModelError, match="cannot be computed"):
        model.probabilities(np.zeros((1, 9, 8, 1), np.uint8))


def test_a_colour_network_of_any_size_is_answered_at_its_own(tmp_path: Path) -> None:
    saved = small("cnn", channels=3)
    model = load_onnx(write(tmp_path / "m.onnx", exported(saved).data), threads=1)
    from linewise.study.prediction import answers_of

    np.testing.assert_allclose(
        model.probabilities(images(saved, 9)), answers_of(saved, images(saved, 9)), atol=1e-5
    )
