"""How a page asks: each look-up is a handler of the operator API, with the role of its route."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sep2.admin.table import routes
from sep2.rest.callers import Caller
from sep2.rest.front import tried
from sep2.rest.route import Handler, Request, Route
from sep2.rest.types import Nothing
from sep2.server.app import State
from sep2.store.connection import Connection


@cache
def _routes() -> Mapping[Handler, Route]:
    return {route.handler: route for route in routes()}


def route_of(handler: Handler) -> Route:
    """The route that a handler answers."""
    return _routes()[handler]


class Visit:
    """One page that somebody looks at: who, when, and the snapshot of the database that it shows."""

    def __init__(self, state: State, db: Connection, caller: Caller, query: Mapping[str, str]) -> None:
        self.state = state
        self.caller = caller
        self.query = query
        self.now = state.clock.now()
        self.db = db

    async def ask(self, handler: Handler, asked: Any = None, **ids: str) -> Any:
        """What the operator API answers to this caller; it refuses what their role may not see."""
        route = _routes()[handler]
        self.caller.require(route.role, change=False)
        said = Nothing() if asked is None else asked
        if not isinstance(said, route.asked):
            raise TypeError(f"{route.verb} takes {route.asked.__name__}, and a page said {type(said).__name__}")
        request = Request(self.state, self.db, self.now, ids, self.caller)
        return await handler(request, said)

    async def try_out(self, handler: Handler, asked: Any, **ids: str) -> Any:
        """What a change would answer; nothing is changed."""
        return await tried(self.state, _routes()[handler], self.caller, (asked, ids))

    def may(self, handler: Handler) -> bool:
        """Whether the caller's role is enough for a change."""
        return self.caller.role >= _routes()[handler].role and not self.caller.read_only

    def needs(self, handler: Handler) -> str:
        """The role that a change needs."""
        return _routes()[handler].role.word
