"""`linewise predict`: what a trained network sees in images."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewise.cli.predict_forms import CSV, JSON, Lines
from linewise.cli.words import visible
from linewise.foundations.amounts import count

if TYPE_CHECKING:
    import numpy as np

    from linewise.cli.predict_forms import Form
    from linewise.foundations.errors import DataError
    from linewise.images.answering import Answerer, Asking
    from linewise.images.files.asked import Asked
    from linewise.report.explanation import Pages
    from linewise.tracing.record import Trace

EXPLANATIONS = Path("explanations")
NOT_ON_THE_WAY = (
    "This exported model answers at its end only; one made by linewise export with --steps also tells what it "
    "believed on the way."
)


def predict(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|MODEL.onnx",
            help="A run's folder, such as studies/digits/runs/lstm-0, or an exported model.",
        ),
    ],
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE|FOLDER|-",
            help="Image files, folders (all images below them), or - for standard input: one image, or a list of "
            "files, one on a line.",
        ),
    ],
    top: Annotated[int, typer.Option(help="Answers per image.", min=1)] = 3,
    early: Annotated[
        bool, typer.Option("--early", help="Stop reading by the rule of `linewise calibrate`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: one array, a line for each image.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: a row for each image.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also write a page for each image: how it was read, row by row.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pages of --explain.", show_default=str(EXPLANATIONS))
    ] = None,
) -> None:
    """Print the most likely classes of images, prepared exactly as in training.

    Images that cannot be read are listed at the end; the exit code is then 3.
    """
    from linewise.foundations.errors import ConfigError
    from linewise.images.files.asked import asked

    if as_json and as_csv:
        raise ConfigError("--json and --csv together", expected="one of them")
    if out is not None and not explain:
        raise ConfigError("a folder for pages that are not asked for", where="--out", mend="add --explain")
    opened = _open_onnx(model, early) if model.suffix.lower() == ".onnx" else _open_run(model, early)
    wanted = asked(images, sys.stdin.buffer)
    pages = None
    if explain:
        from linewise.report.explanation import Pages

        pages = Pages(out or EXPLANATIONS, [source.short for source in wanted.sources])
    shown = min(top, len(opened.answerer.class_names))
    form = JSON() if as_json else CSV(shown, opened.may_stop) if as_csv else Lines()
    failed = _answer(opened, wanted, shown, form, pages)
    if pages and pages.entries:
        _say(f"pages: {pages.finish(failed) or pages.folder / pages.entries[0].page}")
    _list_failed(wanted, failed)


@dataclass(frozen=True)
class Opened:
    """A network, how it is asked, how it is watched, whether it may stop early, and why it tells nothing on the
    way where its file is to blame."""

    answerer: Answerer
    ask: Asking | None
    watch: Callable[[np.ndarray], Trace]
    may_stop: bool
    note: str = ""


def _open_run(path: Path, early: bool) -> Opened:
    from linewise.study.prediction import RunModel

    model = RunModel(path)
    if model.warning and not early:
        _say(f"warning: {model.warning}")
    watch = lambda image_HWC: model.trace(image_HWC, occlusion=True)  # noqa: E731
    return Opened(model, model.asking(early), watch, early or model.rule is not None)


def _open_onnx(path: Path, early: bool) -> Opened:
    from linewise.export.onnx_model import load_onnx
    from linewise.export.onnx_trace import trace_onnx
    from linewise.foundations.errors import ConfigError

    if early:
        raise ConfigError(
            "an exported model has no rule to stop by", where="--early", mend="name the run's folder"
        )
    model = load_onnx(path)
    note = NOT_ON_THE_WAY if model.card.form == "image" else ""
    return Opened(model, None, lambda image_HWC: trace_onnx(model, image_HWC), False, note)


def _answer(opened: Opened, wanted: Asked, top: int, form: Form, pages: Pages | None) -> list[DataError]:
    """Write all answers, and pages; what cannot be read comes back."""
    from linewise.foundations.errors import DataError
    from linewise.foundations.interrupts import STOP
    from linewise.images.recognition import recognise

    failed, reverse = list(wanted.errors), 0
    watched = not sys.stdout.isatty()  # answers that run over the screen are progress enough
    form.begin()
    found = recognise(opened.answerer, wanted.sources, top, ask=opened.ask, progress=watched)
    try:
        with STOP.heeded():
            for number, seen in enumerate(found):
                if isinstance(seen, DataError):
                    failed.append(seen)
                    continue
                form.add(seen.answer)
                reverse += opened.answerer.preprocessing.looks_reversed(seen.image_HWC)
                if pages:
                    pages.add(number, opened.watch(seen.image_HWC), seen.source.path, opened.note)
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, SIGTERM: what is out can still be read
        form.end()
        raise
    form.end()
    if reverse:
        _warn_of_reversed(reverse, len(wanted.sources), opened.answerer.preprocessing.is_dark)
    return failed


def _warn_of_reversed(reverse: int, number: int, dark: bool) -> None:
    learned, seen = ("light on dark", "dark on light") if dark else ("dark on light", "light on dark")
    _say(
        f"warning: {seen}, where the network learned {learned}: {reverse:,} of {count(number, 'image')}; turn "
        "such images round first (their negatives), or drop them into the page of linewise demo, which does that"
    )


def _list_failed(wanted: Asked, failed: list[DataError]) -> None:
    from linewise.images.checking.findings import listed

    if wanted.left_out:
        names = listed([visible(name) for name in wanted.left_out])
        _say(f"warning: {count(len(wanted.left_out), 'file')} left out, no images: {names}")
    if not failed:
        return
    for error in failed:
        _say(f"error: {visible(error.where)}: {visible(error.found)}")
    read = len(wanted.sources) + len(wanted.errors) - len(failed)
    _say(f"{count(read, 'image')} answered, {len(failed):,} could not be read")
    raise typer.Exit(3)


def _say(text: str) -> None:
    typer.echo(text, err=True)
