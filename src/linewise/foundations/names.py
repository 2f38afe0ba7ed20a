"""Class names as people read them: nothing that a terminal or a picture obeys, each in its direction."""

from __future__ import annotations

import re
import unicodedata

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters, marks that turn the direction, and what XML and UTF-8 cannot hold."""
FIRST_STRONG_ISOLATE, END_OF_ISOLATE = "\u2068", "\u2069"


def shown(name: str) -> str:
    """A class name to be put into a sentence, a table or a chart.

    Names are anything a folder can be called. Characters that command are written as their codes; a name with
    letters that run from right to left is isolated (Unicode Standard Annex 9), else it would turn the words and
    numbers after it.

    >>> shown("cat"), shown("a\\nb")
    ('cat', 'a\\\\nb')
    >>> shown("\u05d7\u05ea\u05d5\u05dc") == "\u2068\u05d7\u05ea\u05d5\u05dc\u2069"
    True
    """
    plain = escaped(name)
    if any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in plain):
        return f"{FIRST_STRONG_ISOLATE}{plain}{END_OF_ISOLATE}"
    return plain


def escaped(text: str) -> str:
    """Text on one line without commands."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
