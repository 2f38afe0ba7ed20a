"""What an ONNX file says of itself, read before anything is given to a runtime.

ONNX is one protobuf message. Its outermost fields are enough to know who made it, whether it is whole, and whether
it names other files; reading them needs no library, and no number is copied. Field numbers are `onnx.proto`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

MOST_NODES = 1_000_000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@final
@dataclass
class Outline:
    """What is found in a model.

    Attributes:
        opsets: version by domain; "" is ONNX itself.
        metadata: `metadata_props`.
        beside: tensors whose numbers are in another file.
        inner: operators that hold a graph of their own, such as Loop.
        extras: parts that Linewise never writes: functions, training graphs.
        graph_sha256: of the bytes of the graph; empty where there is none.
    """

    ir_version: int = 0
    opsets: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    beside: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    graph_sha256: str = ""


def outline(data: bytes) -> Outline:
    """Read the outline of a model.

    Raises:
        ValueError: these bytes are no such message, or not all of it.
    """
    found = Outline()
    view = memoryview(data)
    for number, value in _fields(view):
        if number == 1 and isinstance(value, int):
            found.ir_version = value
        elif number == 7 and isinstance(value, memoryview):
            if found.graph_sha256:
                raise ValueError("two graphs in one file")
            found.graph_sha256 = hashlib.sha256(value).hexdigest()
            _graph(value, found)
        elif number == 8 and isinstance(value, memoryview):
            opset = dict(_fields(value))
            found.opsets[_text(opset.get(1))] = _number(opset.get(2))
        elif number == 14 and isinstance(value, memoryview):
            entry = dict(_fields(value))
            key = _text(entry.get(1))
            if key in found.metadata:
                raise ValueError(f"{key[:60]!r} twice in its metadata")
            found.metadata[key] = _text(entry.get(2))
        elif number in (20, 25):
            found.extras.append("a training graph" if number == 20 else "functions of its own")
    return found


def _graph(graph: memoryview, found: Outline) -> None:
    nodes = 0
    for number, value in _fields(graph):
        if not isinstance(value, memoryview):
            continue
        if number == 1:
            nodes += 1
            if nodes > MOST_NODES:
                raise ValueError(f"more than {MOST_NODES:,} operators")
            _node(value, found)
        elif number == 5:
            _tensor(value, found)
        elif number == 15:
            _sparse(value, found)


def _node(node: memoryview, found: Outline) -> None:
    name = ""
    for number, value in _fields(node):
        if not isinstance(value, memoryview):
            continue
        if number == 4:
            name = _text(value)
        if number != 5:
            continue
        for inside, part in _fields(value):
            if not isinstance(part, memoryview):
                continue
            if inside in (5, 10):
                _tensor(part, found)
            elif inside in (22, 23):
                _sparse(part, found)
            elif inside in (6, 11):
                found.inner.append(name or "an operator")


def _sparse(sparse: memoryview, found: Outline) -> None:
    for number, value in _fields(sparse):
        if number in (1, 2) and isinstance(value, memoryview):
            _tensor(value, found)


def _tensor(tensor: memoryview, found: Outline) -> None:
    name, outside = "", False
    for number, value in _fields(tensor):
        if number == 8:
            name = _text(value)
        elif number == 13 or (number == 14 and value != 0):
            outside = True
    if outside:
        found.beside.append(name or "a tensor")


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message; what is longer than a number is a view of its bytes."""
    at, end = 0, len(view)
    while at < end:
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("a field without a number")
        if kind == _VARINT:
            value, at = _varint(view, at)
            yield number, value
            continue
        size = {_FIXED64: 8, _FIXED32: 4}.get(kind)
        if kind == _BYTES:
            size, at = _varint(view, at)
        if size is None:
            raise ValueError(f"a field of kind {kind}")
        if size > end - at:
            raise ValueError("it ends in the middle of a field")
        yield number, view[at : at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            raise ValueError("it ends in the middle of a number")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than 64 bits")


def _text(value: int | memoryview | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        raise ValueError("a number in place of a text")
    return bytes(value).decode("utf-8")  # UnicodeDecodeError is a ValueError


def _number(value: int | memoryview | None) -> int:
    if not isinstance(value, int):
        raise ValueError("no number where one belongs")
    return value
