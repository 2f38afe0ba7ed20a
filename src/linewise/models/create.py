"""Networks by name."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from linewise.foundations.errors import ConfigError
from linewise.models.network import NETWORKS, Network, NetworkConfig, check_sizes

MEMORY_SHARE = 0.5
BYTES_TO_KEEP, BYTES_TO_TRAIN = 4, 16
"""Per parameter: its value; and with gradient and two moments."""


def create_model(
    name: str,
    *,
    num_classes: int,
    in_chans: int = 1,
    img_size: tuple[int, int] = (28, 28),
    **sizes: Any,
) -> Network:
    """Build a network by its registered name.

    Args:
        name: such as `lstm`; see `list_models()`.
        num_classes: K, at least 1.
        in_chans: C, 1 for grey and 3 for colour.
        img_size: height and width in pixels.
        **sizes: what this network lets you choose, such as `hidden=128`.

    Raises:
        ConfigError: an unknown name or size, a value out of range, or a network larger than half the memory.

    >>> create_model("lstm", num_classes=10, hidden=32).num_features
    32
    """
    entry = NETWORKS[name]
    for key, value in (("num_classes", num_classes), ("in_chans", in_chans), ("img_size", min(img_size))):
        if value < 1:
            raise ConfigError(f"{key} = {value}", where=name, expected="a whole number of at least 1")
    sizes = check_sizes(name, sizes)
    config = NetworkConfig(name=name, num_classes=num_classes, in_chans=in_chans, img_size=img_size, sizes=sizes)
    refuse_giants(config, BYTES_TO_KEEP)
    network = _build(config)
    assert isinstance(network, Network), entry
    return network


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


def refuse_giants(config: NetworkConfig, bytes_each: int) -> None:
    """Refuse a network larger than half the memory, before anything is allocated.

    Raises:
        ConfigError: with its size and that of the memory.
    """
    parameters = sum(p.numel() for p in create_on_meta(config).parameters())
    needed, memory = bytes_each * parameters, _memory_bytes()
    if needed > MEMORY_SHARE * memory:
        raise ConfigError(
            f"{config.name} with these sizes has {parameters:,} parameters and needs {needed / 2**30:,.0f} GiB",
            where="sizes",
            expected=f"at most half of this machine's {memory / 2**30:,.0f} GiB",
            mend="choose smaller sizes",
        )


def _memory_bytes() -> int:
    import os

    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return 16 * 2**30


def list_models(pattern: str = "*") -> list[str]:
    """Names of networks that match a shell pattern.

    >>> list_models("*lstm")
    ['lstm', 'bilstm']
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
    head, *parts = text.strip().split(":")
    name, at, reading = head.partition("@")
    known = NETWORKS[name].sizes()
    sizes: dict[str, Any] = {}
    if at:
        if "reading" not in known:
            raise ConfigError(
                f"{name} does not read in an order, so {head!r} means nothing", mend=f"write {name!r}"
            )
        sizes["reading"] = reading
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"{part!r} in the model {text!r}", expected="SIZE=VALUE, such as layers=2")
        sizes[key] = _value(value)
    check_sizes(name, sizes)
    return name, sizes


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def count_parameters(network: nn.Module) -> int:
    """Trained numbers of a network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
