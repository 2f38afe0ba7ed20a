"""What `linewise data check` finds out; the same goes into every study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from linewise.foundations.amounts import count
from linewise.foundations.errors import DataError
from linewise.foundations.names import shown
from linewise.foundations.records import Record
from linewise.images.checking.duplicates import groups_of
from linewise.images.checking.findings import Findings, listed
from linewise.images.sets import Part

IMBALANCED = 3.0
"""The largest class may have this many times the images of the smallest before it is remarked upon."""


class Remark(Record):
    """A warning: a short code for programs, a sentence for people."""

    code: str
    text: str


class Duplicates(Record):
    """Images with the same pixels.

    Attributes:
        within: superfluous copies per split.
        across: images of the second split that are in the first too, by `train/test` and so on.
        conflicts: images that appear under more than one label.
        examples: a few names or numbers of images, equal ones joined by ` = `.
    """

    within: dict[str, int] = Field(default_factory=dict)
    across: dict[str, int] = Field(default_factory=dict)
    conflicts: int = 0
    examples: list[str] = Field(default_factory=list)


class DataCheck(Record):
    """The result of a check.

    Attributes:
        kind: how the data were recognised.
        usable: whether networks can be trained on them.
        shape: height, width and channels as the networks see them.
        counts: images per split and class.
        balance: images of the smallest training class as a fraction of the largest.
        sizes: images per stored size, most frequent first (at most 20).
        modes: images per kind of pixels.
        unreadable: file name → what is wrong.
    """

    name: str
    kind: str
    usable: bool
    fingerprint: str = ""
    class_names: list[str] = Field(default_factory=list)
    shape: tuple[int, int, int] | None = None
    counts: dict[str, dict[str, int]] = Field(default_factory=dict)
    balance: float | None = None
    sizes: dict[str, int] = Field(default_factory=dict)
    modes: dict[str, int] = Field(default_factory=dict)
    unreadable: dict[str, str] = Field(default_factory=dict)
    duplicates: Duplicates = Field(default_factory=Duplicates)
    warnings: list[Remark] = Field(default_factory=list)
    errors: list[str] = Field(default_factory=list)


def find_duplicates(parts: dict[str, Part]) -> Duplicates:
    """Compare all images of all splits by their pixels."""
    groups = dict(zip(parts, groups_of(*(part.images_NHWC for part in parts.values())), strict=True))
    splits = list(parts)
    within = {split: len(groups[split]) - len(np.unique(groups[split])) for split in splits}
    across, shared_groups = {}, []
    for i, first in enumerate(splits):
        for second in splits[i + 1 :]:
            shared = np.isin(groups[second], groups[first])
            across[f"{first}/{second}"] = int(shared.sum())
            shared_groups += groups[second][shared].tolist()
    all_groups = np.concatenate(list(groups.values()))
    labels = np.concatenate([part.labels_N for part in parts.values()])
    pairs = np.unique(np.stack([all_groups, labels]), axis=1)
    conflicting, labels_of = np.unique(pairs[0], return_counts=True)
    conflicts = conflicting[labels_of > 1].tolist()
    several, copies = np.unique(all_groups, return_counts=True)
    chosen = list(dict.fromkeys([*conflicts, *shared_groups, *several[copies > 1].tolist()]))[:5]
    return Duplicates(
        within=within,
        across=across,
        conflicts=len(conflicts),
        examples=[" = ".join(_members(group, groups, parts)) for group in chosen],
    )


def judge(
    duplicates: Duplicates,
    parts: dict[str, Part],
    class_names: Sequence[str],
    findings: Findings,
    *,
    where: str,
    allow_leaks: bool,
    official: bool,
) -> None:
    """Warn of what can be lived with, refuse what cannot.

    Args:
        official: the splits are those of a well-known data set, whose few leaks are a warning.

    Raises:
        DataError: the same image in two splits.
    """
    leaks = {pair: number for pair, number in duplicates.across.items() if number}
    if leaks:
        said = "; ".join(
            f"{count(n, 'image')} of {p.split('/')[1]} also in {p.split('/')[0]}" for p, n in leaks.items()
        )
        examples = [
            example for example in duplicates.examples if len({e.split(" ")[0] for e in example.split(" = ")}) > 1
        ]
        if not (allow_leaks or official):
            raise DataError(
                f"the same images in two splits: {said}" + (f" ({listed(examples, 2)})" if examples else ""),
                where=where,
                expected="each image in one split only, else the test accuracy is too high",
                mend="take the copies out, or allow them with --allow-leaks",
            )
        findings.warn("leaks", f"the same images in two splits: {said}")
    if copies := {split: number for split, number in duplicates.within.items() if number}:
        said = ", ".join(f"{number:,} in {split}" for split, number in copies.items())
        findings.warn("duplicates", f"superfluous copies of images: {said}")
    if duplicates.conflicts:
        number = duplicates.conflicts
        findings.warn(
            "conflicts",
            f"{count(number, 'image')} {'appears' if number == 1 else 'appear'} under more than one label"
            + (f", such as {shown(duplicates.examples[0])}" if duplicates.examples else ""),
        )
    counts = parts["train"].counts(len(class_names))
    if min(counts) * IMBALANCED < max(counts):
        least, most = int(np.argmin(counts)), int(np.argmax(counts))
        findings.warn(
            "imbalance",
            f"classes differ in size: {count(counts[most], 'training image')} of "
            f"{shown(repr(class_names[most]))}, {counts[least]:,} of {shown(repr(class_names[least]))}; "
            "look at balanced accuracy",
        )


def _members(group: int, groups: dict[str, np.ndarray], parts: dict[str, Part]) -> list[str]:
    members = []
    for split, group_N in groups.items():
        for i in np.flatnonzero(group_N == group)[:3].tolist():
            names = parts[split].names
            members.append(f"{split} {names[i] if names else f'#{i}'}")
    return members[:4]
