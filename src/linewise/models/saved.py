"""A trained network on disk: `model.safetensors`, `model.json` and a short model card. Never pickle.

The JSON names the network, its sizes, the classes and the preprocessing, and carries the checksum of the weights,
because neither torch nor safetensors notices a flipped bit.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from linewise.foundations.atomic import replace_file, write_text
from linewise.foundations.errors import ConfigError, SavedModelError
from linewise.foundations.names import shown
from linewise.foundations.records import Record, describe
from linewise.images.preprocessing import Preprocessing
from linewise.models.create import BYTES_TO_KEEP, create_model, refuse_giants
from linewise.models.network import NETWORKS, Network, NetworkConfig, check_shape, check_sizes

FORMAT_VERSION = 1
_JSON_LIMIT = 4 << 20
_HEADER_LIMIT = 16 << 20
_A_RUN = "a folder with model.json and model.safetensors"


class ModelCard(Record):
    """`model.json`.

    Attributes:
        network: all it takes to build the network.
        class_names: in the order of the logits.
        preprocessing: what turns any image into the network's input.
        sha256: of `model.safetensors`.
        trained: data, recipe, seed and accuracies, for people.
    """

    format: Literal["linewise-model"] = "linewise-model"
    schema_version: int = FORMAT_VERSION
    linewise_version: str
    network: NetworkConfig
    class_names: list[str]
    preprocessing: dict[str, Any]
    sha256: str
    trained: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Saved:
    """A loaded model, in evaluation mode."""

    network: Network
    card: ModelCard


def save_model(
    folder: Path,
    network: Network,
    *,
    class_names: list[str],
    preprocessing: dict[str, Any],
    trained: dict[str, Any],
    version: str,
) -> None:
    """Write a model into a folder, weights first, so that a `model.json` always has its weights."""
    payload = save_tensors({k: v.contiguous() for k, v in network.state_dict().items()})
    with replace_file(folder / "model.safetensors") as file:
        file.write(payload)
    card = ModelCard(
        linewise_version=version,
        network=network.config,
        class_names=class_names,
        preprocessing=preprocessing,
        sha256=hashlib.sha256(payload).hexdigest(),
        trained=trained,
    )
    card.save(folder / "model.json")
    write_text(folder / "README.md", _model_card(card))


def load_model(folder: str | Path, *, sha256: str = "") -> Saved:
    """Read a model that `save_model` wrote.

    Args:
        sha256: of the weights that are meant; empty for whatever `model.json` says.

    Returns:
        `network`, in evaluation mode, and `card`, what `model.json` says of it.

    Raises:
        SavedModelError: a file is missing or damaged, the format is newer, the weights do not fit the network,
            or a weight is not a number. Nothing is executed from the files.
    """
    folder = Path(folder)
    card = _read_card(folder / "model.json")
    path = folder / "model.safetensors"
    if sha256 and card.sha256 != sha256:
        raise SavedModelError(
            f"other weights than before (SHA-256 {card.sha256[:12]})",
            where=str(folder),
            expected=f"those with SHA-256 {sha256[:12]}",
        )
    config = card.network
    if config.name not in NETWORKS:
        raise SavedModelError(
            f"the network {config.name!r} is not known here",
            where=str(folder / "model.json"),
            expected=f"one of {', '.join(NETWORKS)}",
            mend="install the version of linewise that made it",
        )
    try:
        check_shape(config.name, config.num_classes, config.in_chans, config.img_size)
        config = config.model_copy(update={"sizes": check_sizes(config.name, config.sizes)})
        ghost = refuse_giants(config, BYTES_TO_KEEP).state_dict()
    except ConfigError as error:
        raise SavedModelError(
            error.found, where=str(folder / "model.json"), expected=error.expected, mend=error.mend
        ) from None
    if twice := [name for name, number in Counter(card.class_names).items() if number > 1]:
        raise SavedModelError(
            f"class {twice[0]!r} is named twice", where=str(folder / "model.json"), expected="each class once"
        )
    if len(card.class_names) != config.num_classes:
        raise SavedModelError(
            f"{len(card.class_names)} class names for {config.num_classes} classes",
            where=str(folder / "model.json"),
        )
    card = card.model_copy(update={"preprocessing": _preprocessing(card, folder / "model.json")})
    tensors = _read_tensors(path, card.sha256, sum(t.numel() * t.element_size() for t in ghost.values()))
    _compare(path, tensors, ghost)
    network = create_model(
        config.name,
        num_classes=config.num_classes,
        in_chans=config.in_chans,
        img_size=config.img_size,
        **config.sizes,
    )
    network.load_state_dict(tensors)
    return Saved(network.eval(), card)


def _example(folder: Path) -> str:
    """A run of this folder, where it is a study's; else the one beside it whose name is nearest."""
    if runs := sorted((folder / "runs").glob("*/model.json")):
        return shown(str(runs[0].parent))
    beside = [path.parent.name for path in sorted(folder.parent.glob("*/model.json"))]
    if near := get_close_matches(folder.name, beside, n=1, cutoff=0.5):
        return shown(str(folder.parent / near[0]))
    return "STUDY/runs/lstm-0"


