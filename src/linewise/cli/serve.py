"""`linewise serve`: trained networks behind HTTP, and the page that shows how they read."""

from __future__ import annotations

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
    threads: Annotated[int, typer.Option(help="Processor threads for the models.", min=1, max=256)] = 1,
) -> None:
    """Answer on HTTP: draw and watch at /, the API at /v1/predict, described at /docs."""
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        from linewise.foundations.errors import missing_extra

        raise missing_extra(error.name or "fastapi", "serve", "linewise serve") from None
    from dataclasses import replace

    import torch

    from linewise.serve import server
    from linewise.serve.app import create_app
    from linewise.serve.desk import Desk
    from linewise.serve.settings import Settings

    settings = Settings(host=host, port=port, token=token, names=tuple(name or ()), threads=threads)
    server.check_address(settings, public)
    torch.set_num_threads(threads)
    desk = Desk.open(runs)
    listener = server.listen(settings)
    settings = replace(settings, port=listener.getsockname()[1])
    where = server.address(settings)
    typer.echo(f"{', '.join(desk.models)} at {where} (the API: {where}/docs). Ctrl-C ends it.")
    server.serve(create_app(desk, settings), listener)
