"""Amounts as people write them."""

from __future__ import annotations

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


def write_amount(amount: float) -> str:
    """Three figures and a unit, for tables.

    >>> write_amount(2_174_508), write_amount(640)
    ('2.17M', '640')
    """
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if amount >= size:
            return f"{amount / size:.3g}{unit}"
    return f"{amount:.0f}"
