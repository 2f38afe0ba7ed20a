"""`linewise extend`: further epochs for a run that has ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewise.cli import options as o

if TYPE_CHECKING:
    from linewise.foundations.records import StudySpec


def extend(
    run: Annotated[Path, typer.Argument(help="A finished run's folder, such as runs/digits-lstm-0.")],
    epochs: Annotated[int, typer.Option(min=1, help="Further passes over the training images.")],
    out: Annotated[
        Path | None, typer.Option(help="The new run's folder. Default: runs/DATA-MODEL-SEED+EPOCHS.")
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option("--lr", help="Peak learning rate of the second cycle. Default: the first one's."),
    ] = None,
    data_dir: o.DataDir = None,
    threads: Annotated[int | None, typer.Option(help="Processor threads. Default: as before.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: as before.")] = None,
    checkpoint_every: o.CheckpointEvery = o.CHECKPOINT_EVERY_S,
) -> None:
    """Train a finished network further, in a new folder: a second cycle of the learning rate from its weights."""
    from linewise.cli.display import Display
    from linewise.cli.train import tell, telling_how_to_resume
    from linewise.study.extension import extend as extend_run

    with telling_how_to_resume(out), Display() as display:

        def planned(spec: StudySpec, missing: list[str]) -> None:
            display.say(
                "the learning rate rises and falls once more from the weights of "
                f"{run}: not the same as that many epochs in one piece"
            )
            display.events.planned(spec, missing)

        events = replace(display.events, planned=planned)
        done = extend_run(
            run, epochs, out=out, lr=lr, data_dir=data_dir, threads=threads, device=device,
            command=o.typed_command(), events=events, checkpoint_s=checkpoint_every,
        )  # fmt: skip
    tell(done)
