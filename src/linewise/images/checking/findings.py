"""What is noticed while data are read, kept until somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from linewise.foundations.names import shown as one_line

SHOWN = 5
"""Names shown in a message before "and N more"."""


@dataclass
class Findings:
    """Collected by sources and checks; becomes a `DataCheck`.

    Attributes:
        kind: how the data were recognised, such as `idx`.
        sizes: images per (height, width), as stored.
        modes: images per kind of pixels, such as `grey 8 bit`.
        unreadable: file name and reason.
        warnings: code and text.
    """

    kind: str = ""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)

    def warn(self, code: str, text: str) -> None:
        """Note a warning; the same one twice counts once."""
        if (code, text) not in self.warnings:
            self.warnings.append((code, text))


def listed(names: Sequence[str], shown: int = SHOWN) -> str:
    """A few names and how many more there are.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    said = ", ".join(map(one_line, names[:shown]))
    return said if len(names) <= shown else f"{said} and {len(names) - shown:,} more"
