"""The page at `/docs`: the API's own description, for people.

The usual page loads its program from a public network and runs it in the API's origin, where it may do whatever the
visitor may. This one has no script at all, and needs no network.
"""

import base64
import hashlib
import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

METHODS = ("get", "head", "post", "put", "patch", "delete")
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { border-bottom: 1px solid; margin-top: 2.5rem; }
h3 { margin: 1.5rem 0 0.25rem; font-family: ui-monospace, monospace; font-size: 1rem; }
p { margin: 0.25rem 0; white-space: pre-line; }
td { padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }
pre { overflow: auto; padding: 0.5rem; border: 1px solid; }
summary { cursor: pointer; }
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def description_route(app: FastAPI) -> Route:
    """`/docs`, made of what the application says of itself when it is asked."""

    async def docs(_: Request) -> HTMLResponse:
        return HTMLResponse("".join(_page(app.openapi())), headers=HEADERS)

    return Route("/docs", docs, include_in_schema=False)


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    title = html.escape(info["title"])
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    yield f"<title>{title}</title><style>{STYLE}</style><h1>{title} {html.escape(info['version'])}</h1>"
    yield f"<p>{html.escape(info.get('description', ''))}</p>"
    yield '<p>For programs: <a href="openapi.json">openapi.json</a></p>'
    tagged: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                tagged.setdefault(methods[method].get("tags", ["other"])[0], []).append((method, path, methods[method]))
    for tag, operations in tagged.items():
        yield f"<h2>{html.escape(tag)}</h2>"
        for method, path, operation in operations:
            yield f"<h3>{method.upper()} {html.escape(path)}</h3>"
            yield from _operation(operation)
    yield "<h2>types</h2>"
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield f'<details id="{html.escape(name)}"><summary>{html.escape(name)}</summary>{_json(schema)}</details>'
    yield "</html>"


def _operation(operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<p>{html.escape(operation.get('description') or operation.get('summary', ''))}</p>"
    rows = [
        (parameter["name"], parameter["in"], parameter.get("description",
        "")) for parameter in operation.get("parameters", ())
    ]  # fmt: skip
    if body := operation.get("requestBody"):
        rows += [("body", kind, _type(content.get("schema", {}))) for kind, content in body["content"].items()]
    for status, answer in operation.get("responses", {}).items():
        types = ", ".join(_type(content.get("schema", {})) for content in answer.get("content", {}).values())
        rows.append((status, answer.get("description", ""), types))
    yield "<table>"
    yield from ("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    yield "</table>"


def _type(schema: Mapping[str, Any]) -> str:
    """A type's name, where it has one."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("title") or schema.get("type", "any"))


def _json(value: object) -> str:
    return f"<pre>{html.escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
