"""A folder of class folders, with or without train, validation and test above them; any size and kind of image."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from linewise.foundations.errors import DataError
from linewise.images.checking.findings import Findings, listed, plural
from linewise.images.files.cache import Store, decoded, scan
from linewise.images.files.decode import Header
from linewise.images.files.geometry import settle
from linewise.images.files.listing import Entry, list_images, shown
from linewise.images.files.pixels import GREY_MODES
from linewise.images.preprocessing import Geometry
from linewise.images.sources.base import Found, RawPart, Request, Source

_DEPTHS = {"1": "1 bit", "I": "16 bit", "F": "fractions", "P": "palette", "CMYK": "CMYK", "RGBA": "with alpha"}


class ClassFolders(Source):
    """One folder per class. Decoded once into the cache."""

    kind = "folder"
    about = "a folder of class folders, with or without train/, validation/ and test/ above them"

    def recognises(self, path: Path) -> bool:
        return path.is_dir()

    def read(self, path: Path, request: Request) -> Found:
        findings, options = request.findings, request.options
        listing = list_images(path, findings)
        files = list(listing.flat())
        headers = scan(path, [entry for _, _, entry in files], options.max_megapixels, request.progress)
        files, headers = _readable(files, headers, request, path)
        _describe(files, headers, findings)
        of_train: Counter[tuple[int, int]] = Counter()
        for (split, _, _), header in zip(files, headers, strict=True):
            of_train[header.height, header.width] += split == "train"
        coloured = any(header.mode not in GREY_MODES for header in headers)
        geometry = request.geometry or settle(+of_train, coloured, options, findings)
        store = decoded(path, [e for _, _, e in files], geometry, options.max_megapixels, request.progress)
        images_NHWC = store.images_NHWC
        if store.failed:
            kept, _ = _readable(files, [store.failed.get(i, h) for i, h in enumerate(headers)], request, path)
            images_NHWC = images_NHWC[[i for i in range(len(files)) if i not in store.failed]]
            files = kept
        images_NHWC, geometry = _grey_after_all(images_NHWC, geometry, store, request)
        return Found(_parts(files, images_NHWC), geometry=geometry)


def _readable(
    files: list[tuple[str, str, Entry]], headers: list[Header | str], request: Request, root: Path
) -> tuple[list[tuple[str, str, Entry]], list[Header]]:
    """Files without those that are no whole images; refused unless they may be left out."""
    findings = request.findings
    bad = [
        (shown(file[2].name), header)
        for file, header in zip(files, headers, strict=True)
        if isinstance(header, str)
    ]
    if not bad:
        return files, [header for header in headers if isinstance(header, Header)]
    findings.unreadable += bad
    said = listed([f"{name} {reason}" for name, reason in bad])
    if not request.options.skip_unreadable:
        raise DataError(
            f"{plural(len(bad), 'file')} cannot be used: {said}",
            where=str(root),
            expected="whole images",
            mend="replace or remove them, or leave them out with --skip-unreadable",
        )
    findings.warn("unreadable", f"{plural(len(bad), 'file')} left out: {said}")
    good = [(file, header) for file, header in zip(files, headers, strict=True) if isinstance(header, Header)]
    left = {(split, name) for (split, name, _), _ in good}
    for split, name, _ in files:
        if (split, name) not in left:
            raise DataError(
                f"no readable images of class {name!r} in {split}",
                where=str(root),
                expected="images of each class",
            )
    return [file for file, _ in good], [header for _, header in good]


def _describe(files: list[tuple[str, str, Entry]], headers: list[Header], findings: Findings) -> None:
    grey = 0
    animated = []
    for (_, _, entry), header in zip(files, headers, strict=True):
        findings.sizes[header.height, header.width] += 1
        is_grey = header.mode in GREY_MODES
        depth = "16 bit" if header.mode.startswith("I") else _DEPTHS.get(header.mode, "")
        if header.mode in ("LA", "La", "PA", "RGBa"):
            depth = "with alpha"
        findings.modes[f"{'grey' if is_grey else 'colour'} {depth}".strip()] += 1
        grey += is_grey
        if header.frames > 1:
            animated.append(shown(entry.name))
    if animated:
        text = f"{plural(len(animated), 'image')} of several frames, the first is taken: {listed(animated)}"
        findings.warn("animated", text)
    if 0 < grey < len(headers):
        findings.warn("mixed_modes", f"grey and colour mixed: {grey:,} of {len(headers):,} images are grey")


def _grey_after_all(
    images_NHWC: np.ndarray, geometry: Geometry, store: Store, request: Request
) -> tuple[np.ndarray, Geometry]:
    """Colour files whose images are all grey are taken as grey, unless colour was asked for."""
    if request.geometry or request.options.channels != "auto" or geometry.channels == 1 or store.coloured:
        return images_NHWC, geometry
    request.findings.warn("grey_in_colour", "colour files that hold grey images only: taken as grey")
    return np.ascontiguousarray(images_NHWC[..., :1]), geometry.model_copy(update={"channels": 1})


def _parts(files: list[tuple[str, str, Entry]], images_NHWC: np.ndarray) -> dict[str, RawPart]:
    """Files lie split after split, so that each part is a view."""
    parts = {}
    split_of = np.array([split for split, _, _ in files])
    for split in dict.fromkeys(split_of.tolist()):
        where = np.flatnonzero(split_of == split)
        start, stop = int(where[0]), int(where[-1]) + 1
        some = files[start:stop]
        labels_N = np.array([name for _, name, _ in some])
        parts[split] = RawPart(images_NHWC[start:stop], labels_N, [shown(entry.name) for _, _, entry in some])
    return parts
