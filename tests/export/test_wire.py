"""The outline of ONNX files, against the onnx package, and against damage."""

from __future__ import annotations

import contextlib
import hashlib

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from linewise.export.wire import outline
from tiny_exports import lstm


def test_says_what_the_onnx_package_reads() -> None:
    data = lstm()[1].data
    model = onnx.load_from_string(data)
    found = outline(data)
    assert found.ir_version == model.ir_version == 10
    assert found.opsets == {entry.domain: entry.version for entry in model.opset_import} == {"": 20}
    assert found.metadata == {entry.key: entry.value for entry in model.metadata_props}
    assert found.graph_sha256 == hashlib.sha256(model.graph.SerializeToString()).hexdigest()
    assert (found.beside, found.inner, found.extras) == ([], [], [])


def outside(name: str, location: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def model_with(*nodes: onnx.NodeProto, initializers: tuple[TensorProto, ...] = ()) -> onnx.ModelProto:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    graph = helper.make_graph(list(nodes), "g", [value], [value], list(initializers))
    return helper.make_model(graph)


def test_finds_numbers_in_other_files_wherever_they_are() -> None:
    constant = helper.make_node("Constant", [], ["c"], value=outside("in a node", "/etc/passwd"))
    listed = helper.make_node("Custom", [], ["d"])
    listed.attribute.add(name="many", type=onnx.AttributeProto.TENSORS).tensors.append(outside("in a list", "x"))
    sparse = onnx.SparseTensorProto(values=outside("sparse", "../x"), indices=outside("indices", "x"), dims=[4])
    model = model_with(constant, listed, initializers=(outside("a weight", "weights.bin"),))
    model.graph.sparse_initializer.append(sparse)
    held = helper.make_node("Constant", [], ["e"], sparse_value=sparse)
    model.graph.node.append(held)
    assert sorted(outline(model.SerializeToString()).beside) == sorted(
        ["in a node", "in a list", "a weight", "sparse", "indices", "sparse", "indices"]
    )
    only_named = TensorProto(name="no flag", data_type=1, dims=[2], raw_data=bytes(8))
    only_named.external_data.add(key="location", value="x")
    only_flag = numpy_helper.from_array(np.zeros(2, np.float32), "flag alone")
    only_flag.data_location = TensorProto.EXTERNAL
    assert outline(model_with(initializers=(only_named, only_flag)).SerializeToString()).beside == [
        "no flag", "flag alone",
    ]  # fmt: skip


def test_finds_graphs_in_graphs_and_functions() -> None:
    body = model_with().graph
    loop = helper.make_node("Loop", ["", ""], ["y"], body=body)
    model = model_with(loop)
    model.functions.append(helper.make_function("own", "F", [], [], [], [helper.make_opsetid("", 20)]))
    found = outline(model.SerializeToString())
    assert found.inner == ["an operator"] or found.inner == ["Loop"]
    assert found.extras == ["functions of its own"]


def test_a_file_cut_off_anywhere_is_noticed_or_lacks_its_end() -> None:
    data = lstm()[1].data
    whole = outline(data)
    for end in range(0, len(data), 97):
        try:
            found = outline(data[:end])
        except ValueError:
            continue
        assert found.graph_sha256 in ("", whole.graph_sha256)
        assert len(found.metadata) < len(whole.metadata)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        outline(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff" * 12, "a number of more than 64 bits"),
        (b"\x3a\x05ab", "it ends in the middle of a field"),
        (b"\x08", "it ends in the middle of a number"),
        (b"\x3a\x00\x3a\x00", "two graphs in one file"),
        (b"\x03", "a field without a number"),
        (b"\x0b", "a field of kind 3"),
        (b"\x72\x04\x0a\x02\xff\xfe", "invalid start byte"),
        (b"\x72\x03\x0a\x01a" * 2, "'a' twice in its metadata"),
        (b"\x72\x02\x08\x01", "a number in place of a text"),
        (b"\x42\x02\x0a\x00", "no number where one belongs"),
    ],
)
def test_what_is_no_message_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        outline(data)
