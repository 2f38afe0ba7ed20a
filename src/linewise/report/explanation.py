"""Pages about single images: how each was read, row by row; every page stands alone."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, final

from linewise.foundations.atomic import write_text
from linewise.foundations.errors import ConfigError, DataError, missing_extra
from linewise.foundations.version import version
from linewise.report.explanation_parts import Parts, thumb
from linewise.tracing.record import Trace

MARK = '<meta name="generator" content="Linewise explanation">'
"""In the first lines of every page: only such files are replaced."""
INDEX, LONGEST = "index.html", 80


@dataclass(frozen=True)
class Entry:
    """A line of the index."""

    page: str
    path: str
    image: str
    answer: str
    probability: float
    settled: str


@final
class Pages:
    """A page for each image in one folder, and an index where there are several.

    Args:
        folder: made where it is missing.
        shorts: what each image is called, in the order in which they come.

    Raises:
        ConfigError: the folder cannot be written, or holds other files under these names; nothing is written then.
    """

    def __init__(self, folder: Path, shorts: Sequence[str]) -> None:
        _template("explanation.html")  # says at once what is not installed
        self.folder, self.label, self.entries = folder, "the network", list[Entry]()
        self.names = _names(shorts)
        self.several = len(shorts) > 1
        _check(folder, [*self.names, *([INDEX] if self.several else [])])

    def add(self, number: int, trace: Trace, path: str, note: str = "") -> Path:
        """Write the page of one image.

        Args:
            number: its place among `shorts`.
            path: what the image is called.
            note: why there are no answers on the way, where that is not the network's doing.
        """
        parts, name = Parts(trace), self.names[number]
        page = self.folder / name
        _write(page, _template("explanation.html").render(
            mark=MARK, parts=parts, trace=trace, path=path, note=note, index=INDEX if self.several else "",
            version=version(),
        ))  # fmt: skip
        (answer, probability), *_ = parts.best(1)
        settled = f"{parts.unit} {trace.settled} of {trace.num_steps}" if trace.settled else ""
        self.label = trace.label
        self.entries.append(Entry(name, path, thumb(trace.image_HWC), answer, probability, settled))
        return page

    def finish(self, failed: Sequence[DataError]) -> Path | None:
        """Write the index, where there are several images; what could not be read is named in it."""
        if not self.several:
            return None
        index = _template("explanation_index.html").render(
            mark=MARK,
            label=self.label,
            entries=self.entries,
            failed=[(error.where, error.found) for error in failed],
            version=version(),
        )
        _write(self.folder / INDEX, index)
        return self.folder / INDEX


@cache
def _template(name: str) -> Any:
    try:
        import jinja2
    except ImportError:
        raise missing_extra("jinja2", "report", "--explain") from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("linewise.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = _percent
    return environment.get_template(name)


def _percent(fraction: float) -> str:
    """In percent with one decimal; what is not all or nothing does not look so.

    >>> _percent(0.5), _percent(0.99996), _percent(0.00001)
    ('50.0 %', '> 99.9 %', '< 0.1 %')
    """
    if 0.9995 <= fraction < 1:
        return "> 99.9 %"
    if 0 < fraction < 0.0005:
        return "< 0.1 %"
    return f"{100 * fraction:.1f} %"


def _names(shorts: Sequence[str]) -> list[str]:
    """File names of pages, each once, whatever the images are called.

    >>> _names(["cat/1.png", "cat-1.jpg", "<i>.png", "index"])
    ['cat-1.html', 'cat-1-2.html', 'i.html', 'index-2.html']
    """
    taken, found = {"index"}, []
    for short in shorts:
        stem = re.sub(r"\.\w{1,5}$", "", short)
        stem = re.sub(r"[^\w.]+", "-", stem).strip("-._")[:LONGEST] or "image"
        name, count = stem, 1
        while name.casefold() in taken:
            count += 1
            name = f"{stem}-{count}"
        taken.add(name.casefold())
        found.append(f"{name}.html")
    return found


def _check(folder: Path, names: Sequence[str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})", where=str(folder), mend="name another folder with --out"
        ) from None
    for name in names:
        if _is_foreign(folder / name):
            raise ConfigError(
                "is there already, and no page of ours",
                where=str(folder / name),
                mend="name another folder with --out, or move the file away",
            )


def _is_foreign(path: Path) -> bool:
    if path.is_symlink():
        return True
    try:
        with open(path, "rb") as file:
            return MARK.encode() not in file.read(500)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        raise DataError(f"cannot be written ({error.strerror})", where=str(path)) from None
