"""From a plan to the bytes of an ONNX file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from linewise.export.card import IR_VERSION, OPSET
from linewise.export.forms import Plan
from linewise.export.opening import IMAGES, MOST_BYTES
from linewise.export.runtime import runtime
from linewise.foundations.errors import ConfigError, missing_extra

NOISY = (
    "torch.onnx",
    "torch.onnx._internal.exporter._registration",
    "torch.export",
    "torch.__trace",  # writes down every step where anybody listens, which takes longer than the steps
    "onnxscript",
    "onnx_ir",
)


def write_graph(plan: Plan) -> Any:
    """The model as an `onnx.ModelProto`: opset and IR version as stated, no paths or source lines of this machine.

    Raises:
        ConfigError: a package is missing or too old, or the network has a part that cannot be written.
    """
    _require()
    names, examples = list(plan.inputs), tuple(plan.inputs.values())
    batch = torch.export.Dim("batch")
    shapes: list[dict[int, Any]] = [{0: batch} for _ in examples]
    if plan.any_size:
        multiple = plan.any_size.multiple
        for axis, name in ((2, "height"), (3, "width")):
            side = torch.export.Dim(name)
            shapes[0][axis] = side if multiple == 1 else multiple * side
    single = names == [IMAGES]
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                plan.module.eval(),
                examples if single else (examples,),
                dynamo=True,
                dynamic_shapes=tuple(shapes) if single else (tuple(shapes),),
                input_names=names,
                output_names=plan.outputs,
                opset_version=OPSET,
                verbose=False,
            )
    except Exception as error:  # torch's own exporter errors, and whatever its tracer stumbles upon
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise ConfigError(
            f"torch {torch.__version__} cannot write this network as ONNX ({reason})",
            expected="a network made of parts that ONNX has",
            mend="tell us with the model.json of the run",
        ) from error
    assert program is not None
    model = program.model_proto
    _tidy(model, plan)
    if model.ByteSize() > MOST_BYTES - (1 << 20):
        raise ConfigError("the file would be larger than 2 GiB", expected="a smaller network, as ONNX has it")
    return model


def _require() -> None:
    runtime("`linewise export`")
    for package in ("onnx", "onnxscript"):
        try:
            __import__(package)
        except ImportError:
            raise missing_extra(package, "onnx", "`linewise export`") from None
    if not hasattr(torch.onnx, "ops"):
        raise ConfigError(
            f"torch {torch.__version__} cannot write recurrent operators",
            where="linewise export",
            expected="torch 2.8 or later",
            mend="pip install --upgrade torch",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own insides and of torchvision; what goes wrong is raised."""
    loggers = [logging.getLogger(name) for name in NOISY]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _tidy(model: Any, plan: Plan) -> None:
    """Names of sizes that may vary; and nothing of where and when it was written."""
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "linewise", ""
    model.doc_string = ""
    del model.metadata_props[:]
    graph = model.graph
    graph.name, graph.doc_string = "linewise", ""
    for part in (graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    del graph.value_info[:]
    for value in graph.input:
        sides = value.type.tensor_type.shape.dim
        sides[0].dim_param = "batch"
        if plan.any_size:
            sides[2].dim_param, sides[3].dim_param = "height", "width"
    for value in graph.output:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
