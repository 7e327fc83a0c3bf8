"""The OpenAPI document of an interface, made from its route table."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from sep2 import __version__
from sep2.rest.idempotency import HEADER, KEPT_DAYS, LONGEST, REPLAYED
from sep2.rest.route import Route
from sep2.rest.tables import CSV, XML
from sep2.rest.types import ChangeQuery, Nothing, Refused, SecondedQuery, Waiting

REFERENCE = "#/components/schemas/{name}"
JSON = "application/json"
_NAMED = {"type": "string", "minLength": 1, "maxLength": 200}
_CSV = {CSV: {"schema": {"type": "string"}}}
_XML = {XML: {"schema": {"type": "string"}}}
_ONCE = {
    "name": HEADER,
    "in": "header",
    "description": f"It is made once: sent again within {KEPT_DAYS} days under its key, it is answered as before.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[ -~]+$"},
}
_REPLAYED = {"description": "The change was made before, and this is its answer of then.", "schema": {"const": "true"}}
_MATCH = (
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The ETag of what was looked at: if it is another by now, nothing is changed (412).",
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST},
    },
)


def document(title: str, table: Sequence[Route], *, posts_need_keys: bool = False) -> dict[str, Any]:
    """OpenAPI 3.1, ready to be encoded; posts_need_keys: whether a POST without an idempotency key is refused."""
    kinds = [kind for route in table for kind in (route.asked, route.answer)]
    kinds += [ChangeQuery, SecondedQuery, Waiting, Refused]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(
            route, schemas, needs_key=posts_need_keys and route.method == "POST"
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(route: Route, schemas: dict[str, Any], *, needs_key: bool) -> dict[str, Any]:
    query = (SecondedQuery if route.seconded else ChangeQuery) if route.changes else route.asked
    operation: dict[str, Any] = {
        "operationId": route.verb,
        "summary": route.summary,
        "description": f"For the role {route.role.word} and those above it.",
        "x-role": route.role.word,
        "parameters": [
            *_of_path(route.path),
            *_of_query(query, schemas),
            *([{**_ONCE, "required": needs_key}] if route.changes else ()),
            *(_MATCH if route.before is not None else ()),
        ],
        "responses": {
            **{status: _done(route) for status in _statuses(route)},
            **(_WAITS if route.seconded else {}),
            "4XX": {"description": Refused.__doc__, "content": _content(Refused)},
        },
    }
    if route.changes and route.asked is not Nothing:
        operation["requestBody"] = {"required": True, "content": _content(route.asked)}
    return operation


def _statuses(route: Route) -> list[str]:
    return ["200", "201"] if route.creates else [str(route.status)]


def _done(route: Route) -> dict[str, Any]:
    said = {"description": route.summary, "content": _content(route.answer) | _other_than_json(route)}
    return said | ({"headers": {REPLAYED: _REPLAYED}} if route.changes else {})


def _of_path(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", path)
    return [{"name": name, "in": "path", "required": True, "schema": _NAMED} for name in names]


def _of_query(kind: type, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    fields = schemas[kind.__name__]["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields.items()]


def _content(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=REFERENCE)
    return {JSON: {"schema": schema}}


def _other_than_json(route: Route) -> dict[str, Any]:
    return (_CSV if route.is_list else {}) | (_XML if route.is_document else {})


_WAITS = {"202": {"description": Waiting.__doc__, "content": _content(Waiting)}}
