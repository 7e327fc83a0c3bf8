"""The operator API as an aiohttp application."""

import msgspec
from aiohttp import web

from sep2.admin import openapi
from sep2.admin.front import LARGEST_BODY, OUTAGES, answering, authenticated, errors_as_json
from sep2.admin.polls import Polls
from sep2.admin.table import TABLE
from sep2.server.app import State
from sep2.settings import read_token


def make(state: State) -> web.Application:
    """The application that answers operators; who listens, and where, is up to the caller."""
    token = read_token(state.settings)
    app = web.Application(middlewares=[errors_as_json, authenticated(token)], client_max_size=LARGEST_BODY)
    app[OUTAGES] = state.front.outages
    polls = Polls()
    for route in TABLE:
        app.router.add_route(route.method, route.path, answering(state, route, polls))
    app.router.add_get("/openapi.json", _describe)
    return app


async def _describe(http: web.Request) -> web.Response:
    return web.Response(body=msgspec.json.encode(openapi.document()), content_type=openapi.JSON)
