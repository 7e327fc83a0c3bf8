"""Who makes a request: the name that the audit log shows, the role, and how they came in."""

import secrets
from dataclasses import dataclass

from aiohttp import web

from sep2.errors import Forbidden, SepError
from sep2.rules.roles import OperatorRole

REQUEST_ID = "X-Request-Id"


class Unauthorized(SepError):
    """The operator's token is missing or wrong."""

    status = 401


class RoleTooLow(Forbidden):
    """Your role may not do that."""


@dataclass(frozen=True)
class Caller:
    """Somebody who was let in."""

    name: str
    role: OperatorRole
    via: str
    """`token ID` or `session ID`."""
    address: str = ""
    label: str = ""
    """The name that a program says beside, such as the user of the machine; nobody has checked it."""
    read_only: bool = False
    session: int | None = None
    has_codes: bool = False
    """Whether it is a session of somebody who signs in with one-time codes."""
    csrf: str = ""
    """What a browser's changes carry in a header."""
    sees: str = ""
    """Whose facts alone it sees; callers who see the same may share an answer."""

    def require(self, role: OperatorRole, *, change: bool) -> None:
        """Refuse a route that is for a higher role, and changes with a token that only reads."""
        if self.role < role:
            raise RoleTooLow(f"it needs {role.word}, and {self.name} is {self.role.word} here")
        if change and self.read_only:
            raise RoleTooLow("this token only reads")


CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
"""Where a middleware puts who makes a request."""
ID: web.RequestKey[str] = web.RequestKey("id", str)
"""Where it puts the request's id."""


def caller_of(http: web.Request) -> Caller:
    """Who makes this request, once a middleware has let them in."""
    found: Caller | None = http.get(CALLER)
    if found is None:
        raise Unauthorized
    return found


def new_request_id() -> str:
    """An id of a request that nobody has used before."""
    return secrets.token_hex(8)
