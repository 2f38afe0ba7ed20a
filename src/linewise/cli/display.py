"""Progress for people: a live table on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from linewise.cli.trials import Trials
from linewise.cli.words import duration
from linewise.foundations.amounts import count
from linewise.foundations.records import StudySpec
from linewise.study.events import Events
from linewise.study.heartbeat import Beat

SHOWN_WAITING = 3


class Display:
    """Listens to a study and shows where it is.

    Use as a context manager; `events` is what `run_study` calls.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.trials = Trials(self.console, self.say)
        self.events = Events(
            self._planned, self._progress, self._ended, self._opened, self._warned,
            self.trials.planned, self.trials.trying, self.trials.tried, self.trials.chosen, self._compiling,
            self.trials.elsewhere,
        )  # fmt: skip
        self.keys: list[str] = []
        self.beats: dict[str, Beat] = {}
        self.over: dict[str, str] = {}
        self.said: dict[str, int] = {}
        self.gone_on: set[str] = set()
        self.began = time.monotonic()
        self.live: Live | None = None

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *error: object) -> None:
        self.trials.stop()
        if self.live:
            self.live.stop()
            self.live = None

    def _planned(self, spec: StudySpec, missing: list[str]) -> None:
        self.keys = missing
        self.began = time.monotonic()
        networks, seeds = len(spec.models), len(spec.seeds)
        total = networks * seeds
        have = total - len(missing)
        self.say(
            f"{count(total, 'run')}: {count(networks, 'network')} × {count(seeds, 'seed')}, "
            f"{count(spec.recipe.epochs, 'epoch')} each" + (f"; {have} are there already" if have else "")
        )
        for model in spec.models:
            if model.note and model.miss is not None:
                self.say(f"  {model.label}: {model.note}")
        if missing and self.console.is_terminal:
            self.live = Live(self._table(), console=self.console, refresh_per_second=5, transient=True)
            self.live.start()

    def _progress(self, beats: dict[str, Beat]) -> None:
        self.beats.update(beats)
        for key, beat in beats.items():
            if beat.begun and key not in self.gone_on:
                self.gone_on.add(key)
                self.said[key] = len(beat.epochs)
                self.say(f"{key}: goes on after step {beat.begun:,} of {beat.steps:,}")
        if self.live:
            self.live.update(self._table())
        else:
            for key, beat in beats.items():
                self._say_epochs(key, beat)

    def _say_epochs(self, key: str, beat: Beat) -> None:
        for epoch in beat.epochs[self.said.get(key, 0) :]:
            self.say(
                f"{key}: epoch {epoch.epoch}, loss {epoch.train_loss:.4f}, train {epoch.train_accuracy:.2%}, "
                f"validation {epoch.validation_accuracy:.2%}, {epoch.train_s:.1f} s"
            )
        self.said[key] = len(beat.epochs)

    def _ended(self, key: str, failure: str) -> None:
        self.over[key] = failure
        if failure:
            self.say(f"{key} failed: {failure}")
        if self.live and len(self.over) >= len(self.keys):
            self.live.stop()
            self.live = None

    def _opened(self, runs: int) -> None:
        self.say(f"opening the test set for {count(runs, 'run')}, timing them in alternation …")

    def _compiling(self) -> None:
        self.say("compiling kernels for this processor (once, about 2 s) …")

    def _warned(self, text: str) -> None:
        self.say(f"warning: {text}")

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(Text(text), soft_wrap=True)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, title=self._headline(), title_justify="left", title_style="")
        for column, justify in (("run", "left"), ("", "left"), ("epoch", "right"), ("validation", "right")):
            table.add_column(column, justify=justify)  # type: ignore[arg-type]
        running = [k for k in self.keys if k not in self.over and self.beats.get(k, Beat()).step]
        waiting = [k for k in self.keys if k not in self.over and k not in running]
        ended = [k for k in self.keys if k in self.over]
        room = max(4, self.console.height - len(running) - SHOWN_WAITING - 6)
        for key in [*ended[-room:], *running, *waiting[:SHOWN_WAITING]]:
            self._row(table, key)
        if len(waiting) > SHOWN_WAITING:
            table.add_row(Text(f"… {len(waiting) - SHOWN_WAITING} more waiting", style="dim"))
        return table

    def _row(self, table: Table, key: str) -> None:
        beat = self.beats.get(key, Beat())
        bar: Text | ProgressBar = ProgressBar(beat.steps, beat.step, width=30)
        if key in self.over:
            bar = Text("failed" if self.over[key] else "done")
        elif not beat.step:
            bar = Text("waiting", style="dim")
        last = beat.epochs[-1] if beat.epochs else None
        table.add_row(
            Text(key), bar, str(last.epoch if last else ""), f"{last.validation_accuracy:.2%}" if last else ""
        )

    def _headline(self) -> str:
        done = sum(1.0 if k in self.over else self._share(k) for k in self.keys) / max(1, len(self.keys))
        passed = time.monotonic() - self.began
        left = f", about {duration(passed * (1 - done) / done)} left" if done > 0.02 else ""
        return f"{len(self.over)} of {len(self.keys)} runs done, {duration(passed)} so far{left}"

    def _share(self, key: str) -> float:
        beat = self.beats.get(key, Beat())
        return beat.step / beat.steps if beat.steps else 0.0
