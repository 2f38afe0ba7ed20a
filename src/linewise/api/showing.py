"""What `linewise demo` shows: a study with a reader and a CNN, found under `studies/` or made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewise.api import folders
from linewise.api.comparing import compare
from linewise.api.study import Study
from linewise.foundations.defaults import READ_ALONG
from linewise.foundations.errors import DataError

if TYPE_CHECKING:
    from linewise.foundations.folder import Run
    from linewise.study.events import Events

MODELS = ("lstm", "gru", "cnn")
RECIPES: dict[str, dict[str, Any]] = {"digits": {"epochs": 30, "augment": {"shift": 1, "rotate": 15}}}
"""1,797 digits of 8×8 pixels want more than the usual five passes, and to be moved, before they know drawings."""


def data_at_hand(data_dir: Path | None = None) -> str:
    """`mnist` where its files lie, else the embedded `digits`."""
    from linewise.images.sources.named import NAMED

    return "mnist" if NAMED["mnist"].look(data_dir) else "digits"


def demo_study(
    data: str | None = None,
    *,
    out: Path | None = None,
    data_dir: Path | None = None,
    events: Events | None = None,
    command: str = "linewise demo",
) -> tuple[Study, bool]:
    """A study with a finished reader and a finished CNN, and whether it was there already.

    Args:
        data: images, as for `compare`; None takes those at hand.
        out: the study's folder; None looks for one of these data under `studies/`, the newest first, and makes a
            new one where there is none.

    Raises:
        DataError: the data cannot be used. ConfigError: `out` holds a study of other data.
    """
    name = data or data_at_hand(data_dir)
    folder = out or _newest(Path(name).name)
    if folder is not None and shown(folder):
        return Study(folder), True
    study = compare(
        name,
        out=folder or folders.fresh_folder(f"demo-{Path(name).name}"),
        models=list(MODELS),
        seeds=1,
        read_along=READ_ALONG,
        data_dir=data_dir,
        report=False,
        events=events,
        command=command,
        **RECIPES.get(name, {}),
    )
    return study, False


def shown(folder: Path) -> list[Run]:
    """The runs of a study that the page shows: of each network, the finished one with the lowest seed.

    Readers that answer after each row come first, then convolutional networks, then the others; none where either
    is missing.
    """
    from linewise.foundations.folder import StudyFolder

    try:
        runs = [run for run in StudyFolder.open(folder).runs() if run.record.status == "finished"]
    except DataError:
        return []
    first: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        if (run.path / "model.json").is_file():
            first.setdefault(run.label, run)
    kinds: tuple[list[Run], list[Run], list[Run]] = ([], [], [])
    for run in first.values():
        convolutional = run.record.model.family == "convolutional"
        kinds[0 if (run.path / "steps.npz").exists() else 1 if convolutional else 2].append(run)
    readers, convolutional, others = kinds
    readers.sort(key=lambda run: run.label not in MODELS)
    return [*readers, *convolutional, *others] if readers and convolutional else []


def _newest(name: str) -> Path | None:
    """The newest study of data of this name under `studies/` that can be shown."""
    from linewise.foundations.records import StudySpec

    found = sorted(folders.STUDIES.glob("*/study.json"), key=lambda path: -path.stat().st_mtime)
    for path in found:
        try:
            if StudySpec.load(path).data.name == name and shown(path.parent):
                return path.parent
        except DataError:
            continue
    return None