def _read_card(path: Path) -> ModelCard:
    try:
        if path.stat().st_size > _JSON_LIMIT:
            raise SavedModelError("larger than 4 MiB", where=str(path), expected="a short description of a model")
        text = path.read_text(encoding="utf-8")
        fields = json.loads(text)
    except FileNotFoundError:
        raise SavedModelError(
            "no such file",
            where=str(path),
            expected=_A_RUN,
            mend=f"name a run's folder, such as {_example(path.parent)}",
        ) from None
    except NotADirectoryError:
        raise SavedModelError("is a file, no folder", where=str(path.parent), expected=_A_RUN) from None
    except (OSError, ValueError, RecursionError) as error:
        raise SavedModelError(f"cannot be read ({error})", where=str(path)) from None
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise SavedModelError(
            f"format version {version}",
            where=str(path),
            expected=f"at most {FORMAT_VERSION}",
            mend="pip install --upgrade linewise",
        )
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        raise describe(error, where=str(path), kind=SavedModelError) from None


def _preprocessing(card: ModelCard, path: Path) -> dict[str, Any]:
    """The card's preprocessing, whole: what it does not say of the shape, the network's input says.

    Raises:
        SavedModelError: no preprocessing, or one for another input.
    """
    (height, width), channels = card.network.img_size, card.network.in_chans
    shape = {"height": height, "width": width, "channels": channels}
    try:
        found = Preprocessing.model_validate({**shape, **card.preprocessing})
    except ValidationError as error:
        raise describe(error, where=f"{path}, preprocessing", kind=SavedModelError) from None
    if (found.height, found.width, found.channels) != (height, width, channels):
        raise SavedModelError(
            f"prepares images of {found.height}×{found.width} with {found.channels} channels",
            where=f"{path}, preprocessing",
            expected=f"{height}×{width} with {channels}, what the network reads",
        )
    return found.model_dump(mode="json")


def _read_tensors(path: Path, sha256: str, num_bytes: int) -> dict[str, torch.Tensor]:
    try:
        size = path.stat().st_size
        if size > num_bytes + _HEADER_LIMIT:
            raise SavedModelError(
                f"{size:,} bytes", where=str(path), expected=f"about {num_bytes:,}, as model.json describes"
            )
        payload = path.read_bytes()
    except OSError as error:
        raise SavedModelError(f"cannot be read ({error.strerror})", where=str(path)) from None
    if hashlib.sha256(payload).hexdigest() != sha256:
        raise SavedModelError(
            "the checksum differs: the file was damaged or changed after it was saved",
            where=str(path),
            expected=f"SHA-256 {sha256}",
            mend="copy the model again, or train it again",
        )
    try:
        return load_tensors(payload)
    except (SafetensorError, KeyError, ValueError) as error:
        raise SavedModelError(f"not a safetensors file ({error})", where=str(path)) from None


def _compare(path: Path, found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    differences = [f"no {name}" for name in expected if name not in found]
    differences += [f"unexpected {name}" for name in found if name not in expected]
    differences += [
        f"{name} is {tuple(found[name].shape)} {found[name].dtype}, not {tuple(t.shape)} {t.dtype}"
        for name, t in expected.items()
        if name in found and (found[name].shape != t.shape or found[name].dtype != t.dtype)
    ]
    if differences:
        raise SavedModelError(
            "the weights do not fit the network: " + "; ".join(differences[:8]),
            where=str(path),
            expected="the weights of the network in model.json",
        )
    bad = [n for n, t in found.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    if bad:
        raise SavedModelError(f"not a number in {', '.join(bad[:8])}", where=str(path), expected="finite weights")


def _model_card(card: ModelCard) -> str:
    config, trained = card.network, card.trained
    height, width = config.img_size
    classes = ", ".join(shown(name).replace("`", "'") for name in card.class_names[:40])
    facts = "\n".join(f"- {key}: `{value}`" for key, value in trained.items() if not isinstance(value, dict))
    return f"""# {config.name} for {len(card.class_names)} classes

Made by Linewise {card.linewise_version}. Sizes: `{json.dumps(config.sizes)}`.
Input: {config.in_chans} channel(s), {height}×{width} pixels, prepared as `model.json` says.

Classes: `{classes}`{" …" if len(card.class_names) > 40 else ""}

{facts}

    linewise predict FOLDER IMAGE
"""
