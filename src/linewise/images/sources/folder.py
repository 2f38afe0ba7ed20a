"""A folder of class folders, with or without train, validation and test above them; any size and kind of image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from linewise.foundations.amounts import count
from linewise.foundations.errors import DataError
from linewise.images.checking.findings import Findings, listed
from linewise.images.files.cache import Store, cache_folder, decoded, key_of
from linewise.images.files.entries import Names, shown
from linewise.images.files.geometry import settle
from linewise.images.files.headers import Headers, scan
from linewise.images.files.listing import Listing, list_images
from linewise.images.files.pixels import GREY_MODES
from linewise.images.mapped import Images, Mapped, select
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
        key = key_of(path, listing.files, "headers", options.max_megapixels)
        kept_at = cache_folder() / f"{key}.npz"
        headers = scan(path, listing.files, kept_at, options.max_megapixels, request.progress)
        listing, headers = _readable(listing, headers, headers.failed, request)
        _describe(listing, headers, findings)
        coloured = any(mode not in GREY_MODES for mode in headers.counted_modes())
        of_train = headers.counted_sizes(_span(listing, "train"))
        geometry = request.geometry or settle(of_train, coloured, options, findings)
        store = decoded(path, listing.files, geometry, options.max_megapixels, request.progress)
        images_NHWC = store.images_NHWC
        if store.failed:
            images_NHWC = select(images_NHWC, ~_flags(store.failed, len(headers)))
            listing, _ = _readable(listing, headers, store.failed, request)
        images_NHWC, geometry = _grey_after_all(images_NHWC, geometry, store, request)
        return Found(_parts(listing, images_NHWC), geometry=geometry)


def _flags(numbers: Iterable[int], total: int) -> np.ndarray:
    flags_N = np.zeros(total, bool)
    flags_N[list(numbers)] = True
    return flags_N


def _readable(
    listing: Listing, headers: Headers, failed: dict[int, str], request: Request
) -> tuple[Listing, Headers]:
    """Files without those that are no whole images; refused unless they may be left out."""
    if not failed:
        return listing, headers
    findings = request.findings
    bad = [(shown(listing.files.name(i)), failed[i]) for i in sorted(failed)]
    findings.unreadable += bad
    said = listed([f"{name} {reason}" for name, reason in bad])
    if not request.options.skip_unreadable:
        raise DataError(
            f"{count(len(bad), 'file')} cannot be used: {said}",
            where=str(listing.root),
            expected="whole images",
            mend="replace or remove them, or leave them out with --skip-unreadable",
        )
    findings.warn("unreadable", f"{count(len(bad), 'file')} left out: {said}")
    bad_N = _flags(failed, len(headers))
    before_N = np.concatenate([[0], np.cumsum(~bad_N)]).tolist()  # good files before each file
    groups = [replace(group, start=before_N[group.start], stop=before_N[group.stop]) for group in listing.groups]
    for group in groups:
        if group.start == group.stop:
            raise DataError(
                f"no readable images of class {group.class_name!r} in {group.split}",
                where=str(listing.root),
                expected="images of each class",
            )
    return Listing(listing.root, listing.files.without(bad_N), groups), headers.without(bad_N)


def _describe(listing: Listing, headers: Headers, findings: Findings) -> None:
    findings.sizes += headers.counted_sizes()
    grey = 0
    for mode, number in headers.counted_modes().items():
        is_grey = mode in GREY_MODES
        depth = "16 bit" if mode.startswith("I") else _DEPTHS.get(mode, "")
        if mode in ("LA", "La", "PA", "RGBa"):
            depth = "with alpha"
        findings.modes[f"{'grey' if is_grey else 'colour'} {depth}".strip()] += number
        grey += number * is_grey
    animated = np.flatnonzero(headers.frames_N > 1).tolist()
    if animated:
        said = listed([shown(listing.files.name(i)) for i in animated])
        findings.warn("animated", f"{count(len(animated), 'image')} of several frames, the first is taken: {said}")
    if 0 < grey < len(headers):
        findings.warn("mixed_modes", f"grey and colour mixed: {grey:,} of {len(headers):,} images are grey")


def _grey_after_all(
    images_NHWC: Images, geometry: Geometry, store: Store, request: Request
) -> tuple[Images, Geometry]:
    """Colour files whose images are all grey are taken as grey, unless colour was asked for."""
    if request.geometry or request.options.channels != "auto" or geometry.channels == 1 or store.coloured:
        return images_NHWC, geometry
    request.findings.warn("grey_in_colour", "colour files that hold grey images only: taken as grey")
    geometry = geometry.model_copy(update={"channels": 1})
    if isinstance(images_NHWC, Mapped):
        return images_NHWC.first_channel(), geometry
    return np.ascontiguousarray(images_NHWC[..., :1]), geometry


def _span(listing: Listing, split: str) -> slice:
    """Where the files of a split stand: splits follow one another."""
    groups = [group for group in listing.groups if group.split == split]
    return slice(groups[0].start, groups[-1].stop)


def _parts(listing: Listing, images_NHWC: Images) -> dict[str, RawPart]:
    """One part per split; a view, where the images are in memory."""
    parts = {}
    for split in dict.fromkeys(group.split for group in listing.groups):
        groups, span = [g for g in listing.groups if g.split == split], _span(listing, split)
        names = np.array([group.class_name for group in groups], object)
        labels_N = np.repeat(names, [group.stop - group.start for group in groups])
        file_names = Names(listing.files, np.arange(span.start, span.stop))
        parts[split] = RawPart(select(images_NHWC, span), labels_N, file_names)
    return parts
