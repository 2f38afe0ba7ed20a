"""`linewise readings`: the orders in which an image can be read, and what they look like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linewise.cli import options as o


def readings(
    names: Annotated[list[str] | None, typer.Argument(help="Readings, such as rows5-stride2 hilbert.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Draw each over an image: NAME.png and NAME.gif.")] = False,
    out: Annotated[Path, typer.Option(help="Where --show writes.")] = Path("readings"),
    data: Annotated[str, typer.Option(help="The images whose size counts; --show draws one of them.")] = "digits",
    image: Annotated[int, typer.Option(help="Which training image --show draws, from 0.")] = 0,
    size: o.Size = None,
    channels: o.Channels = "auto",
    data_dir: o.DataDir = None,
) -> None:
    """List readings with their steps; with --show, draw how each walks over a real image."""
    from rich.table import Table

    from linewise.cli.tables import console
    from linewise.foundations.errors import ConfigError
    from linewise.images import ImageOptions, load
    from linewise.reading import EXAMPLES, parse

    chosen = [reading for text in names or EXAMPLES for reading in parse(text)]
    found = load(data, images=ImageOptions(**o.image_options(size, "letterbox", channels)), data_dir=data_dir)
    height, width, num_channels = found.record.shape
    table = Table(
        box=None,
        pad_edge=False,
        title=f"{data}: {height}×{width}×{num_channels}",
        title_justify="left",
        title_style="bold",
    )
    for header in ("reading", "a step is", "steps", "numbers per step"):
        table.add_column(header, justify="left" if header in ("reading", "a step is") else "right")
    for reading in chosen:
        steps, numbers = reading.num_steps(height, width), reading.num_features(num_channels, height, width)
        table.add_row(reading.name, EXAMPLES.get(reading.name, ""), f"{steps:,}", f"{numbers:,}")
    if show and not 0 <= image < len(found.train):
        raise ConfigError(f"image {image}", where="--image", expected=f"0 to {len(found.train) - 1:,}")
    console().print(table)
    if not show:
        return
    from linewise.report.paths import ReadingPath, save_path

    pixels_HWC = found.train.images_NHWC[image]
    for reading in chosen:
        try:
            paths = save_path(ReadingPath(reading.name, pixels_HWC, reading.order(height, width)), out)
        except OSError as error:
            raise ConfigError(
                f"cannot be written ({error.strerror})", where=str(out), mend="choose another --out"
            ) from None
        typer.echo(f"{paths[0]}  {paths[1]}")
