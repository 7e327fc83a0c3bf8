"""The operator API as an aiohttp application."""

import hmac

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from sep2.admin.table import TABLE
from sep2.rest import openapi
from sep2.rest.front import application
from sep2.rest.refusals import Answer, as_json
from sep2.rest.types import Refused
from sep2.server.app import State
from sep2.settings import read_token

TITLE = "sep2 operator API"


def make(state: State) -> web.Application:
    """The application that answers operators; who listens, and where, is up to the caller."""
    app = application(state, TABLE, _authenticated(read_token(state.settings)))
    app.router.add_get("/openapi.json", _describe)
    return app


async def _describe(http: web.Request) -> web.Response:
    return web.Response(body=msgspec.json.encode(openapi.document(TITLE, TABLE)), content_type=openapi.JSON)


def _authenticated(token: str) -> Middleware:
    """A middleware that lets nobody in who does not show the token."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Answer) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if hmac.compare_digest(shown, expected):
            return await handler(request)
        answer = as_json(Refused(code="unauthorized", message="The operator's token is missing or wrong"), 401)
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    return check
