"""Weights from a file: published Sequencer2D checkpoints (timm's or the authors'), or any network's own.

A file is read without executing anything: safetensors, or torch's format restricted to tensors.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from linewise.foundations.errors import SavedModelError

PUBLISHED = ("sequencer2d_s", "sequencer2d_m", "sequencer2d_l")
PUBLISHED_SIZE = (224, 224)
BRIDGED = "body."
SLACK = 1 << 20
"""Bytes: what torch's small entries may save by being packed."""
_MANY = 6


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state dict from a file, with the names used here.

    Args:
        path: `.safetensors`, or `.pth`, `.pt`, `.tar`, `.bin` as torch writes them.

    Raises:
        SavedModelError: the file is missing, damaged or holds something else than plain tensors by name.
    """
    if not path.is_file():
        raise SavedModelError("no such file", where=str(path), expected="a state dict, .safetensors or .pth")
    if path.suffix.lower() == ".safetensors":
        try:
            return translate(load_file(path))
        except (SafetensorError, OSError, ValueError) as error:
            raise SavedModelError(f"not a safetensors file ({error})", where=str(path)) from None
    _refuse_bombs(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in torch's reader in any of a dozen ways
        raise SavedModelError(
            f"not a file of tensors ({type(error).__name__})",
            where=str(path),
            expected="a state dict that torch can load with weights_only=True",
            mend="where you trust the file, load it with torch yourself and save it as safetensors",
        ) from None
    for wrapper in ("model", "state_dict"):
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict) or not found or not all(_plain(k, v) for k, v in found.items()):
        raise SavedModelError(
            f"a {type(found).__name__} in which not everything is a tensor with a name",
            where=str(path),
            expected="a state dict of dense tensors",
        )
    return translate(found)


def _refuse_bombs(path: Path) -> None:
    """torch stores tensors as they are; an archive that unpacks to much more than its size is none of torch's.

    Raises:
        SavedModelError: with both sizes.
    """
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except Exception as error:  # zipfile raises anything on damaged archives
        raise SavedModelError(
            f"not a file of tensors ({type(error).__name__})",
            where=str(path),
            expected="a whole archive of torch's",
        ) from None
    packed = path.stat().st_size
    if unpacked > packed + SLACK:
        raise SavedModelError(
            f"{packed:,} bytes that unpack to {unpacked:,}",
            where=str(path),
            expected="tensors stored as they are, as torch writes them",
        )


def _plain(name: Any, value: Any) -> bool:
    usual = isinstance(name, str) and isinstance(value, Tensor)
    return usual and value.layout == torch.strided and not (value.is_meta or value.is_quantized or value.is_nested)


def translate(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names of timm and of the authors' code as names used here, which are timm's but for the head.

    >>> list(translate({"blocks.0.2.down.weight": torch.zeros(1), "head.fc.bias": torch.zeros(1)}))
    ['stages.1.downsample.down.weight', 'head.bias']
    """
    authors = any(name.startswith("blocks.0.0.") for name in state) or "blocks.0.2.down.weight" in state
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if authors:
            name = re.sub(
                r"^blocks\.(\d+)\.\d+\.down\.", lambda m: f"stages.{int(m[1]) + 1}.downsample.down.", name
            )
            name = re.sub(r"^blocks\.(\d+)\.(\d+)\.", r"stages.\1.blocks.\2.", name)
        if name.startswith("head.fc."):
            name = name.replace("head.fc.", "head.", 1)
        if name in renamed:
            raise SavedModelError(f"{name} twice, as head.fc and as head", expected="one classifier")
        renamed[name] = tensor
    return renamed


def shape_of(name: str, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Classes, channels and image size that a state dict of the network `name` was made for, where it tells."""
    found: dict[str, Any] = {}
    if (head := weights.get("head.weight")) is not None and head.ndim == 2:
        found["num_classes"] = len(head)
    if (stem := weights.get("stem.proj.weight")) is not None and stem.ndim == 4:
        found["in_chans"] = stem.shape[1]
    if name in PUBLISHED:
        found["img_size"] = PUBLISHED_SIZE
    return found


def load_weights(network: torch.nn.Module, weights: Mapping[str, Tensor], *, where: str) -> None:
    """Put weights into a network; a classifier (`head`) for another number of classes is left as it is.

    Raises:
        SavedModelError: names, shapes or kinds of numbers that do not fit, or numbers that are not finite. Nothing
            is changed then.
    """
    own = network.state_dict()
    given = dict(weights)
    if all(name.startswith(BRIDGED) for name in own) and not any(name.startswith(BRIDGED) for name in given):
        given = {BRIDGED + name: tensor for name, tensor in given.items()}  # timm's own file for `timm:NAME`
    mine, theirs = own.get("head.weight"), given.get("head.weight")
    if mine is not None and theirs is not None and len(theirs.shape) == 2 and theirs.shape[1:] == mine.shape[1:]:
        fresh = len(theirs) != len(mine)
        given.update({name: own[name] for name in ("head.weight", "head.bias") if fresh})
    differences = [f"no {name}" for name in own if name not in given]
    differences += [f"unexpected {name}" for name in given if name not in own]
    differences += [
        f"{name} is {tuple(given[name].shape)} {given[name].dtype}, not {tuple(tensor.shape)} {tensor.dtype}"
        for name, tensor in own.items()
        if name in given and (given[name].shape != tensor.shape or not _same_kind(given[name], tensor))
    ]
    if differences:
        more = f" and {len(differences) - _MANY} more" if len(differences) > _MANY else ""
        raise SavedModelError(
            f"the weights do not fit: {'; '.join(differences[:_MANY])}{more}",
            where=where,
            expected=f"the {len(own)} tensors of the network",
            mend="choose the network and the sizes that the file was made for",
        )
    given = {name: tensor.to(own[name].dtype) for name, tensor in given.items()}  # 1e300 is inf in float32
    bad = [n for n, t in given.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    if bad:
        raise SavedModelError(f"not a number in {', '.join(bad[:_MANY])}", where=where, expected="finite weights")
    network.load_state_dict(given)


def _same_kind(one: Tensor, other: Tensor) -> bool:
    """Both real numbers of any precision, or the same type."""
    return one.dtype == other.dtype or (one.is_floating_point() and other.is_floating_point())
