"""Answers as lines for people, JSON or CSV, each written as soon as it is known."""

from __future__ import annotations

import csv
import json
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, final

import typer

from linewise.cli.words import visible
from linewise.foundations.cells import safe_cell

if TYPE_CHECKING:
    from linewise.images.recognition import Answer


class Form(ABC):
    """A way to write answers on standard output."""

    @abstractmethod
    def begin(self) -> None:
        """What stands before all answers."""

    @abstractmethod
    def add(self, answer: Answer) -> None: ...

    @abstractmethod
    def end(self) -> None:
        """What stands after all answers."""


@final
class Lines(Form):
    """A line for each image."""

    def begin(self) -> None:
        pass

    def add(self, answer: Answer) -> None:
        classes = ", ".join(f"{visible(c.name)} {c.probability:.1%}" for c in answer.top)
        read = ""
        if answer.read is not None:
            read = f" ({answer.read} of {answer.steps} steps read)"
        elif answer.enough is not None:
            read = f" (--early would read {answer.enough} of {answer.steps} steps)"
        typer.echo(f"{visible(answer.path)}: {classes}{read}")

    def end(self) -> None:
        pass


@final
class JSON(Form):
    """One array, an object on each line, so that it can also be read line by line."""

    def __init__(self) -> None:
        self.between = "\n"

    def begin(self) -> None:
        typer.echo("[", nl=False)

    def add(self, answer: Answer) -> None:
        typer.echo(f"{self.between}{json.dumps(answer.model_dump(), ensure_ascii=False)}", nl=False)
        self.between = ",\n"

    def end(self) -> None:
        typer.echo("\n]")


@final
class CSV(Form):
    """A row for each image; texts that a spreadsheet would take for formulas get an apostrophe in front.

    Args:
        top: classes in each answer.
        steps: with columns for the steps that were read.
    """

    def __init__(self, top: int, steps: bool) -> None:
        self.writer, self.top, self.steps = csv.writer(sys.stdout, lineterminator="\n"), top, steps

    def begin(self) -> None:
        classes = [f"{kind}_{n}" for n in range(1, self.top + 1) for kind in ("class", "probability")]
        self.writer.writerow(["path", *classes, *(["read", "steps", "enough"] if self.steps else [])])

    def add(self, answer: Answer) -> None:
        classes = [cell for likely in answer.top for cell in (safe_cell(likely.name), f"{likely.probability:.6g}")]
        steps = [answer.read, answer.steps, answer.enough] if self.steps else []
        self.writer.writerow([safe_cell(answer.path), *classes, *steps])
        sys.stdout.flush()

    def end(self) -> None:
        pass
