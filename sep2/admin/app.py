"""The operator API as an aiohttp application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from sep2.admin import login
from sep2.admin.access import LOCAL, Access
from sep2.admin.health import Health
from sep2.admin.table import routes
from sep2.errors import SepError
from sep2.rest import browsers, openapi
from sep2.rest.front import application
from sep2.server.app import State, operator_url

TITLE = "sep2 operator API"
TOLD_EVERY_S = 2

ACCESS: web.AppKey[Access] = web.AppKey("access", Access)
"""What lets operators in."""


def make(state: State, *before: Middleware) -> web.Application:
    """The application that answers operators; who listens, and where, is up to the caller.

    before: middlewares that see a request before it is known who makes it.
    """
    access = Access(state)
    app = application(state, routes(), *before, login.gate(state, access))
    app[ACCESS] = access
    app.router.add_get("/openapi.json", _describe)
    app.router.add_routes(login.Login(state, access).routes())
    app.router.add_routes(Health(state, access).routes())
    app.on_response_prepare.append(browsers.add_headers)
    app.on_response_prepare.append(login.add_request_id)
    app.cleanup_ctx.append(_telling(state, access))
    return app


def sign_in_link(app: web.Application, state: State) -> str:
    """The address of a link that signs a browser on this machine in as the local operator, once.

    Empty where the port is for other machines too: `sep2 desk open` asks for a link then.
    """
    if state.settings.operator.host not in ("127.0.0.1", "::1", "localhost"):
        return ""
    return f"{operator_url(state.settings)}/desk/open?link={app[ACCESS].link(LOCAL)}"


def _telling(state: State, access: Access) -> Callable[[web.Application], AsyncIterator[None]]:
    """While the application runs, addresses from which logins fail become alarms."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            if access.throttle.has_news:
                with contextlib.suppress(SepError):
                    async with state.db.write() as db:
                        await access.throttle.tell(db, state.clock.now())

    async def running(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(tell())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    return running


async def _describe(http: web.Request) -> web.Response:
    return web.Response(body=msgspec.json.encode(openapi.document(TITLE, routes())), content_type=openapi.JSON)
