"""Loaders of networks: `model.json`, safetensors, foreign weights; and the configuration of a study."""

from __future__ import annotations

import hashlib
import io
import json

import torch
from typer.main import get_command

from fuzzing.mutators import spoil_json, spoil_safetensors, spoil_zip
from fuzzing.targets import Target
from linewise.cli.app import app
from linewise.cli.configuration import merge
from linewise.export.opening import described
from linewise.models import create_model
from linewise.models.published import load_weights, read_weights
from linewise.models.saved import load_model, save_model
from tiny_exports import lstm

CLASSES = ["a", "b", "猫"]


def save(folder, name: str, **sizes) -> None:
    torch.manual_seed(0)
    preprocessing = {"height": 8, "width": 8, "channels": 1, "fit": "letterbox", "mean": [0.5], "std": [0.5]}
    trained = {"data": "digits", "options": {"source": "digits"}, "seed": 0, "fingerprint": "f"}
    network = create_model(name, num_classes=3, img_size=(8, 8), **sizes)
    save_model(folder, network, class_names=CLASSES, preprocessing=preprocessing, trained=trained, version="0")


class ModelJson(Target):
    """Beside `model.json` lie the weights of a small network."""

    name = "model.json"
    spoil = staticmethod(spoil_json)

    def prepare(self) -> None:
        save(self.folder, "lstm", hidden=4)
        self.card = (self.folder / "model.json").read_bytes()

    def seeds(self) -> list[bytes]:
        card = json.loads(self.card)
        others = []
        for name, sizes in (("linear", {}), ("cnn", {}), ("bigru", {"reading": "rows+columns"}), ("renet", {})):
            config = create_model(name, num_classes=3, img_size=(8, 8), **sizes).config
            others.append(json.dumps({**card, "network": config.model_dump(mode="json")}).encode())
        return [self.card, *others]

    def feed(self, data: bytes) -> None:
        (self.folder / "model.json").write_bytes(data)
        load_model(self.folder)


class Safetensors(Target):
    """The checksum in `model.json` is made to fit, so that what lies behind it is reached."""

    name = "safetensors"
    spoil = staticmethod(spoil_safetensors)

    def prepare(self) -> None:
        save(self.folder, "linear")
        self.card = json.loads((self.folder / "model.json").read_text(encoding="utf-8"))

    def seeds(self) -> list[bytes]:
        return [(self.folder / "model.safetensors").read_bytes()]

    def feed(self, data: bytes) -> None:
        (self.folder / "model.safetensors").write_bytes(data)
        card = {**self.card, "sha256": hashlib.sha256(data).hexdigest()}
        (self.folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
        load_model(self.folder)


class Foreign(Target):
    """Published weights: the first byte says whether the rest is called `.pth` or `.safetensors`."""

    name = "weights"

    @staticmethod
    def spoil(rng, data: bytes) -> bytes:
        spoil = spoil_safetensors if data[:1] == b"\1" else spoil_zip
        return data[:1] + spoil(rng, data[1:])

    def prepare(self) -> None:
        save(self.folder, "linear")
        self.network = create_model("linear", num_classes=3, img_size=(8, 8))

    def seeds(self) -> list[bytes]:
        new, old, wrapped = io.BytesIO(), io.BytesIO(), io.BytesIO()
        state = self.network.state_dict()
        torch.save(state, new)
        torch.save(state, old, _use_new_zipfile_serialization=False)
        torch.save({"model": state, "epoch": 3}, wrapped)
        plain = (self.folder / "model.safetensors").read_bytes()
        return [b"\0" + new.getvalue(), b"\0" + old.getvalue(), b"\0" + wrapped.getvalue(), b"\1" + plain]

    def feed(self, data: bytes) -> None:
        path = self.folder / ("x.safetensors" if data[:1] == b"\1" else "x.pth")
        path.write_bytes(data[1:])
        load_weights(self.network, read_weights(path), where=str(path))


class Onnx(Target):
    """An exported network, as far as it is read before a runtime gets it; its checksum is not made to fit."""

    name = "onnx"

    def seeds(self) -> list[bytes]:
        return [lstm()[1].data]

    def feed(self, data: bytes) -> None:
        described(data, "x.onnx")


class Configuration(Target):
    """A TOML file for `linewise compare --config`."""

    name = "configuration"

    def prepare(self) -> None:
        command = get_command(app).commands["compare"]  # type: ignore[attr-defined]
        self.context = command.make_context("compare", [])
        self.typed = dict(self.context.params)

    def seeds(self) -> list[bytes]:
        return [
            b'models = ["lstm", "cnn"]\nepochs = 3\nlr = 0.01\nread-along = true\nsize = "8x8"\n',
            b"seeds = 2\n[table]\na = 1\n",
            b'augment = "shift=2"\nbetas = [0.9, 0.99]\nimages = 100\nout = "x"\n',
        ]

    def feed(self, data: bytes) -> None:
        path = self.folder / "study.toml"
        path.write_bytes(data)
        merge(dict(self.typed), path, self.context)
