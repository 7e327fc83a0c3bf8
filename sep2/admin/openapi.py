"""The OpenAPI document of the operator API, made from its route table."""

import re
from typing import Any

import msgspec

from sep2 import __version__
from sep2.admin import types as t
from sep2.admin.route import Route
from sep2.admin.table import TABLE

REFERENCE = "#/components/schemas/{name}"
JSON = "application/json"


def document() -> dict[str, Any]:
    """OpenAPI 3.1, ready to be encoded."""
    kinds = [kind for route in TABLE for kind in (route.asked, route.answer)]
    _, schemas = msgspec.json.schema_components([*kinds, t.ChangeQuery, t.Refused], ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in TABLE:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "sep2 operator API", "version": __version__},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    query = t.ChangeQuery if route.changes else route.asked
    operation: dict[str, Any] = {
        "operationId": route.verb,
        "summary": route.summary,
        "parameters": [*_of_path(route.path), *_of_query(query, schemas)],
        "responses": {
            "200": {"description": route.summary, "content": _content(route.answer)},
            "4XX": {"description": t.Refused.__doc__, "content": _content(t.Refused)},
        },
    }
    if route.changes and route.asked is not t.Nothing:
        operation["requestBody"] = {"required": True, "content": _content(route.asked)}
    return operation


def _of_path(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _of_query(kind: type, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    fields = schemas[kind.__name__]["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields.items()]


def _content(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=REFERENCE)
    return {JSON: {"schema": schema}}
