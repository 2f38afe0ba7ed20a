"""What goes wrong, said so that a person can mend it.

Every error for users is a `LinewiseError`: what was found, where, what was expected, what to do next.
The command line prints it without a traceback and exits with `exit_code`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from linewise.foundations.names import escaped


class LinewiseError(Exception):
    """A problem a user can mend.

    Args:
        found: what was found, one sentence without a full stop.
        where: the file, field or option it was found in.
        expected: what would have been right.
        mend: what to do next.
    """

    exit_code = 2

    def __init__(self, found: str, *, where: str = "", expected: str = "", mend: str = "") -> None:
        found, where, expected, mend = _printable(found), escaped(where), _printable(expected), _printable(mend)
        self.found, self.where, self.expected, self.mend = found, where, expected, mend
        lines = [f"{where}: {found}" if where else found]
        if expected:
            lines.append(f"  expected: {expected}")
        if mend:
            lines.append(f"  to mend:  {mend}")
        super().__init__("\n".join(lines))

    def __reduce__(self):  # errors cross process borders
        return _rebuild, (type(self), self.found, self.where, self.expected, self.mend)


MOST_LETTERS = 2_000
"""Of each part of a message: what was found can be of any length."""
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067\ud800-\udfff]")
"""What a terminal takes for a command, or turns a line, and what is no character; lines may end."""


def _printable(text: str) -> str:
    """Text that any terminal and log can take, of bounded length.

    >>> _printable("a\x1b[2J" + "b" * 3000)[:12]
    'a\\\\x1b[2Jbbb'
    """
    if len(text) > MOST_LETTERS:
        text = f"{text[: MOST_LETTERS - 40]}… ({len(text):,} letters)"
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _rebuild(kind: type[LinewiseError], found: str, where: str, expected: str, mend: str) -> LinewiseError:
    return kind(found, where=where, expected=expected, mend=mend)


class ConfigError(LinewiseError):
    """A wrong option, name or combination. Exit code 2."""


class DataError(LinewiseError):
    """Images, labels or records that cannot be used. Exit code 3."""

    exit_code = 3


class SavedModelError(DataError):
    """A saved model that cannot be trusted or does not fit. Exit code 3."""


def unknown_name(kind: str, name: str, choices: Iterable[str], *, where: str = "") -> ConfigError:
    """The error for a name nobody registered, with the nearest known names."""
    known = sorted(choices)
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    mend = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return ConfigError(f"unknown {kind} {name!r}", where=where, expected=f"one of {', '.join(known)}", mend=mend)


def missing_extra(package: str, extra: str, purpose: str) -> ConfigError:
    """The error for an optional dependency that is not installed."""
    return ConfigError(
        f"{purpose} needs the package {package!r}, which is not installed",
        mend=f"pip install 'linewise[{extra}]'",
    )
