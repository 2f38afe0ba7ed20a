"""What goes wrong, said so that a person can mend it.

Every error for users is a `LinewiseError`: what was found, where, what was expected, what to do next.
The command line prints it without a traceback and exits with `exit_code`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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
        self.found, self.where, self.expected, self.mend = found, where, expected, mend
        lines = [f"{where}: {found}" if where else found]
        if expected:
            lines.append(f"  expected: {expected}")
        if mend:
            lines.append(f"  to mend:  {mend}")
        super().__init__("\n".join(lines))

    def __reduce__(self):  # errors cross process borders
        return _rebuild, (type(self), self.found, self.where, self.expected, self.mend)


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
