"""All targets."""

from __future__ import annotations

from fuzzing.images import Csv, Idx, ImageFile, Npz
from fuzzing.models import Configuration, Foreign, ModelJson, Onnx, Safetensors
from fuzzing.records import Journal, Report, RunRecords, Study
from fuzzing.targets import Target

TARGETS: dict[str, type[Target]] = {
    target.name: target
    for target in (
        Idx,
        Csv,
        Npz,
        ImageFile,
        ModelJson,
        Safetensors,
        Foreign,
        Onnx,
        Configuration,
        Journal,
        RunRecords,
        Study,
        Report,
    )
}
