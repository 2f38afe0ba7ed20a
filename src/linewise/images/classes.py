"""One class map by name, made from the training images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from linewise.foundations.errors import DataError
from linewise.foundations.names import shown
from linewise.images.checking.findings import listed


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Class names in natural order: numbers by value, so that class 10 comes after 9.

    >>> in_order(["10", "2", "0"]), in_order(["b", "a10", "a9"])
    (('0', '2', '10'), ('a9', 'a10', 'b'))
    """
    unique = sorted(set(names))
    if all(re.fullmatch(r"-?\d{1,300}", name) for name in unique):
        return tuple(sorted(unique, key=lambda name: (int(name), name)))
    return tuple(sorted(unique, key=_natural))


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    parts = [part for part in re.split(r"(\d+)", name) if part]
    return [_number(p) if p.isdecimal() else (1, 0, p.casefold()) for p in parts], name


def _number(digits: str) -> tuple[int, int, str]:
    """A number of any length by value; Python makes no numbers of thousands of digits."""
    plain = (digits if len(digits) > 300 else str(int(digits))).lstrip("0")
    return 0, len(plain), plain


def check_classes(names: Sequence[str], where: str) -> None:
    """Refuse fewer than two classes."""
    if len(names) < 2:
        raise DataError(
            f"one class only, {shown(repr(names[0]))}" if names else "no classes",
            where=where,
            expected="at least two classes",
            mend="add images of another class",
        )


def to_indices(
    labels_N: np.ndarray, class_names: Sequence[str], *, where: str, split: str, source: str
) -> np.ndarray:
    """Indices into `class_names`, int64.

    Args:
        labels_N: class names.
        split: what the labels belong to, for errors, such as `test`.
        source: what the class names belong to, for errors, such as `the training images`.

    Raises:
        DataError: the two sets of classes differ.
    """
    here, known = set(labels_N.tolist()), set(class_names)
    if here != known:
        said = []
        if extra := in_order(here - known):
            said.append(f"only here: {listed(extra)}")
        if missing := in_order(known - here):
            said.append(f"missing here: {listed(missing)}")
        raise DataError(
            f"the classes of the {split} images differ from those of {source} ({'; '.join(said)})",
            where=where,
            expected=f"the {len(class_names)} classes {listed(class_names, 10)}",
            mend="give both the same classes, by the same names",
        )
    position = {name: i for i, name in enumerate(class_names)}
    return np.fromiter(map(position.__getitem__, labels_N.tolist()), np.int64, len(labels_N))
