"""The command line: one verb per file, loaded when it is used."""

from __future__ import annotations

from typing import Annotated

import typer

from linewise.cli import (
    bench,
    calibrate,
    compare,
    data,
    demo,
    evaluate,
    export,
    extend,
    log,
    models,
    predict,
    ranks,
    readings,
    report,
    serve,
    sharing,
    train,
    tune,
)

app = typer.Typer(
    name="linewise",
    help="Reads images the way you read a page, and shows whether a recurrent or a convolutional network serves "
    "your images better.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from linewise.foundations.version import version

        typer.echo(f"linewise {version()}")
        raise typer.Exit


@app.callback()
def _main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    ranks.refuse_other_verbs(context.invoked_subcommand)


app.command("compare")(compare.compare)
app.command("tune")(tune.tune)
app.command("train")(train.train)
app.command("extend")(extend.extend)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("models")(models.models)
app.command("readings")(readings.readings)
app.command("calibrate")(calibrate.calibrate)
app.command("report")(report.report)
app.command("bench")(bench.bench)
app.command("log")(log.log)
app.command("push")(sharing.push)
app.command("pull")(sharing.pull)
app.add_typer(data.app, name="data", help="Check and fetch images.")
