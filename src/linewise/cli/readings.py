"""`linewise readings`: the orders in which an image can be read, and what they look like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linewise.cli import options as o


def readings(
    names: Annotated[list[str] | None, typer.Argument(help="Readings, such as rows5-stride2 hilbert.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Draw each over an image: NAME.png and NAME.gif.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where --show writes. Default: readings/.", show_default=False)
    ] = None,
    data: Annotated[str, typer.Option(help="The images whose size counts; --show draws one of them.")] = "digits",
    image: Annotated[
        int | None,
        typer.Option(help="Which training image --show draws, from 0, the default.", show_default=False),
    ] = None,
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

    if not show and (
        given := [f"--{key}" for key, value in (("out", out), ("image", image)) if value is not None]
    ):
        raise ConfigError(f"{' and '.join(given)}, and nothing to be drawn", mend="add --show")
    out, image = out or Path("readings"), image or 0
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
