"""Data sets known by name, fetched on request only: several mirrors, SHA-256, atomic, resumable.

This is the only module of Linewise that opens a connection.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from linewise.foundations.errors import DataError
from linewise.foundations.paths import cache_dir
from linewise.foundations.registry import Registry

TIMEOUT_S = 30
BLOCK = 2**18
Progress = Callable[[str, int, int], None]
"""Called with a file's name, bytes so far, and bytes in all."""


@dataclass(frozen=True)
class RemoteFile:
    """One file to fetch, and how to know that it is the right one."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Download:
    """A data set that can be fetched.

    Attributes:
        mirrors: addresses of folders that hold the files, tried in this order.
    """

    name: str
    mirrors: tuple[str, ...]
    files: tuple[RemoteFile, ...]


def _idx(*facts: tuple[int, str]) -> tuple[RemoteFile, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(RemoteFile(f"{name}-ubyte.gz", *fact) for name, fact in zip(names, facts, strict=True))


DOWNLOADS: Registry[Download] = Registry("data set")
"""Sizes and checksums are those of the `url_checksums` of TensorFlow Datasets; `docs/data.md` says more."""
for _entry in (
    Download(
        "mnist",
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        _idx(
            (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
    ),
    Download(
        "fashion-mnist",
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        _idx(
            (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
    ),
    Download(
        "kmnist",
        (
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        _idx(
            (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ),
    ),
    Download(
        "cifar10",
        (
            "https://www.cs.toronto.edu/~kriz/",
            "https://cave.cs.toronto.edu/kriz/",
        ),
        (
            RemoteFile(
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
    ),
):
    DOWNLOADS.add(_entry.name, _entry)


def download(
    name: str, data_dir: Path | None = None, *, force: bool = False, progress: Progress | None = None
) -> Path:
    """Fetch a data set.

    Args:
        data_dir: the data folder; by default `data` in the cache folder. The files go to a folder `name` in it.
        force: fetch anew what is there already.

    Returns:
        The folder with the files, all of them whole and of the right checksum.

    Raises:
        ConfigError: no such data set. DataError: no mirror gave the right file, or it cannot be written.
    """
    entry = DOWNLOADS[name]
    folder = (data_dir or cache_dir() / "data") / entry.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in entry.files:
            fetch(file, entry.mirrors, folder, force=force, progress=progress or (lambda *_: None))
    except OSError as error:
        raise DataError(
            f"cannot be written ({error.strerror or error})",
            where=str(folder),
            mend="choose another folder with --data-dir",
        ) from None
    return folder


def fetch(file: RemoteFile, mirrors: tuple[str, ...], folder: Path, *, force: bool, progress: Progress) -> Path:
    """Fetch one file from the first mirror that gives it rightly.

    What an interrupted call left is continued, on any mirror. The file appears under its name when it is whole and
    has the right checksum, not before.

    Raises:
        DataError: every mirror failed; says how.
    """
    path, partial = folder / file.name, folder / f".{file.name}.partial"
    if path.is_file() and not force and _sha256(path) == file.sha256:
        progress(file.name, file.size, file.size)
        return path
    failures = []
    for mirror in mirrors:
        failure = ""
        for _ in range(2):  # a second try continues after a broken connection, or starts anew after wrong bytes
            try:
                _transfer(mirror + file.name, partial, file, progress)
            except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                failure = _reason(error)
                if isinstance(error, urllib.error.HTTPError):
                    if error.code != 416:
                        break
                    partial.unlink(missing_ok=True)  # it refuses to go on from there
                continue
            size = partial.stat().st_size
            if size < file.size:
                failure = f"sent {size:,} of {file.size:,} bytes"
                continue
            if _sha256(partial) == file.sha256:
                os.replace(partial, path)
                return path
            failure = f"sent other bytes than expected ({size:,} bytes, wrong SHA-256)"
            partial.unlink()
        failures.append(f"{mirror} {failure}")
    raise DataError(
        f"{file.name} could not be fetched: {'; '.join(failures)}",
        where=str(path),
        expected=f"{file.size:,} bytes with SHA-256 {file.sha256}",
        mend="try again later (what has arrived is kept), or put the file there by hand",
    )


def _transfer(address: str, partial: Path, file: RemoteFile, progress: Progress) -> None:
    """Append what is missing of `partial`; never more than one byte beyond the expected size."""
    have = partial.stat().st_size if partial.exists() else 0
    if have >= file.size:
        if _sha256(partial) == file.sha256:
            return
        partial.unlink()
        have = 0
    request = urllib.request.Request(address, headers={"User-Agent": "linewise", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        goes_on = answer.status == 206 and (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
        have = have if goes_on else 0
        with open(partial, "ab" if goes_on else "wb") as out:
            while have <= file.size and (block := answer.read(min(BLOCK, file.size + 1 - have))):
                out.write(block)
                have += len(block)
                progress(file.name, min(have, file.size), file.size)
            out.flush()
            os.fsync(out.fileno())


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"answered {error.code}"
    if isinstance(error, TimeoutError):
        return f"did not answer within {TIMEOUT_S} s"
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    return f"could not be reached ({getattr(inner, 'strerror', None) or inner or type(inner).__name__})"


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
