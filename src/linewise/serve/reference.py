"""The page at `/docs`: the description of the API, made here, so that nothing is fetched from elsewhere."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse

router = APIRouter(include_in_schema=False)
STYLE = Path(__file__).with_name("reference.css")


@router.get("/docs", response_class=HTMLResponse)
async def docs(request: Request) -> str:
    """The API for people."""
    return page(request.app.openapi())


@router.get("/docs.css")
async def style() -> FileResponse:
    return FileResponse(STYLE, media_type="text/css")


def page(schema: dict[str, Any]) -> str:
    """An OpenAPI description as one page of HTML, which needs no script."""
    info = schema["info"]
    title = _text(f"{info['title']} {info['version']}")
    routes = "".join(
        _operation(path, method, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    )
    kinds = "".join(
        f'<details id="{_text(name)}"><summary><code>{_text(name)}</code> {_first(kind)}</summary>'
        f"<pre>{_json(kind)}</pre></details>"
        for name, kind in schema.get("components", {}).get("schemas", {}).items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title}: the API</title><link rel="stylesheet" href="/docs.css"><main><h1>{title}</h1>'
        f"<p>{_text(info.get('summary', ''))} For programs: "
        '<a href="/openapi.json">/openapi.json</a>.</p>'
        f"<h2>Routes</h2>{routes}<h2>Kinds of answers</h2>{kinds}</main></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{_text(p['name'])}</code><td>{_text(p['in'])}"
        f"<td>{'needed' if p.get('required') else 'optional'}<td>{_text(p.get('description', ''))}"
        for p in operation.get("parameters", [])
    )
    bodies = "".join(
        f"<details><summary><code>{_text(kind)}</code></summary><pre>{_json(content['schema'])}</pre></details>"
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
    )
    answers = "".join(
        f"<tr><td><code>{_text(code)}</code><td>{_text(answer['description'])}<td>{_kind(answer)}"
        for code, answer in operation["responses"].items()
    )
    return (
        f"<section><h3><code>{_text(method.upper())} {_text(path)}</code> "
        f"{_text(operation.get('summary', ''))}</h3>"
        f"<p>{_text(operation.get('description', ''))}</p>"
        + (f"<h4>Parameters</h4><table>{parameters}</table>" if parameters else "")
        + (f"<h4>Body</h4>{bodies}" if bodies else "")
        + f"<h4>Answers</h4><table>{answers}</table></section>"
    )


def _kind(answer: dict[str, Any]) -> str:
    names = [
        content["schema"]["$ref"].rpartition("/")[2]
        for content in answer.get("content", {}).values()
        if "$ref" in content.get("schema", {})
    ]
    return ", ".join(f'<a href="#{_text(name)}"><code>{_text(name)}</code></a>' for name in names)


def _first(kind: dict[str, Any]) -> str:
    return _text(kind.get("description", "").partition("\n")[0])


def _text(value: object) -> str:
    return html.escape(str(value))


def _json(value: object) -> str:
    return _text(json.dumps(value, indent=1, ensure_ascii=False))
