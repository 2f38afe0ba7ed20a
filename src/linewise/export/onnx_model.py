"""A network from an ONNX file that `linewise export` wrote, answered by ONNX Runtime; torch is not needed.

The file is not trusted. It is refused where it names other files, is cut off or was changed, or its graph does not
fit what its metadata say. What a graph computes is not limited: one that was forged can still ask for much time and
memory.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from linewise.export.card import IR_VERSION, OPSET, OnnxCard, read_card
from linewise.export.wire import Outline, outline
from linewise.foundations.errors import SavedModelError, missing_extra
from linewise.images.preprocessing import Preprocessing

MOST_BYTES = (2 << 30) - 1
"""Protobuf's own limit."""
BATCH = 250
IMAGES, LOGITS, STEP_LOGITS = "images", "logits", "step_logits"
MAKE_IT = "make it with `linewise export RUN`"


@final
@dataclass(frozen=True)
class OnnxModel:
    """A network that answers by ONNX Runtime; an `images.answering.Answerer`.

    Attributes:
        path: the file.
        card: what it says of itself, checked.
        session: ONNX Runtime's.
    """

    path: Path
    card: OnnxCard
    session: Any

    @property
    def label(self) -> str:
        return self.card.label

    @property
    def class_names(self) -> list[str]:
        return self.card.class_names

    @property
    def preprocessing(self) -> Preprocessing:
        return self.card.preprocessing

    def probabilities(self, images_NHWC: np.ndarray) -> np.ndarray:
        """Class probabilities `NK`, float32, of prepared uint8 images.

        Raises:
            ValueError: no such images (callers prepare them).
            SavedModelError: the graph cannot be computed, or its answer is not a number.
        """
        logits_NK = self.logits(images_NHWC)
        shares_NK = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
        return (shares_NK / shares_NK.sum(axis=1, keepdims=True)).astype(np.float32)

    def logits(self, images_NHWC: np.ndarray) -> np.ndarray:
        """Logits `NK`, float32."""
        if images_NHWC.dtype != np.uint8 or images_NHWC.ndim != 4:
            raise ValueError(f"images are {images_NHWC.dtype} {images_NHWC.shape}, not uint8 NHWC")
        rows = [
            self._answer(self.preprocessing.normalise(images_NHWC[start : start + BATCH]))
            for start in range(0, len(images_NHWC), BATCH)
        ]
        logits_NK = np.concatenate(rows) if rows else np.zeros((0, len(self.class_names)), np.float32)
        if not np.isfinite(logits_NK).all():
            raise SavedModelError("its answer is not a number", where=str(self.path), mend="export it again")
        return logits_NK

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name, for inputs by name.

        Raises:
            SavedModelError: the graph cannot be computed.
        """
        names = [output.name for output in self.session.get_outputs()]
        try:
            return dict(zip(names, self.session.run(names, inputs), strict=True))
        except Exception as error:  # ONNX Runtime's errors have no base but this
            raise SavedModelError(f"cannot be computed ({_line(error)})", where=str(self.path)) from None

    def _answer(self, x_BCHW: np.ndarray) -> np.ndarray:
        if self.card.form != "row-by-row":
            logits_BK = self.run({IMAGES: x_BCHW})[LOGITS]
        else:
            found = self.start(len(x_BCHW))
            for given in self.steps(x_BCHW):
                found = self.step(given, found)
            logits_BK = found[LOGITS]
        if logits_BK.shape != (len(x_BCHW), len(self.class_names)):
            raise SavedModelError(
                f"its answer has the shape {logits_BK.shape}",
                where=str(self.path),
                expected=f"({len(x_BCHW)}, {len(self.class_names)}), images × classes",
            )
        return logits_BK

    def start(self, batch_size: int) -> dict[str, np.ndarray]:
        """The states before the first step, of the form `row-by-row`, as `step` gives them."""
        return {s.output: np.full((batch_size, *s.shape), s.start, np.float32) for s in self.card.states}

    def steps(self, x_BCHW: np.ndarray) -> list[dict[str, np.ndarray]]:
        """What each reader is given at each step, of the form `row-by-row`.

        Args:
            x_BCHW: normalised images of the preprocessing's size.
        """
        x_BPC = x_BCHW.reshape(*x_BCHW.shape[:2], -1).transpose(0, 2, 1)
        padded_BPC = np.pad(x_BPC, ((0, 0), (0, 1), (0, 0)))  # pixel -1 finds the zeros
        by_reader = [
            (reader.input, padded_BPC[:, np.array(reader.order)].reshape(len(x_BCHW), len(reader.order), -1))
            for reader in self.card.readers
        ]
        return [{name: x_BTD[:, t] for name, x_BTD in by_reader} for t in range(len(self.card.readers[0].order))]

    def step(self, given: dict[str, np.ndarray], before: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Logits and states after one more step.

        Args:
            given: of `steps`.
            before: of `start`, or what the step before gave.
        """
        return self.run({**given, **{s.input: before[s.output] for s in self.card.states}})


