"""The market API as an aiohttp application, behind mutual TLS."""

import msgspec
from aiohttp import web

from sep2.partner.access import add_request_id, gate
from sep2.partner.table import BASE, TABLE
from sep2.rest import browsers, openapi
from sep2.rest.front import application
from sep2.rest.operator_pace import OperatorPace
from sep2.server.app import State

TITLE = "sep2 market API"


def make(state: State) -> web.Application:
    """The application that answers parties; who listens, and where, is up to the caller."""
    partner = state.settings.partner
    pace = OperatorPace(partner.reads_per_second, partner.changes_per_second)
    app = application(state, TABLE, gate(state), pace=pace)
    app.router.add_get(f"{BASE}/openapi.json", _describe)
    app.on_response_prepare.append(browsers.add_headers)
    app.on_response_prepare.append(add_request_id)
    return app


async def _describe(http: web.Request) -> web.Response:
    said = openapi.document(TITLE, TABLE, posts_need_keys=True)
    schemes = {"certificate": {"type": "mutualTLS"}}
    components = {**said["components"], "securitySchemes": schemes}
    body = {**said, "security": [{"certificate": []}], "components": components}
    return web.Response(body=msgspec.json.encode(body), content_type=openapi.JSON)
