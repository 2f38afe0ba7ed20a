"""From whatever the user has to images that are checked, split and ready; nothing is trained on without this."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.records import DataRecord
from linewise.images.checking.check import DataCheck, Duplicates, Remark, find_duplicates, judge
from linewise.images.checking.duplicates import fingerprint, groups_of
from linewise.images.checking.findings import Findings
from linewise.images.classes import check_classes, in_order, to_indices
from linewise.images.files.entries import Names
from linewise.images.files.geometry import settle
from linewise.images.mapped import joined, select
from linewise.images.options import ImageOptions, SplitOptions
from linewise.images.preprocessing import Geometry, Preprocessing
from linewise.images.sets import Chosen, ImageSet, Part, SealedPart
from linewise.images.sources.base import SPLITS, Found, RawPart, Request
from linewise.images.sources.registered import Data, Opened, open_source
from linewise.images.splits import plan


def load(
    source: Data,
    *,
    images: ImageOptions | None = None,
    splits: SplitOptions | None = None,
    data_dir: Path | None = None,
    progress: bool = False,
) -> ImageSet:
    """Read, check and split images.

    Args:
        source: a name (`digits`, `mnist`, …), a path, or a pair of arrays: images and labels.
        data_dir: where named data sets lie, before `LINEWISE_DATA` and the cache.
        progress: bars, on a terminal only.

    Raises:
        DataError: the data cannot be used. ConfigError: the options do not fit the data.

    >>> digits = load("digits")
    >>> len(digits.train), len(digits.validation), len(digits.test), digits.train.images_NHWC.shape[1:]
    (1150, 288, 359, (8, 8, 1))
    """
    images, splits = images or ImageOptions(), splits or SplitOptions()
    draft = Draft(source, Request(images, None, data_dir, progress), splits)
    draft.work()
    return draft.image_set()


def check(
    source: Data,
    *,
    images: ImageOptions | None = None,
    splits: SplitOptions | None = None,
    data_dir: Path | None = None,
    progress: bool = False,
) -> DataCheck:
    """What `load` would find out; data that cannot be used are reported in `errors`, not raised."""
    draft = Draft(source, Request(images or ImageOptions(), None, data_dir, progress), splits or SplitOptions())
    try:
        draft.work()
    except DataError as error:
        return draft.result(errors=[str(error)])
    return draft.result()


def load_for(
    source: Data,
    preprocessing: Preprocessing,
    class_names: tuple[str, ...] | list[str],
    *,
    split: str = "test",
    splits: SplitOptions | None = None,
    images: ImageOptions | None = None,
    data_dir: Path | None = None,
    progress: bool = False,
    trained_fingerprint: str = "",
) -> Chosen:
    """Images for a saved model: its preprocessing, its class map by name.

    Args:
        split: `train`, `validation`, `test` or `all`. Data without splits are taken whole, unless `splits` says
            how to divide them.
        splits: divide data without splits as a study did, so that its test images are found again.
        trained_fingerprint: of the images when `splits` divided them in training; empty where it is not known.

    Raises:
        DataError: the classes differ from the model's, the images are not those of `trained_fingerprint`, or the
            data cannot be used.
    """
    if split not in (*SPLITS, "all"):
        raise ConfigError(f"unknown split {split!r}", where="--split", expected=f"one of {', '.join(SPLITS)}, all")
    geometry = Geometry(**preprocessing.model_dump(include={"height", "width", "channels", "fit"}))
    request = Request(images or ImageOptions(), geometry, data_dir, progress)
    draft = Draft(source, request, splits or SplitOptions(), class_names=tuple(class_names))
    found = draft.find()
    if splits is not None and split != "all":
        draft.split(found)
        if trained_fingerprint:
            draft.check_unchanged(trained_fingerprint)
        chosen = draft.parts[split]
    elif split == "all" or len(found.parts) == 1:
        split = "all"
        chosen = draft.whole(found)
    elif split in found.parts:
        chosen = draft.given(found)[split]
    else:
        raise DataError(
            f"there are no {split} images", where=draft.where, expected=f"one of {', '.join(found.parts)}, all"
        )
    texts = [text for _, text in request.findings.warnings]
    return Chosen(chosen.images_NHWC, chosen.labels_N, chosen.names, split, texts)


@dataclass
class Draft:
    """An image set in the making; what is known so far stays known when something turns out wrong."""

    source: Data
    request: Request
    options: SplitOptions
    class_names: tuple[str, ...] = ()
    geometry: Geometry | None = None
    opened: Opened | None = None
    fingerprint: str = ""
    duplicates: Duplicates | None = None

    def __post_init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self.findings: Findings = self.request.findings
        self.name = "arrays" if isinstance(self.source, tuple) else str(self.source)
        self.where = self.name

    def work(self) -> None:
        """All of it, in order."""
        found = self.find()
        self.split(found)
        self.fingerprint = self._fingerprint()
        self.duplicates = find_duplicates(self.parts)
        official = self.opened is not None and self.opened.official
        judge(
            self.duplicates,
            self.parts,
            self.class_names,
            self.findings,
            where=self.where,
            allow_leaks=self.options.allow_leaks,
            official=official,
        )

    def _fingerprint(self) -> str:
        return fingerprint(self.class_names, {s: (p.images_NHWC, p.labels_N) for s, p in self.parts.items()})

    def check_unchanged(self, trained_fingerprint: str) -> None:
        """Refuse images that are divided otherwise than in training: images trained on would be among the others.

        Raises:
            DataError: the fingerprint is another one.
        """
        self.fingerprint = self._fingerprint()
        if self.fingerprint != trained_fingerprint:
            raise DataError(
                f"the images changed since this network was trained (fingerprint {self.fingerprint[:12]}, "
                f"was {trained_fingerprint[:12]}), so that images it was trained on may be among the others",
                where=self.where,
                expected="the same images",
                mend="restore them, or name a folder of new images alone",
            )

    def find(self) -> Found:
        """Read the source and bring all images to one shape; classes are those of the training images."""
        self.opened = open_source(self.source, self.request)
        self.name, self.where, self.findings.kind = self.opened.name, self.opened.where, self.opened.kind
        found = self.opened.read(self.request)
        if not self.class_names:
            self.class_names = in_order(found.parts["train"].labels_N.tolist())
        check_classes(self.class_names, self.where)
        if found.geometry is None:
            self._conform(found)
        self.geometry = found.geometry
        return found

    def _conform(self, found: Found) -> None:
        train = found.parts["train"].images_NHWC
        coloured = found.coloured if found.coloured is not None else train.shape[3] == 3
        sizes = self.findings.sizes.copy()
        found.geometry = self.request.geometry or settle(sizes, coloured, self.request.options, self.findings)
        for raw in found.parts.values():
            raw.images_NHWC = found.geometry.conform(np.asarray(raw.images_NHWC))

    def _part(self, raw: RawPart, split: str) -> Part:
        source = "the model" if self.request.geometry else "the training images"
        labels_N = to_indices(raw.labels_N, self.class_names, where=self.where, split=split, source=source)
        return Part(raw.images_NHWC, labels_N, raw.names)

    def given(self, found: Found) -> dict[str, Part]:
        """The splits as the data have them, in the usual order."""
        return {split: self._part(found.parts[split], split) for split in SPLITS if split in found.parts}

    def whole(self, found: Found) -> Part:
        """All images of all splits."""
        raws = [found.parts[s] for s in SPLITS if s in found.parts]
        names = [name for raw in raws for name in raw.names or []] if len(raws) > 1 else raws[0].names
        whole = RawPart(
            joined([raw.images_NHWC for raw in raws]),
            np.concatenate([raw.labels_N for raw in raws]),
            names or None,
        )
        return self._part(whole, "given")

    def split(self, found: Found) -> None:
        """Take the missing splits from the training images, by content."""
        given = self.given(found)
        train = given["train"]
        self.parts = given
        assert self.opened is not None
        division = plan(
            train.labels_N,
            groups_of(train.images_NHWC)[0],
            self.options,
            self.class_names,
            has_validation="validation" in given,
            has_test="test" in given,
            usual=self.opened.usual,
            where=self.where,
        )
        self.parts = {
            "train": _subset(train, division.train),
            "validation": given["validation"]
            if division.validation is None
            else _subset(train, division.validation),
            "test": given["test"] if division.test is None else _subset(train, division.test),
        }

    def counts(self) -> dict[str, dict[str, int]]:
        return {
            split: dict(zip(self.class_names, part.counts(len(self.class_names)), strict=True))
            for split, part in self.parts.items()
        }

    def result(self, errors: list[str] | None = None) -> DataCheck:
        """What is known, as a record."""
        counts, findings, shape = self.counts(), self.findings, self.geometry
        of_train = list(counts.get("train", {}).values())
        sizes = findings.sizes.most_common(20)
        return DataCheck(
            name=self.name,
            kind=findings.kind,
            usable=not errors,
            fingerprint=self.fingerprint,
            class_names=list(self.class_names),
            shape=(shape.height, shape.width, shape.channels) if shape else None,
            counts=counts,
            balance=min(of_train) / max(of_train) if of_train and max(of_train) else None,
            sizes={f"{height}×{width}": number for (height, width), number in sizes},
            modes=dict(findings.modes.most_common()),
            unreadable=dict(findings.unreadable),
            duplicates=self.duplicates or Duplicates(),
            warnings=[Remark(code=code, text=text) for code, text in findings.warnings],
            errors=errors or [],
        )

    def image_set(self) -> ImageSet:
        """The finished set."""
        assert self.geometry is not None
        preprocessing = Preprocessing.measure(self.geometry, self.parts["train"].images_NHWC)
        options: dict[str, Any] = {
            "source": self.name if isinstance(self.source, tuple) else str(self.source),
            **self.request.options.model_dump(mode="json"),
            **self.options.model_dump(mode="json"),
        }
        record = DataRecord(
            name=self.name,
            fingerprint=self.fingerprint,
            class_names=list(self.class_names),
            shape=(self.geometry.height, self.geometry.width, self.geometry.channels),
            counts=self.counts(),
            preprocessing=preprocessing.model_dump(mode="json"),
            options=options,
            check=self.result().model_dump(mode="json"),
        )
        return ImageSet(
            name=self.name,
            train=self.parts["train"],
            validation=self.parts["validation"],
            test=SealedPart(self.parts["test"]),
            class_names=self.class_names,
            preprocessing=preprocessing,
            record=record,
            warnings=[text for _, text in self.findings.warnings],
        )


def _subset(part: Part, index_n: np.ndarray) -> Part:
    """Some images of a part: a copy in memory, or on disk where the part is."""
    whole = len(index_n) == len(part)
    names = part.names
    if names and not whole:
        names = names.take(index_n) if isinstance(names, Names) else [str(names[i]) for i in index_n.tolist()]
    return Part(part.images_NHWC if whole else select(part.images_NHWC, index_n), part.labels_N[index_n], names)
