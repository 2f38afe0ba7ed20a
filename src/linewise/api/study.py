"""A study on disk, from Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewise.foundations.folder import StudyFolder

if TYPE_CHECKING:
    from linewise.foundations.tuning import TuningRecord


class Study:
    """A study on disk and what it says.

    Attributes:
        path: its folder.

    Raises:
        DataError: the folder holds no study.
    """

    def __init__(self, path: str | Path) -> None:
        self.folder = StudyFolder.open(Path(path))
        self.path = self.folder.path

    @property
    def answer(self) -> str:
        """What the study showed, in one or two sentences."""
        return self._summary().answer

    @property
    def tuning(self) -> TuningRecord | None:
        """Trials and choices of the tuning; None where nothing was tuned."""
        return self.folder.tuning()

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row per network: cost, accuracies with intervals and n, times."""
        return self._summary().rows()

    @property
    def runs(self) -> list[dict[str, Any]]:
        """One row per run, as in `results.csv`."""
        return self._summary().run_rows()

    @property
    def figures(self) -> dict[str, Path]:
        """PNG figures of the report by name; made if they are not there."""
        folder = self.folder.report_path / "figures"
        if not folder.is_dir():
            self.report()
        return {path.stem: path for path in sorted(folder.glob("*.png"))}

    @property
    def report_is_current(self) -> bool:
        """Whether the page is newer than every record."""
        page = self.folder.report_path / "index.html"
        records = [self.folder.spec_path, *self.path.glob("runs/*/run.json"), *self.path.glob("tuning/*.json")]
        return page.exists() and page.stat().st_mtime > max(path.stat().st_mtime for path in records)

    def report(self) -> Path:
        """Make the report anew from the folder alone; the path of its page."""
        from linewise.report import build

        return build(self.path)

    def _summary(self) -> Any:
        from linewise.analysis import summarise

        return summarise(self.folder)

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r})"
