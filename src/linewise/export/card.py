"""What an ONNX file of ours says of itself: its `metadata_props`, without torch or a runtime."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from linewise.foundations.errors import SavedModelError
from linewise.foundations.records import Record, describe
from linewise.images.preprocessing import Preprocessing

FORMAT, FORMAT_VERSION = "linewise-onnx", 1
PREFIX = "linewise."
OPSET, IR_VERSION = 20, 10
MOST_METADATA, MOST_CLASSES, MOST_PIXELS, MOST_STATES = 16 << 20, 1 << 16, 1 << 26, 1024
Form = Literal["image", "steps", "row-by-row"]
FORMS: tuple[Form, ...] = ("image", "steps", "row-by-row")


class AnySize(Record):
    """Height and width may be others than the preprocessing's.

    Attributes:
        multiple: both are multiples of it, pixels.
    """

    multiple: int = Field(ge=1)


class ReaderCard(Record):
    """One reader of a network that is given its steps one by one.

    Attributes:
        input: the name of what it is given, `BD`, float32.
        order: for each step the pixels it holds, `order_TP`: pixel (row, column) is row·width + column, -1 stands
            for zeros. The channels of a pixel lie side by side, so that D is P times the channels.
    """

    input: str
    order: list[list[int]] = Field(min_length=1)


class StateCard(Record):
    """One tensor that is handed from step to step.

    Attributes:
        input, output: its names before and after a step.
        shape: without the batch.
        start: the number it is filled with before the first step; "-Infinity" where that is meant.
    """

    input: str
    output: str
    shape: list[int] = Field(max_length=8)
    start: float | Literal["-Infinity"]


class OnnxCard(Record):
    """All of it; each field is one entry, `linewise.label` for example: texts as they are, the rest as JSON.

    Attributes:
        label: what the network was called in its study.
        network: its registered name.
        form: `image` (whole images in, logits out), `steps` (the answer and state after each step as well) or
            `row-by-row` (one step in, states in and out).
        class_names: in the order of the logits.
        preprocessing: what turns any image into the input.
        any_size: None where height and width are fixed.
        readers, states: of the form `row-by-row`.
        weights_sha256: of the run's `model.safetensors`.
        graph_sha256: of the graph's bytes in the file.
        checked: on what the file was compared with torch, and with what outcome, for people.
    """

    format: Literal["linewise-onnx"] = FORMAT
    format_version: int = FORMAT_VERSION
    linewise_version: str = Field(max_length=100)
    label: str = Field(min_length=1, max_length=200)
    network: str = Field(max_length=200)
    form: Form
    class_names: list[str] = Field(min_length=1, max_length=MOST_CLASSES)
    preprocessing: Preprocessing
    any_size: AnySize | None = None
    readers: list[ReaderCard] = Field(default=[], max_length=MOST_STATES)
    states: list[StateCard] = Field(default=[], max_length=MOST_STATES)
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    graph_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    checked: str = Field(max_length=2000)

    @field_validator("class_names", "label", "network", "linewise_version", "checked")
    @classmethod
    def _shows_as_it_is(cls, value: str | list[str]) -> str | list[str]:
        for text in [value] if isinstance(value, str) else value:
            if any(map(_hides, text)):
                raise ValueError("text without control characters")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> OnnxCard:
        pre = self.preprocessing
        if pre.height * pre.width > MOST_PIXELS:
            raise ValueError(f"at most {MOST_PIXELS:,} pixels")
        if (self.form == "row-by-row") != bool(self.readers):
            raise ValueError("readers in the form row-by-row, and only there")
        if len({len(reader.order) for reader in self.readers}) > 1:
            raise ValueError("readers with the same number of steps")
        for reader in self.readers:
            widths = {len(step) for step in reader.order}
            if len(widths) != 1 or widths == {0}:
                raise ValueError("steps that hold equally many pixels, at least one")
            pixels = [p for step in reader.order for p in step]
            if min(pixels) < -1 or max(pixels) >= pre.height * pre.width:
                raise ValueError(f"pixels from -1 to {pre.height * pre.width - 1}")
        return self

    def entries(self) -> dict[str, str]:
        """As `metadata_props`."""
        fields = self.model_dump(mode="json")
        return {PREFIX + name: _written(value) for name, value in fields.items()}


def read_card(metadata: dict[str, str], where: str) -> OnnxCard:
    """The card in a file's `metadata_props`; nothing in them is trusted.

    Raises:
        SavedModelError: missing entries (all are named), a newer format, or a value that cannot be.
    """
    found = {name.removeprefix(PREFIX): text for name, text in metadata.items() if name.startswith(PREFIX)}
    if sum(map(len, found.values())) > MOST_METADATA:
        raise SavedModelError("more than 16 MiB of metadata", where=where, expected="a short description")
    if found.get("format") != FORMAT:
        has = (
            f"its {PREFIX}format is {found['format'][:60]!r}"
            if "format" in found
            else "it has no Linewise metadata"
        )
        raise SavedModelError(
            f"not made by Linewise: {has}",
            where=where,
            expected=f"metadata_props with {PREFIX}format = {FORMAT} and what it describes",
            mend="make it with `linewise export RUN`",
        )
    version = found.get("format_version", "")
    if version.isascii() and version.isdecimal() and len(version) < 10 and int(version) > FORMAT_VERSION:
        raise SavedModelError(
            f"format version {int(version)}",
            where=where,
            expected=f"at most {FORMAT_VERSION}",
            mend="pip install --upgrade linewise",
        )
    missing = [name for name in OnnxCard.model_fields if name not in found]
    if missing:
        raise SavedModelError(
            f"its metadata lack {', '.join(PREFIX + name for name in missing)}",
            where=where,
            expected="a file as `linewise export` wrote it",
            mend="export it again",
        )
    fields: dict[str, Any] = {}
    for name, text in found.items():
        if name in OnnxCard.model_fields:
            fields[name] = _read(name, text, where)
    try:
        return OnnxCard.model_validate(fields)
    except ValidationError as error:
        raise describe(error, where=where, kind=SavedModelError) from None


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)


def _read(name: str, text: str, where: str) -> Any:
    if OnnxCard.model_fields[name].annotation in (str, Form, Literal["linewise-onnx"]):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        found = text if len(text) <= 60 else text[:57] + "..."
        raise SavedModelError(f"{PREFIX}{name} = {found!r}", where=where, expected="JSON") from None


def _hides(character: str) -> bool:
    """Control characters, and those that turn the direction of what follows."""
    return (
        unicodedata.category(character) == "Cc"
        or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
