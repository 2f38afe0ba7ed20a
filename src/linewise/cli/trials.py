"""Progress of the tuning: a live table on a terminal, one line per trial elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from linewise.cli.words import duration, settings_text
from linewise.foundations.amounts import count
from linewise.foundations.records import TuningPlan
from linewise.foundations.tuning import NetworkTuning, TrialRecord, best_of
from linewise.study.heartbeat import Beat


class Trials:
    """Listens to a tuning and shows where it is.

    Args:
        console: where the table goes.
        say: prints a line, above the table if there is one.
    """

    def __init__(self, console: Console, say: Callable[[str], None]) -> None:
        self.console, self.say = console, say
        self.plan: TuningPlan | None = None
        self.before: dict[str, int] = {}
        self.found: dict[str, list[TrialRecord]] = {}
        self.beats: dict[str, Beat] = {}
        self.began = time.monotonic()
        self.live: Live | None = None

    def planned(self, plan: TuningPlan, ended: dict[str, int]) -> None:
        self.plan, self.before = plan, ended
        self.found = {label: [] for label in ended}
        self.began = time.monotonic()
        have = sum(ended.values())
        images = "all training images" if plan.images is None else count(plan.images, "training image")
        self.say(
            f"tuning: {count(len(ended), 'network')} × {count(plan.trials, 'trial')}, "
            f"{count(plan.epochs, 'epoch')} on {images} each" + (f"; {have} are there already" if have else "")
        )
        if self.console.is_terminal and have < plan.trials * len(ended):
            self.live = Live(self.table(), console=self.console, refresh_per_second=5, transient=True)
            self.live.start()

    def trying(self, beats: dict[str, Beat]) -> None:
        self.beats = beats
        if self.live:
            self.live.update(self.table())

    def elsewhere(self, trials: int) -> None:
        self.say(
            f"waiting for {count(trials, 'trial')} of other launchers (one that is silent for a minute is "
            "taken over) …"
        )

    def tried(self, label: str, trial: TrialRecord) -> None:
        self.found[label].append(trial)
        if self.live:
            self.live.update(self.table())
            return
        assert self.plan is not None
        result = (
            f"validation {trial.validation_accuracy:.2%}, {trial.seconds:.1f} s"
            if trial.validation_accuracy is not None
            else f"{trial.status}: {trial.reason}"
        )
        self.say(
            f"{label}: trial {trial.number + 1} of {self.plan.trials}, {settings_text(trial.settings)}: {result}"
        )

    def chosen(self, network: NetworkTuning) -> None:
        self.stop()
        if network.best and network.settings:
            self.say(
                f"{network.label}: {settings_text(network.settings)} chosen, trial {network.best.number + 1} of "
                f"{len(network.trials)}, validation {network.best.validation_accuracy:.2%}"
            )

    def stop(self) -> None:
        if self.live:
            self.live.stop()
            self.live = None

    def table(self) -> Table:
        assert self.plan is not None
        table = Table(box=None, pad_edge=False, title=self._headline(), title_justify="left", title_style="")
        columns = (("network", "left"), ("", "left"), ("trials", "right"), ("running", "right"))
        for column, justify in (*columns, ("best validation so far", "right")):
            table.add_column(column, justify=justify)  # type: ignore[arg-type]
        for label, trials in self.found.items():
            done = self.before[label] + len(trials)
            shares = [_share(b) for key, b in self.beats.items() if key.rpartition("-trial-")[0] == label]
            best = best_of(trials)
            table.add_row(
                Text(label),
                ProgressBar(self.plan.trials, done + sum(shares), width=30),
                f"{done} of {self.plan.trials}",
                str(sum(share > 0 for share in shares) or ""),
                f"{best.validation_accuracy:.2%}" if best else "",
            )
        return table

    def _headline(self) -> str:
        assert self.plan is not None
        total, had = self.plan.trials * len(self.found), sum(self.before.values())
        new = sum(map(len, self.found.values()))
        passed = time.monotonic() - self.began
        share = (new + sum(map(_share, self.beats.values()))) / max(1, total - had)
        left = f", about {duration(passed * (1 - share) / share)} left" if share > 0.02 else ""
        return f"tuning: {had + new} of {total} trials done, {duration(passed)} so far{left}"


def _share(beat: Beat) -> float:
    return beat.step / beat.steps if beat.steps else 0.0
