"""`linewise export`: a trained network as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewise.cli import options as o

if TYPE_CHECKING:
    from linewise.export.exporting import Exported

FORMATS = ("onnx",)


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder, such as studies/digits/runs/lstm-0.")],
    format: Annotated[str, typer.Option("--format", help="onnx.")] = "onnx",
    steps: Annotated[
        bool, typer.Option("--steps", help="The answer and the state after each step as well.")
    ] = False,
    row_by_row: Annotated[
        bool, typer.Option("--row-by-row", help="One step in, states in and out: read while the image arrives.")
    ] = False,
    fixed_size: Annotated[
        bool, typer.Option("--fixed-size", help="Fix height and width where the network takes any.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="The file. Default: model.onnx and the like in the run's folder.")
    ] = None,
    data_dir: o.DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a trained network as ONNX, after comparing its answers with torch's on real images."""
    from linewise.foundations.errors import ConfigError, unknown_name

    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS, where="--format")
    if steps and row_by_row:
        raise ConfigError(
            "--steps and --row-by-row are two forms", expected="one of them", mend="export twice, with two --out"
        )
    if fixed_size and row_by_row:
        raise ConfigError("--fixed-size has no effect with --row-by-row", expected="one of them")
    from linewise.export.exporting import export_run

    found = export_run(
        run,
        out,
        form="steps" if steps else "row-by-row" if row_by_row else "image",
        fixed_size=fixed_size,
        data_dir=data_dir,
    )
    typer.echo(found.model_dump_json(indent=1) if as_json else _told(found))


def _told(found: Exported) -> str:
    lines = [
        f"{found.path}: {found.bytes:,} bytes, {found.operators} operators, opset {found.opset}, "
        f"IR version {found.ir_version}, {found.seconds:.1f} s"
    ]
    for title, parts in (("in: ", found.inputs), ("out:", found.outputs)):
        lines += [f"  {title} {name} {'×'.join(map(str, shape))}" for name, shape in parts.items()]
    lines.append(f"compared with torch on {found.images}:")
    lines.append(f"  batches of {_listed(found.batches)}; sizes {_listed([f'{h}×{w}' for h, w in found.sizes])}")
    if found.steps:
        few = found.steps if len(found.steps) == 1 else [f"1 to {found.steps[-1]}"]
        lines[-1] += f"; {_listed(few)} steps"
    lines.append(
        f"  {found.numbers:,} numbers, largest difference {found.difference:.1e} of the largest number "
        f"(allowed: {found.tolerance:.0e})"
    )
    if found.missing:
        lines.append(f"not on images of its own data: {found.missing}")
    return "\n".join(lines)


def _listed(parts: list[int] | list[str]) -> str:
    words = list(map(str, parts))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
