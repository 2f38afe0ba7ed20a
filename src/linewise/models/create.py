"""Networks by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from linewise.foundations.errors import ConfigError
from linewise.models.network import NETWORKS, Network, NetworkConfig, check_shape, check_sizes
from linewise.models.published import load_weights, read_weights, shape_of

PREFIX = "timm:"
MEMORY_SHARE = 0.5
BYTES_TO_KEEP, BYTES_TO_TRAIN = 4, 16
"""Per parameter: its value; and with gradient and two moments."""


def create_model(
    name: str,
    *,
    num_classes: int | None = None,
    in_chans: int | None = None,
    img_size: tuple[int, int] | None = None,
    weights: str | Path | None = None,
    **sizes: Any,
) -> Network:
    """Build a network by its registered name.

    Args:
        name: such as `lstm`, or as typed on the command line, `gru@rows5-stride2:layers=2`; see `list_models()`.
            `timm:NAME` asks timm.
        num_classes: K, at least 1; may be left out where `weights` tell it. Another number than theirs gives a
            fresh classifier on top of them.
        in_chans: C, 1 for grey (the default) and 3 for colour; by default that of `weights`.
        img_size: height and width in pixels, (28, 28) by default; (224, 224) with published weights.
        weights: a file with a state dict: timm's or the authors' Sequencer2D, or this network's own.
        **sizes: what this network lets you choose, such as `hidden=128`.

    Raises:
        ConfigError: an unknown name or size, a value out of range, or a network larger than half the memory.
        SavedModelError: weights that cannot be read or do not fit.

    >>> create_model("lstm", num_classes=10, hidden=32).num_features
    32
    """
    if not isinstance(name, str):
        raise ConfigError(f"the name {name!r}", where="create_model", expected="a text such as 'lstm'")
    name, sizes = _expand(name, sizes)
    if weights is not None:
        return _with_weights(name, Path(weights), sizes, num_classes, in_chans, img_size)
    if num_classes is None:
        raise ConfigError("num_classes is not given", where=name, expected="the number of classes")
    in_chans, img_size = 1 if in_chans is None else in_chans, (28, 28) if img_size is None else img_size
    entry = NETWORKS[name]
    check_shape(name, num_classes, in_chans, img_size)
    sizes = check_sizes(name, sizes)
    config = NetworkConfig(name=name, num_classes=num_classes, in_chans=in_chans, img_size=img_size, sizes=sizes)
    refuse_giants(config, BYTES_TO_KEEP)
    network = _build(config)
    assert isinstance(network, Network), entry
    return network


def _with_weights(
    name: str,
    path: Path,
    sizes: dict[str, Any],
    num_classes: int | None,
    in_chans: int | None,
    img_size: tuple[int, int] | None,
) -> Network:
    found = read_weights(path)
    told = shape_of(name, found)
    network = create_model(
        name,
        num_classes=told.get("num_classes") if num_classes is None else num_classes,
        in_chans=told.get("in_chans") if in_chans is None else in_chans,
        img_size=told.get("img_size") if img_size is None else img_size,
        **sizes,
    )
    load_weights(network, found, where=str(path))
    return network


def _expand(name: str, sizes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A network as typed on the command line in its parts; `timm:NAME` is `timm` with `model=NAME`."""
    if not name.startswith(PREFIX):
        typed, typed_sizes = parse_model(name) if "@" in name or ":" in name else (name, {})
        if doubled := sorted(typed_sizes.keys() & sizes.keys()):
            raise ConfigError(f"{', '.join(doubled)} given twice, in {name!r} too", expected="each size once")
        return typed, {**typed_sizes, **sizes}
    return "timm", {"model": name.removeprefix(PREFIX), **sizes}


def create_on_meta(config: NetworkConfig) -> Network:
    """The network without its numbers: shapes only, no memory, whatever its size."""
    with torch.device("meta"):
        return _build(config)


def _build(config: NetworkConfig) -> Network:
    entry = NETWORKS[config.name]
    network = entry.build(
        num_classes=config.num_classes,
        in_chans=config.in_chans,
        img_size=config.img_size,
        **entry.fixed,
        **config.sizes,
    )
    network.config = config
    return network


def refuse_giants(config: NetworkConfig, bytes_each: int) -> Network:
    """Refuse a network larger than half the memory, before anything is allocated.

    Returns:
        it, as `create_on_meta` makes it.

    Raises:
        ConfigError: with its size and that of the memory.
    """
    ghost = create_on_meta(config)
    parameters = sum(p.numel() for p in ghost.parameters())
    needed, memory = bytes_each * parameters, _memory_bytes()
    if needed > MEMORY_SHARE * memory:
        raise ConfigError(
            f"{config.name} with these sizes has {parameters:,} parameters and needs {needed / 2**30:,.0f} GiB",
            where="sizes",
            expected=f"at most half of this machine's {memory / 2**30:,.0f} GiB",
            mend="choose smaller sizes",
        )
    return ghost


def _memory_bytes() -> int:
    import os

    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return 16 * 2**30


def list_models(pattern: str = "*") -> list[str]:
    """Names of networks that match a shell pattern.

    >>> list_models("*gru")
    ['gru', 'bigru', 'mingru', 'bimingru']
    """
    return NETWORKS.names(pattern)


def parse_model(text: str) -> tuple[str, dict[str, Any]]:
    """A model as typed on the command line: `NAME[@READING][:SIZE=VALUE…]`, such as
    `lstm@rows+columns:layers=2`.

    Returns:
        The registered name and the sizes asked for, checked.

    Raises:
        ConfigError: an unknown name or size, or a part that is not `SIZE=VALUE`.
    """
    text = text.strip()
    if text.startswith(PREFIX):
        if text.count(":") > 1:
            raise ConfigError(f"{text!r} has sizes after timm's name", expected="timm:NAME")
        return _expand(text, {})
    head, *parts = text.split(":")
    name, at, reading = head.partition("@")
    known = NETWORKS[name].sizes()
    sizes: dict[str, Any] = {}
    if at:
        if "reading" not in known:
            raise ConfigError(
                f"{name} does not read in an order, so {head!r} means nothing", mend=f"write {name!r}"
            )
        sizes["reading"] = reading
    given = [part.partition("=")[0] for part in parts] + ["reading"] * bool(at)
    if doubled := sorted({key for key in given if given.count(key) > 1}):
        raise ConfigError(f"{', '.join(doubled)} given twice in {text!r}", expected="each size once")
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"{part!r} in the model {text!r}", expected="SIZE=VALUE, such as layers=2")
        sizes[key] = _value(value)
    check_sizes(name, sizes)
    return name, sizes


def _value(text: str) -> int | float | str:
    if re.fullmatch(r"-?[0-9]{1,300}", text, re.ASCII):
        return int(text)
    if re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?|-?(nan|inf)", text, re.ASCII | re.IGNORECASE):
        return float(text)
    return text


def count_parameters(network: nn.Module) -> int:
    """Trained numbers of a network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