def load_onnx(path: str | Path, *, threads: int = 0) -> OnnxModel:
    """Open a file that `linewise export` wrote.

    Args:
        threads: of ONNX Runtime for one call; 0 leaves it to it.

    Raises:
        SavedModelError: not such a file, damaged, changed or of a newer format (what it is, is said).
        ConfigError: onnxruntime is not installed.
    """
    path = Path(path)
    return open_onnx(_read(path), path, threads=threads)


def open_onnx(data: bytes, path: Path, *, threads: int = 0) -> OnnxModel:
    """The same from the bytes of the file; `path` is for errors."""
    card = described(data, str(path))
    session = _session(data, str(path), threads)
    _fits(session, card, str(path))
    return OnnxModel(path, card, session)


def described(data: bytes, where: str) -> OnnxCard:
    """What a file says of itself, if it is whole and ours; no runtime is needed.

    Raises:
        SavedModelError: as of `load_onnx`.
    """
    found = _outline(data, where)
    card = read_card(found.metadata, where)
    if found.graph_sha256 != card.graph_sha256:
        raise SavedModelError(
            "the checksum differs: the graph was damaged or changed after it was exported",
            where=where,
            expected=f"SHA-256 {card.graph_sha256}",
            mend="copy the file again, or export it again",
        )
    return card


def _read(path: Path) -> bytes:
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise SavedModelError("a folder", where=str(path), expected="an ONNX file", mend=MAKE_IT)
        if not stat.S_ISREG(found.st_mode):
            raise SavedModelError("not a file", where=str(path), expected="an ONNX file")
        if found.st_size > MOST_BYTES:
            raise SavedModelError(f"{found.st_size:,} bytes", where=str(path), expected="at most 2 GiB, as ONNX has it")
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
    strange = [*found.extras, *(f"{name[:60]!r} with a graph inside" for name in found.inner)]
    if strange:
        raise SavedModelError(
            f"it holds {strange[0]}", where=where, expected="one flat graph, as Linewise writes it", mend=MAKE_IT
        )
    newer = found.ir_version > IR_VERSION or found.opsets.get("", 0) > OPSET
    if newer and "linewise.format" not in found.metadata:
        return found  # that it is not ours says more
    if newer or set(found.opsets) != {""}:
        versions = ", ".join(f"{name or 'opset'} {version}" for name, version in found.opsets.items())
        raise SavedModelError(
            f"IR version {found.ir_version}, {versions[:200]}",
            where=where,
            expected=f"at most IR version {IR_VERSION} and opset {OPSET} of ONNX alone",
            mend="pip install --upgrade linewise, or export it again",
        )
    return found


def _session(data: bytes, where: str, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise missing_extra("onnxruntime", "onnx", "answering with an ONNX file") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said below, once
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no base but this
        raise SavedModelError(
            f"ONNX Runtime {onnxruntime.__version__} cannot open it ({_line(error)})", where=where, mend=MAKE_IT
        ) from None


def _fits(session: Any, card: OnnxCard, where: str) -> None:
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
    for kind, wanted, found in (("input", inputs, session.get_inputs()), ("output", outputs, session.get_outputs())):
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
    return all(isinstance(f, int) is (w is not None) and (w is None or f == w) for f, w in zip(found, wanted, strict=True))


def _shown(shape: list[int | None]) -> str:
    return "×".join("any" if side is None else str(side) for side in shape)


def _line(error: Exception) -> str:
    """One line of an error, in characters that show; it may quote the file."""
    text = " ".join(str(error).split())[:200]
    return "".join(c if c.isprintable() else "?" for c in text)
