"""The operator API as an aiohttp application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import msgspec
from aiohttp import web

from sep2.admin import login
from sep2.admin.access import Access
from sep2.admin.health import Health
from sep2.admin.table import TABLE
from sep2.errors import SepError
from sep2.rest import browsers, openapi
from sep2.rest.front import application
from sep2.server.app import State

TITLE = "sep2 operator API"
TOLD_EVERY_S = 2

ACCESS: web.AppKey[Access] = web.AppKey("access", Access)
"""What lets operators in."""


def make(state: State) -> web.Application:
    """The application that answers operators; who listens, and where, is up to the caller."""
    access = Access(state)
    app = application(state, TABLE, login.gate(state, access))
    app[ACCESS] = access
    app.router.add_get("/openapi.json", _describe)
    app.router.add_routes(login.Login(state, access).routes())
    app.router.add_routes(Health(state, access).routes())
    app.on_response_prepare.append(browsers.add_headers)
    app.on_response_prepare.append(login.add_request_id)
    app.cleanup_ctx.append(_telling(state, access))
    return app


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
    return web.Response(body=msgspec.json.encode(openapi.document(TITLE, TABLE)), content_type=openapi.JSON)
