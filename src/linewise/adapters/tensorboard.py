"""TensorBoard: event files by TensorBoard's own writer, `FOLDER/STUDY-ID/RUN/`."""

from __future__ import annotations

import io
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewise.adapters.facts import CURVES, Facts, Identity
from linewise.adapters.tracker import Tracker, picture
from linewise.foundations.records import Epoch

if TYPE_CHECKING:
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

SUFFIX = ".linewise"


class TensorBoard(Tracker):
    """Event files under a folder.

    Args:
        folder: what `tensorboard --logdir` is given.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = folder
        self._writers: dict[str, EventFileWriter] = {}
        self._held: dict[str, set[tuple[str, int]]] = {}

    def begin(self, study: Identity) -> None:
        self.place = self.folder / f"{study.name}-{study.id}"

    def epochs(self, key: str, epochs: list[Epoch]) -> None:
        for epoch in epochs:
            for curve in CURVES:
                self._scalar(key, curve, getattr(epoch, curve), epoch.epoch)
        if key in self._writers:
            self._writers[key].flush()

    def finish(self, facts: Facts) -> None:
        self.epochs(facts.key, facts.epochs)
        last = facts.epochs[-1].epoch if facts.epochs else 0
        for name, value in facts.finals.items():
            self._scalar(facts.key, name, value, last)
        if self._is_new(facts.key, "parameters", 0):
            self._parameters(facts)
        split = "test" if "test" in facts.answers else "validation"
        if self._is_new(facts.key, f"confusion/{split}", last) and (drawn := picture(facts)):
            self._image(facts.key, f"confusion/{drawn[0]}", drawn[1], last)
        if writer := self._writers.pop(facts.key, None):
            writer.close()
        self._held.pop(facts.key, None)

    def close(self) -> None:
        while self._writers:
            self._writers.popitem()[1].close()

    def _is_new(self, key: str, tag: str, step: int) -> bool:
        if key not in self._held:
            self._held[key] = _held(self.place / key)
        if (tag, step) in self._held[key]:
            return False
        self._held[key].add((tag, step))
        return True

    def _scalar(self, key: str, tag: str, value: float, step: int) -> None:
        if self._is_new(key, tag, step):
            self._add(key, step, {"tag": tag, "simple_value": value})

    def _parameters(self, facts: Facts) -> None:
        """As a table for people, with the model card, and for the HParams page."""
        rows = "\n".join(f"| {key} | {value} |" for key, value in {**facts.parameters, **facts.tags}.items())
        self._text(facts.key, "parameters", f"| | |\n|---|---|\n{rows}")
        if facts.card:
            self._text(facts.key, "model_card", facts.card)
        self._hyperparameters(facts)

    def _hyperparameters(self, facts: Facts) -> None:
        from tensorboard.plugins.hparams import metadata
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo  # pyright: ignore

        info = SessionStartInfo(group_name=facts.key, start_time_secs=time.time())
        for name, value in facts.parameters.items():
            if isinstance(value, str):
                info.hparams[name].string_value = value
            else:
                info.hparams[name].number_value = value
        content = metadata.create_summary_metadata(HParamsPluginData(session_start_info=info))
        self._add(
            facts.key,
            0,
            {"tag": metadata.SESSION_START_INFO_TAG, "metadata": content, "tensor": metadata.NULL_TENSOR},
        )

    def _text(self, key: str, tag: str, text: str) -> None:
        from tensorboard.compat.proto.summary_pb2 import SummaryMetadata  # pyright: ignore
        from tensorboard.compat.proto.tensor_pb2 import TensorProto  # pyright: ignore
        from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto  # pyright: ignore
        from tensorboard.plugins.text.metadata import create_summary_metadata

        metadata: SummaryMetadata = create_summary_metadata(display_name="", description="")
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype="DT_STRING", string_val=[text.encode()], tensor_shape=shape)
        self._add(key, 0, {"tag": tag, "metadata": metadata, "tensor": tensor})

    def _image(self, key: str, tag: str, png: bytes, step: int) -> None:
        from PIL import Image
        from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore

        with Image.open(io.BytesIO(png)) as image:
            width, height = image.size
        image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=png)
        self._add(key, step, {"tag": tag, "image": image})

    def _add(self, key: str, step: int, value: dict[str, Any]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore

        self._write(key, step, Summary(value=[Summary.Value(**value)]))

    def _write(self, key: str, step: int, summary: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if key not in self._writers:
            self._writers[key] = EventFileWriter(str(self.place / key), filename_suffix=SUFFIX)
        self._writers[key].add_event(Event(step=step, summary=summary, wall_time=time.time()))


def _held(folder: Path) -> set[tuple[str, int]]:
    """Tags and steps that are in a run's event files, by TensorBoard's own reader."""
    if not any(folder.glob(f"events.out.tfevents.*{SUFFIX}")):
        return set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
        events.Reload()
    tags: dict[str, Any] = events.Tags()
    held = {(tag, event.step) for tag in tags["scalars"] for event in events.Scalars(tag)}
    held |= {(tag, event.step) for tag in tags["images"] for event in events.Images(tag)}
    return held | {(tag, event.step) for tag in tags["tensors"] for event in events.Tensors(tag)}
