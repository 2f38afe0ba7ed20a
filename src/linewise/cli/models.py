"""`linewise models`: the networks and what they cost on some images."""

from __future__ import annotations

from typing import Annotated

import typer

from linewise.cli import options as o


def models(
    pattern: Annotated[
        str,
        typer.Argument(help="Names to show, such as '*lstm', or networks as typed, lstm@columns:layers=2,cnn."),
    ] = "*",
    data: Annotated[str, typer.Option(help="The images whose size, channels and classes count.")] = "digits",
    budget: Annotated[str | None, typer.Option(help="Solve each width to this, such as 80k.")] = None,
    match: o.BudgetMatch = None,
    size: o.Size = None,
    channels: o.Channels = "auto",
    data_dir: o.DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the networks with their parameters, true MACs, activation memory and sequential depth."""
    import json

    from linewise.foundations.errors import ConfigError
    from linewise.images import ImageOptions, load
    from linewise.models import list_models, parse_model, specify

    amount, counted = o.budget_and_match(budget, match)
    names = list_models(pattern) or [text for text in o.split_models(pattern) if "*" not in text]
    if not names:
        raise ConfigError(f"no network is called {pattern!r}", expected=f"one of {', '.join(list_models())}")
    record = load(
        data, images=ImageOptions(**o.image_options(size, "letterbox", channels)), data_dir=data_dir
    ).record
    height, width, channels_found = record.shape
    specs, refused = [], {}
    for text in names:
        try:
            name, sizes = parse_model(text)
            spec = specify(
                name,
                sizes,
                num_classes=len(record.class_names),
                in_chans=channels_found,
                img_size=(height, width),
                match=counted,  # type: ignore[arg-type]
                budget=amount,
            )
        except ConfigError as error:
            if len(names) == 1:
                raise
            refused[text] = error.found
        else:
            specs.append(spec)
    if as_json:
        typer.echo(json.dumps([spec.model_dump() for spec in specs], indent=1))
        return
    _print(specs, f"{data}: {height}×{width}×{channels_found}, {len(record.class_names)} classes", amount, counted)
    for text, why in refused.items():
        typer.echo(f"  {text}: left out: {why}")


def _print(specs: list, title: str, amount: int | None, match: str) -> None:
    from rich.table import Table

    from linewise.cli.tables import console
    from linewise.models.network import NETWORKS

    table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="bold")
    headers = ["network", "family", "sizes", "parameters", "MACs", "activations", "depth"]
    headers += [f"off {amount:,} {match}"] if amount else []
    for header in headers:
        table.add_column(header, justify="left" if header in ("network", "family", "sizes") else "right")
    for spec in specs:
        cost = spec.cost
        sizes = ", ".join(f"{k}={v}" for k, v in spec.sizes.items())
        row = [spec.name, spec.family, sizes, f"{cost.parameters:,}", f"{cost.macs:,}"]
        row += [
            f"{cost.activation_bytes / 1024:,.1f} KiB",
            "–" if cost.sequential_depth is None else str(cost.sequential_depth),
        ]
        table.add_row(*row, *([f"{spec.miss:+.2%}"] if spec.miss is not None else []))
    out = console()
    out.print(table)
    for spec in specs:
        out.print(f"  {spec.name}: {spec.note or NETWORKS[spec.name].summary}")
