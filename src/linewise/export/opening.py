"""What is refused before a file is answered with: all that is not whole, not ours, or not what it says it is.

A file that names other files is refused before any is opened; one that was cut off or changed, by the checksum of
its graph; one whose graph does not fit its metadata, by its inputs and outputs. What a graph computes is not
limited: one that was forged can still ask for much time and memory.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from linewise.export.card import IR_VERSION, OPSET, OnnxCard, read_card
from linewise.export.runtime import runtime
from linewise.export.wire import Outline, outline
from linewise.foundations.errors import SavedModelError

MOST_BYTES = (2 << 30) - 1
"""Protobuf's own limit."""
IMAGES, LOGITS, STEP_LOGITS = "images", "logits", "step_logits"
MAKE_IT = "make it with `linewise export RUN`"


def described(data: bytes, where: str) -> OnnxCard:
    """What a file says of itself, if it is whole and ours; no runtime is needed.

    Raises:
        SavedModelError: as of `load_onnx`.
    """
    found = _outline(data, where)
    card = read_card(found.metadata, where)
    _flat(found, where)
    if found.graph_sha256 != card.graph_sha256:
        raise SavedModelError(
            "the checksum differs: the graph was damaged or changed after it was exported",
            where=where,
            expected=f"SHA-256 {card.graph_sha256}",
            mend="copy the file again, or export it again",
        )
    return card


def read(path: Path) -> bytes:
    """All of a file.

    Raises:
        SavedModelError: there is none, or it is larger than ONNX can be.
    """
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise SavedModelError("a folder", where=str(path), expected="an ONNX file", mend=MAKE_IT)
        if not stat.S_ISREG(found.st_mode):
            raise SavedModelError("not a file", where=str(path), expected="an ONNX file")
        if found.st_size > MOST_BYTES:
            raise SavedModelError(
                f"{found.st_size:,} bytes", where=str(path), expected="at most 2 GiB, as ONNX has it"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise SavedModelError("no such file", where=str(path), expected="an ONNX file", mend=MAKE_IT) from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise SavedModelError(f"cannot be read ({getattr(error, 'strerror', error)})", where=str(path)) from None


def _outline(data: bytes, where: str) -> Outline:
    try:
        found = outline(data)
    except ValueError as error:
        raise SavedModelError(
            f"not an ONNX file, or not all of it ({error})", where=where, expected="an ONNX file", mend=MAKE_IT
        ) from None
    if not found.graph_sha256:
        raise SavedModelError("not an ONNX file: there is no graph in it", where=where, mend=MAKE_IT)
    if found.beside:
        raise SavedModelError(
            f"numbers of {len(found.beside)} tensors are in other files (external data), such as "
            f"{found.beside[0][:60]!r}",
            where=where,
            expected="one file that holds all; no other file is opened",
            mend=MAKE_IT,
        )
    return found


def _flat(found: Outline, where: str) -> None:
    """Refuse what Linewise never writes, and what is newer."""
    strange = [*found.extras, *(f"{name[:60]!r} with a graph inside" for name in found.inner)]
    if strange:
        raise SavedModelError(
            f"it holds {strange[0]}", where=where, expected="one flat graph, as Linewise writes it", mend=MAKE_IT
        )
    if found.ir_version > IR_VERSION or set(found.opsets) != {""} or found.opsets[""] > OPSET:
        named = ((repr(domain) if domain else "opset", version) for domain, version in found.opsets.items())
        versions = ", ".join(f"{domain} {version}" for domain, version in named)
        raise SavedModelError(
            f"IR version {found.ir_version}, {versions[:200]}",
            where=where,
            expected=f"at most IR version {IR_VERSION} and opset {OPSET} of ONNX alone",
            mend="pip install --upgrade linewise, or export it again",
        )


def start(data: bytes, where: str, threads: int) -> Any:
    """ONNX Runtime's session.

    Raises:
        SavedModelError: it refuses the graph. ConfigError: it is not installed.
    """
    onnxruntime = runtime("answering with an ONNX file")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said below, once
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no base but this
        raise SavedModelError(
            f"ONNX Runtime {onnxruntime.__version__} cannot open it ({line(error)})", where=where, mend=MAKE_IT
        ) from None


def fits(session: Any, card: OnnxCard, where: str) -> None:
    """Refuse a graph whose inputs and outputs are not those of its metadata."""
    pre, classes = card.preprocessing, len(card.class_names)
    outputs: dict[str, list[int | None]] = {LOGITS: [None, classes]}
    if card.form == "row-by-row":
        inputs: dict[str, list[int | None]] = {
            reader.input: [None, len(reader.order[0]) * pre.channels] for reader in card.readers
        }
        for state in card.states:
            inputs[state.input] = outputs[state.output] = [None, *state.shape]
    else:
        sides = [None, None] if card.any_size else [pre.height, pre.width]
        inputs = {IMAGES: [None, pre.channels, *sides]}
    for kind, wanted, found in (
        ("input", inputs, session.get_inputs()),
        ("output", outputs, session.get_outputs()),
    ):
        shapes = {part.name: part.shape for part in found if part.type == "tensor(float)"}
        told = {name: shapes.get(name) for name in wanted}
        extra = [part.name for part in found if part.name not in wanted] if kind == "input" else []
        for name, shape in wanted.items():
            if not _same(told[name], shape) or extra:
                has = ", ".join(f"{p.name[:60]} {p.type} {p.shape}" for p in found)[:300]
                raise SavedModelError(
                    f"its graph has the {kind}s {has}",
                    where=where,
                    expected=f"{name}, float, {_shown(shape)}, as its metadata say",
                    mend="export it again",
                )


def _same(found: list[Any] | None, wanted: list[int | None]) -> bool:
    """Sizes that may vary have a name in the graph; the others are numbers."""
    if found is None or len(found) != len(wanted):
        return False
    return all(
        isinstance(f, int) is (w is not None) and (w is None or f == w) for f, w in zip(found, wanted, strict=True)
    )


def _shown(shape: list[int | None]) -> str:
    return "×".join("any" if side is None else str(side) for side in shape)


def line(error: Exception) -> str:
    """One line of an error, in characters that show; it may quote the file."""
    text = " ".join(str(error).split())[:200]
    return "".join(c if c.isprintable() else "?" for c in text)
