"""`linewise serve`: trained networks behind HTTP, and the page that shows how they read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    runs: Annotated[list[Path], typer.Argument(help="Runs' folders; a study's stands for its first seed.")],
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Answer on HTTP: draw and watch at /, the API at /v1/predict, described at /docs."""
    import uvicorn

    from linewise.serve.app import create_app
    from linewise.serve.desk import Desk
    from linewise.serve.settings import Settings

    settings = Settings(host=host, port=port)
    uvicorn.run(create_app(Desk.open(runs), settings), host=host, port=port)
