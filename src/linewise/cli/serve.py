"""`linewise serve`: trained networks behind HTTP, and the page that shows how they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer


def serve(
    runs: Annotated[list[Path], typer.Argument(help="Runs' folders; a study's stands for its first seed.")],
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    public: Annotated[bool, typer.Option("--public", help="Allow a --host that other machines reach.")] = False,
    token: Annotated[
        str,
        typer.Option(
            help="What clients must show.", envvar="LINEWISE_TOKEN", show_envvar=True, show_default=False
        ),
    ] = "",
    name: Annotated[
        list[str] | None, typer.Option(help="A name clients call this server by; may be repeated.")
    ] = None,
    no_teach: Annotated[bool, typer.Option("--no-teach", help="Let nobody train networks in the page.")] = False,
    threads: Annotated[int, typer.Option(help="Processor threads for the models.", min=1, max=256)] = 1,
) -> None:
    """Answer on HTTP: draw and watch at /, the API at /v1/predict, described at /docs."""
    open_server(runs, Options(port, host, public, token, tuple(name or ()), threads, not no_teach))


@dataclass(frozen=True)
class Options:
    """How to serve, as typed."""

    port: int = 8000
    host: str = "127.0.0.1"
    public: bool = False
    token: str = ""
    names: tuple[str, ...] = ()
    threads: int = 1
    teach: bool = True


def open_server(runs: list[Path], options: Options, opened: Callable[[str], object] | None = None) -> None:
    """Serve until a signal ends it.

    Args:
        opened: called with the address once it listens.
    """
    from linewise.api.folders import require

    require("serve")
    import torch

    from linewise.serve import server
    from linewise.serve.app import create_app
    from linewise.serve.desk import Desk
    from linewise.serve.settings import Settings

    settings = Settings(
        host=options.host,
        port=options.port,
        token=options.token,
        names=options.names,
        threads=options.threads,
        teach=options.teach,
    )
    server.check_address(settings, options.public)
    torch.set_num_threads(options.threads)
    desk = Desk.open(runs)
    listener = server.listen(settings)
    settings = replace(settings, port=listener.getsockname()[1])
    where = server.address(settings)
    typer.echo(f"{', '.join(desk.models)} at {where} (the API: {where}/docs). Ctrl-C ends it.")
    server.serve(create_app(desk, settings), listener, opened)
