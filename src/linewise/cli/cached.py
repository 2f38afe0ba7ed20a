"""What `linewise data cache` prints."""

from __future__ import annotations

import json
import shutil

import typer

from linewise.cli.tables import echo
from linewise.foundations.amounts import write_bytes
from linewise.foundations.names import shown
from linewise.foundations.paths import cache_dir
from linewise.images.files.kept import clear, kept


def show_cache(clearing: bool, as_json: bool) -> None:
    """List the cache, or clear it.

    Args:
        clearing: remove what is listed.
        as_json: for programs.
    """
    found, folder = kept(), cache_dir()
    busy = clear(found) if clearing else []
    if as_json:
        entries = [
            {"what": e.what, "source": e.source, "bytes": e.size, "used": e.used.isoformat(timespec="seconds"),
             "files": [str(path) for path in e.paths], "removed": clearing and e not in busy}
            for e in found
        ]  # fmt: skip
        typer.echo(json.dumps({"folder": str(folder), "entries": entries}, indent=1, ensure_ascii=False))
        return
    rows = [
        (
            e.what,
            write_bytes(e.size),
            f"{e.used:%Y-%m-%d}",
            shown(e.source) + (" (being written: kept)" if e in busy else ""),
        )
        for e in found
    ]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    for what, size, used, source in rows:
        echo(f"{what:<{widths[0]}}  {size:>{widths[1]}}  {used:<{widths[2]}}  {source}".rstrip())
    total = write_bytes(sum(e.size for e in found if e not in busy))
    if clearing:
        echo(f"{total} removed from {folder}")
    elif found:
        free = write_bytes(shutil.disk_usage(folder).free)
        echo(f"{total} in {folder}, {free} free; --clear removes it, and it is made anew when it is needed")
    else:
        echo(f"nothing is kept in {folder}")
