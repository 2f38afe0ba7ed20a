"""`linewise export`: a run's network as an ONNX file that was compared with torch before it was written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from linewise.export.card import FORMS, IR_VERSION, OPSET, Form, OnnxCard
from linewise.export.forms import Plan, plan
from linewise.export.graph import write_graph
from linewise.export.onnx_model import OnnxModel, open_onnx
from linewise.export.opening import described
from linewise.export.parity import TOLERANCE, Parity, compare
from linewise.export.pictures import Pictures, pictures
from linewise.export.wire import outline
from linewise.foundations.atomic import replace_file
from linewise.foundations.disk import FULL, disk_error
from linewise.foundations.errors import ConfigError, LinewiseError, unknown_name
from linewise.foundations.records import Record, RunRecord
from linewise.foundations.version import version
from linewise.images.preprocessing import Preprocessing
from linewise.models.saved import Saved, load_model

FILES: dict[Form, str] = {
    "image": "model.onnx",
    "steps": "model-steps.onnx",
    "row-by-row": "model-row-by-row.onnx",
}


class Exported(Record):
    """What was written.

    Attributes:
        bytes: of the file.
        operators: in its graph.
        inputs, outputs: their shapes by name; sizes that may vary are names.
        images: on what it was compared with torch.
        missing: why not on the run's own images; empty where it was.
        difference: the largest found, as a share of the largest number.
        seconds: all of it took.
    """

    path: str
    form: Form
    opset: int
    ir_version: int
    bytes: int
    operators: int
    inputs: dict[str, list[int | str]]
    outputs: dict[str, list[int | str]]
    images: str
    missing: str
    batches: list[int]
    sizes: list[tuple[int, int]]
    steps: list[int]
    numbers: int
    difference: float
    tolerance: float
    seconds: float


@final
@dataclass(frozen=True)
class Checked:
    """A file in memory that answers as torch does.

    Attributes:
        data: its bytes.
        model: the same, opened.
        operators: in its graph.
    """

    data: bytes
    model: OnnxModel
    operators: int
    parity: Parity


def export_run(
    run: str | Path,
    out: str | Path | None = None,
    *,
    form: Form = "image",
    fixed_size: bool = False,
    data_dir: Path | None = None,
) -> Exported:
    """Write a run's network as ONNX.

    Args:
        run: a run's folder.
        out: the file; by default in the run's folder, named by the form.
        form: `image` (images in, logits out), `steps` (the answer and the state after each step as well) or
            `row-by-row` (one step in, states in and out).
        fixed_size: height and width are fixed even where the network takes any.
        data_dir: where named data sets lie.

    Raises:
        SavedModelError: the run cannot be loaded. ConfigError: it has no such form, a package is missing, or the
            file cannot be written. DiskError: the disk is full. LinewiseError: it does not answer as torch does;
            nothing is written.
    """
    began = time.perf_counter()
    if form not in FORMS:
        raise unknown_name("form", form, FORMS)
    run = Path(run)
    saved = load_model(run)
    path = Path(out) if out is not None else run / FILES[form]
    if path.is_dir():
        raise ConfigError("a folder", where=str(path), expected="the name of a file")
    prepared = plan(saved.network, form, fixed_size=fixed_size)
    shown = pictures(run, saved, data_dir)
    checked = check(saved, prepared, shown, label=label_of(run, saved))
    try:
        with replace_file(path) as file:
            file.write(checked.data)
    except OSError as error:
        if error.errno in FULL:
            raise disk_error(error, path.parent, "then the same command again") from None
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(path)) from None
    session, parity = checked.model.session, checked.parity
    return Exported(
        path=str(path),
        form=form,
        opset=OPSET,
        ir_version=IR_VERSION,
        bytes=len(checked.data),
        operators=checked.operators,
        inputs={part.name: list(part.shape) for part in session.get_inputs()},
        outputs={part.name: list(part.shape) for part in session.get_outputs()},
        images=shown.text,
        missing=shown.missing,
        batches=list(parity.batches),
        sizes=list(parity.sizes),
        steps=list(parity.steps),
        numbers=parity.numbers,
        difference=parity.difference,
        tolerance=TOLERANCE,
        seconds=time.perf_counter() - began,
    )


def check(saved: Saved, prepared: Plan, shown: Pictures, *, label: str) -> Checked:
    """Write a network into memory, open that with ONNX Runtime as a user would, and compare its answers.

    Raises:
        LinewiseError: they differ, or it cannot be written.
    """
    proto = write_graph(prepared)
    card = OnnxCard(
        linewise_version=version(),
        label=label,
        network=saved.card.network.name,
        form=prepared.form,
        class_names=saved.card.class_names,
        preprocessing=Preprocessing.model_validate(saved.card.preprocessing),
        any_size=prepared.any_size,
        readers=prepared.readers,
        states=prepared.states,
        weights_sha256=saved.card.sha256,
        graph_sha256=outline(proto.SerializeToString()).graph_sha256,
        checked="not yet",
    )
    model = open_onnx(_with_card(proto, card), Path("the new file"))
    parity = compare(saved.network, model, shown.images_NHWC)
    said = (
        f"{shown.text}: {parity.numbers} numbers, largest difference {parity.difference:.2g} of the largest number"
    )
    card = card.model_copy(update={"checked": said})
    data = _with_card(proto, card)
    described(data, "the new file")
    return Checked(data, OnnxModel(Path("the new file"), card, model.session), len(proto.graph.node), parity)


def _with_card(proto: Any, card: OnnxCard) -> bytes:
    del proto.metadata_props[:]
    for name, text in card.entries().items():
        proto.metadata_props.add(key=name, value=text)
    return proto.SerializeToString()


def label_of(run: Path, saved: Saved) -> str:
    """What the network was called in its study; its registered name where the run does not say."""
    try:
        return RunRecord.load(run / "run.json").model.label
    except LinewiseError:
        return saved.card.network.name
