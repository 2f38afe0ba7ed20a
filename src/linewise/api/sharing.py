"""A shelf of models, each laid out as Hugging Face lays out a model: `push` puts one there, `pull` takes it.

SHELF/NAME/README.md            a model card with YAML in front
SHELF/NAME/config.json          the network, for programs that look for this file
SHELF/NAME/model.json           all it takes to answer: network, classes, preprocessing
SHELF/NAME/model.safetensors    the weights
SHELF/NAME/SHA256SUMS           a checksum of each file; `sha256sum -c` reads it
and what else the run has of run.json, epochs.csv, stop.json, estimator.json. Nothing leaves the machine,
nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from linewise.foundations.errors import ConfigError, DataError, SavedModelError

if TYPE_CHECKING:
    from linewise.models.saved import ModelCard

SUMS = "SHA256SUMS"
NEEDED = ("README.md", "config.json", "model.json", "model.safetensors")
FURTHER = ("run.json", "epochs.csv", "stop.json", "estimator.json")
MOST_BYTES = 8 << 30
_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9]|[._-](?=[A-Za-z0-9])){0,95}")


def push(
    run: str | Path,
    shelf: str | Path,
    name: str | None = None,
    *,
    license: str = "unknown",
    tags: Iterable[str] = (),
    replace: bool = False,
) -> Path:
    """Put a copy of a run's model on a shelf.

    Args:
        run: the folder of a run.
        shelf: a folder that holds models; made where it is not there.
        name: `NAME` or `OWNER/NAME`; None takes that of the study and the run, such as `digits-lstm-0`.
        license: of the model, for the card, as Hugging Face writes it, such as `apache-2.0`.
        tags: for the card, beside those that follow from the model.
        replace: put it in the place of another model of this name.

    Returns:
        The model's folder on the shelf. The same model there already is left as it is.

    Raises:
        ConfigError: a name that is none, or taken by another model. SavedModelError: the model is damaged.

    Example:
        >>> linewise.push("studies/digits/runs/lstm-0", "shelf", "digits-lstm")    # doctest: +SKIP
        >>> linewise.load_model(linewise.pull("shelf", "digits-lstm"))             # doctest: +SKIP
    """
    from linewise.api.model_card import write_card
    from linewise.foundations.atomic import write_json, write_text
    from linewise.models.saved import load_model

    path = Path(run)
    card = load_model(path).card
    target = _place(Path(shelf), _name_of(path) if name is None else name)
    with _draft(target) as draft:
        for file in ("model.json", "model.safetensors"):
            shutil.copyfile(path / file, draft / file)
        for file in FURTHER:
            if os.path.lexists(path / file):
                _copy_regular(path / file, draft / file)
        write_json(draft / "config.json", _config(card))
        write_card(draft / "README.md", path, card, target.name, license, [*tags])
        files = [file for file in (*NEEDED, *FURTHER) if (draft / file).is_file()]
        write_text(draft / SUMS, "".join(f"{_sha256(draft / file)}  {file}\n" for file in files))
        load_model(draft)
        _put(draft, target, replace)
    return target


def pull(shelf: str | Path, name: str, out: str | Path | None = None) -> Path:
    """Take a copy of a model from a shelf, every file checked before it is there.

    Args:
        name: `NAME` or `OWNER/NAME`.
        out: a new folder; None chooses `runs/NAME`. The same model there already is left as it is.

    Returns:
        The folder, a run for `linewise.load_model`, `linewise predict` and the rest.

    Raises:
        ConfigError: a name that is none, or the folder holds something else. DataError: no such model.
        SavedModelError: a file is missing, damaged or none of a model's.
    """
    from linewise.models.saved import load_model

    source = _place(Path(shelf), name)
    if not source.is_dir():
        there = ", ".join(models_on(shelf)[:10])
        raise DataError(
            f"no model {name!r}", where=str(shelf), expected=f"one of {there}" if there else "a shelf with models"
        )
    target = Path(out) if out is not None else Path("runs") / source.name
    with _draft(target) as draft:
        sums = _read_sums(source)
        for file in sums:
            _copy_regular(source / file, draft / file)
            if _sha256(draft / file) != sums[file]:
                raise SavedModelError(
                    "the checksum differs: the file was damaged or changed after it was pushed",
                    where=str(source / file),
                    mend="push the model again",
                )
        shutil.copyfile(source / SUMS, draft / SUMS)
        load_model(draft)
        _put(draft, target, replace=False)
    return target


def models_on(shelf: str | Path) -> list[str]:
    """Names of the models on a shelf."""
    found = [*Path(shelf).glob(f"[!.]*/{SUMS}"), *Path(shelf).glob(f"[!.]*/[!.]*/{SUMS}")]
    return sorted(path.parent.relative_to(shelf).as_posix() for path in found)


def _place(shelf: Path, name: str) -> Path:
    """Where a model lies, inside the shelf whatever the name."""
    parts = name.split("/")
    if len(parts) > 2 or not all(_PART.fullmatch(part) for part in parts):
        raise ConfigError(
            f"the name {name!r}",
            expected="NAME or OWNER/NAME of letters, digits and single . _ - between them, at most 96 each",
        )
    place = shelf.joinpath(*parts)
    if place.resolve().parent != shelf.resolve().joinpath(*parts[:-1]):
        raise ConfigError("leads out of the shelf by a link", where=str(place), expected="a folder of its own")
    if len(parts) == 2 and (shelf / parts[0] / SUMS).exists():
        raise ConfigError(
            f"{parts[0]!r} is a model, and no owner of models", where=str(shelf), mend="another name"
        )
    if len(parts) == 1 and place.is_dir() and not (place / SUMS).exists() and any(place.glob(f"*/{SUMS}")):
        raise ConfigError(f"{name!r} is an owner of models", where=str(shelf), mend=f"{name}/NAME")
    return place


def _name_of(run: Path) -> str:
    path = run.resolve()
    parts = [path.parent.parent.name, path.name] if path.parent.name == "runs" else [path.name]
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(filter(None, parts))).strip("-")[:96].strip("-")


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A folder beside `target` to write into; gone at the end, unless it was put in its place."""
    place = Path(os.path.abspath(target))
    if not place.name:
        raise ConfigError("no folder for a model", where=str(target), mend="name a new folder in it")
    path = place.with_name(f".{place.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(path.parent)) from None
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _put(draft: Path, target: Path, replace: bool) -> None:
    """The whole folder at once into its place; another model there stays, unless it is to be replaced."""
    if target.exists() or target.is_symlink():
        sums = target / SUMS
        if sums.is_file() and sums.read_bytes() == (draft / SUMS).read_bytes() and _is_whole(target):
            return
        if not (replace and sums.is_file()):
            raise ConfigError(
                "another model is there" if sums.is_file() else "is there already, and is no model of a shelf",
                where=str(target),
                mend="choose another name" + (", or replace it" if sums.is_file() else ""),
            )
        aside = draft.with_suffix(".old")
        _rename(target, aside)
        try:
            _rename(draft, target)
        except BaseException:
            if not os.path.lexists(target):
                _rename(aside, target)
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return
    _rename(draft, target)


def _rename(source: Path, target: Path) -> None:
    """Onto nothing: what another has put there in the meantime stays."""
    try:
        os.replace(source, target)
    except OSError as error:
        raise ConfigError(
            f"cannot be put there ({error.strerror})",
            where=str(target),
            mend="try again, where another does the same",
        ) from None


def _is_whole(folder: Path) -> bool:
    try:
        return all(_sha256(folder / file) == digest for file, digest in _read_sums(folder).items())
    except (SavedModelError, OSError):
        return False


def _read_sums(folder: Path) -> dict[str, str]:
    """Checksums by file; known file names only, all that are needed among them."""
    path = folder / SUMS
    try:
        _check_regular(path)
        text = path.read_bytes()[: 64 << 10].decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SavedModelError(f"cannot be read ({error})", where=str(path)) from None
    sums: dict[str, str] = {}
    for line in text.splitlines():
        found = re.fullmatch(r"([0-9a-f]{64})  (\S+)", line)
        if not found or found[2] not in (*NEEDED, *FURTHER) or found[2] in sums:
            raise SavedModelError(
                f"the line {line[:100]!r}", where=str(path), expected="a checksum and the name of a model's file"
            )
        sums[found[2]] = found[1]
    if missing := [file for file in NEEDED if file not in sums]:
        raise SavedModelError(f"no {', '.join(missing)}", where=str(path), expected="a whole model")
    return sums


def _copy_regular(source: Path, target: Path) -> None:
    """A copy of a file that is one: no link, no device, no giant."""
    try:
        _check_regular(source)
        shutil.copyfile(source, target, follow_symlinks=False)
    except OSError as error:
        raise SavedModelError(f"cannot be read ({error.strerror})", where=str(source)) from None


def _check_regular(path: Path) -> None:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
        raise SavedModelError("not a plain file, or a giant", where=str(path), expected="a model's file")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _config(card: ModelCard) -> dict[str, object]:
    """`config.json`, with the fields that image classifiers have there."""
    network = card.network
    return {
        "library_name": "linewise",
        "linewise_version": card.linewise_version,
        "architectures": [network.name],
        "architecture": network.name,
        "num_classes": network.num_classes,
        "num_channels": network.in_chans,
        "image_size": list(network.img_size),
        "sizes": network.sizes,
        "id2label": {str(k): name for k, name in enumerate(card.class_names)},
        "label2id": {name: k for k, name in enumerate(card.class_names)},
    }
