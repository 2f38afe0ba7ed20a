"""Amounts as people write them."""

from __future__ import annotations

import re

from linewise.foundations.errors import ConfigError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def parse_amount(text: str, where: str) -> int:
    """`80k`, `2.5M` or `80000` as a whole number.

    Raises:
        ConfigError: not such an amount, or less than 1.

    >>> parse_amount("80k", "--budget")
    80000
    """
    number, unit = (text[:-1], text[-1].lower()) if text and text[-1].isalpha() else (text, "")
    try:
        amount = round(float(number.replace("_", "").replace(",", "")) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        amount = 0
    if amount < 1:
        raise ConfigError(f"{text!r}", where=where, expected="a positive amount such as 80000, 80k or 2.5M")
    return amount


def count(number: int, noun: str, many: str = "") -> str:
    """A number with its noun.

    >>> count(1, "image"), count(1200, "image"), count(2, "class", "classes")
    ('1 image', '1,200 images', '2 classes')
    """
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def write_amount(amount: float) -> str:
    """Three figures and a unit, for tables.

    >>> write_amount(2_174_508), write_amount(640)
    ('2.17M', '640')
    """
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if amount >= size:
            return f"{amount / size:.3g}{unit}"
    return f"{amount:.0f}"


def parse_bytes(text: str, where: str) -> int:
    """`2G`, `500MB`, `1.5GiB` or `0` as bytes; units of a thousand, those with an `i` of 1,024.

    Raises:
        ConfigError: not such an amount.

    >>> parse_bytes("2G", "--limit"), parse_bytes("1.5 GiB", "--limit"), parse_bytes("0", "--limit")
    (2000000000, 1610612736, 0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b?\s*", text, re.IGNORECASE)
    if not match:
        raise ConfigError(f"{text!r}", where=where, expected="an amount of bytes such as 2G, 500MB or 1.5GiB")
    thousand = 1024 if match[3] else 1000
    return round(float(match[1]) * thousand ** (" kmgt".index((match[2] or " ").lower())))


def write_bytes(number: float) -> str:
    """
    >>> write_bytes(12_288_000_000), write_bytes(640)
    ('12.3 GB', '640 B')
    """
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f} B"
