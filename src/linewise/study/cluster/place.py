"""What may be typed after `--on`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from linewise.foundations.errors import ConfigError

LOCAL = "ray"
EXPECTED = (
    "ray (on this machine), HOST:PORT (a cluster that this machine is a node of), "
    "or ray://HOST:PORT (a cluster from outside, by its client server)"
)
_ADDRESS = re.compile(r"(ray://)?([\w.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})")


@dataclass(frozen=True)
class Place:
    """A value of `--on`.

    Attributes:
        host: empty for this machine.
        outside: by the client server, from a machine that is no node.
    """

    text: str
    host: str = ""
    port: int = 0
    outside: bool = False


def parse_place(text: str) -> Place:
    """`ray`, `HOST:PORT` or `ray://HOST:PORT`.

    Raises:
        ConfigError: anything else.

    >>> parse_place("ray://head:10001")
    Place(text='ray://head:10001', host='head', port=10001, outside=True)
    """
    if text == LOCAL:
        return Place(text)
    found = _ADDRESS.fullmatch(text)
    if not found or not 0 < int(found[3]) < 65536:
        raise ConfigError(f"{text!r}", where="--on", expected=EXPECTED)
    return Place(text, found[2].strip("[]"), int(found[3]), bool(found[1]))
