"""A route is its method, its path, its handler and its role; what it takes and gives is read off the handler."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from sep2.rest.callers import Caller
from sep2.rest.types import Document, Listed, Nothing, Span
from sep2.rules.cursor import Keyset, decode
from sep2.rules.roles import OperatorRole
from sep2.server.app import State
from sep2.store.connection import Connection
from sep2.store.keyset import Following

T = TypeVar("T")

LARGEST_BODY = 8 * 1024 * 1024
"""Octets, where a route does not say otherwise."""


@dataclass(frozen=True)
class Request:
    """What a handler may use; `db` is one snapshot, or the transaction of the change."""

    state: State
    db: Connection
    now: int
    ids: Mapping[str, str]
    caller: Caller
    """Who asks."""
    only_trying: bool = False
    """Whether nothing is changed by it in the end."""
    second: str = ""
    """The name of the person who agreed to it, where a second one has to."""
    after: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """What has to happen once the change is committed."""
    prepared: Any = None
    """What was worked out before the transaction, where the route says how."""

    @property
    def operator(self) -> str:
        """The name of who asks, as the audit log shows it."""
        return self.caller.name


@dataclass(frozen=True)
class Ahead:
    """A change before its transaction: what takes long is read, calculated and kept in blocks of its own."""

    state: State
    ids: Mapping[str, str]
    caller: Caller
    only_trying: bool = False
    """Whether nothing may be changed."""

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Request]:
        """What a handler that only looks may use."""
        async with self.state.db.read() as db:
            yield Request(self.state, db, self.state.clock.now(), self.ids, self.caller, self.only_trying)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Request]:
        """What a handler that changes something may use, in a transaction that is kept at its end."""
        async with self.state.db.write() as db:
            yield Request(self.state, db, self.state.clock.now(), self.ids, self.caller, self.only_trying)


def page(asked: Span) -> Keyset:
    """The part of a list that a query asks for."""
    after = None if asked.after is None else decode(asked.after)
    return Keyset(asked.limit, after, exact=asked.total == "exact")


def listed(found: Following, items: list[T]) -> Listed[T]:
    """The answer of a list: what was found of it, each row in its type."""
    return Listed(total=found.total, items=items, capped=found.capped, next=found.next)


class _New(Struct):
    created: bool = False


Handler = Callable[[Request, Any], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """One row of a table. The verb of a change, as the audit log names it, is the handler's name."""

    method: str
    path: str
    handler: Handler
    role: OperatorRole
    before: Handler | None = None
    """Shows what a change is about, for the audit log: what it was before; asked by what the change says too."""
    largest_body: int = LARGEST_BODY
    """Octets that a request may have."""
    seconded: bool = False
    """Whether a second person may have to agree to it, which its answer says in `needs_second`."""
    of_request: bool = False
    """Whether it is about a request for a second person, whose number its answer has as `id`."""
    status: int = 200
    """Of an answer that says it is done."""
    creates: bool = False
    """Whether its answer says by `created` that something is new; that is 201 then."""
    kept_apart: tuple[str, ...] = ()
    """Fields of what is asked that the audit log leaves out: they are kept where they belong, and may be long."""
    secret: bool = False
    """Whether the answer holds a secret that is shown once: it is kept nowhere."""
    ahead: Callable[[Ahead, Any], Awaitable[Any]] | None = None
    """Works out what the handler finds in `prepared`, before its transaction: nobody waits for what takes long."""

    @property
    def changes(self) -> bool:
        """Whether it runs in a transaction and is noted in the audit log."""
        return self.method != "GET"

    def status_of(self, answer: bytes) -> int:
        """Of an answer, as it was sent."""
        if not self.creates:
            return self.status
        return 201 if msgspec.json.decode(answer, type=_New).created else self.status

    @property
    def verb(self) -> str:
        """The name of what it does."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """What you get, in one line."""
        return (self.handler.__doc__ or "").strip().splitlines()[0]

    @cached_property
    def asked(self) -> Any:
        """The type of the body of a change, of the query of anything else."""
        return self._hints["asked"]

    def asked_before(self, asked: Any) -> Any:
        """What `before` is asked: those of its own fields that the change says, others by their defaults."""
        kind = get_type_hints(self.before)["asked"]
        fields = msgspec.structs.fields(kind)
        if any(one.required and not hasattr(asked, one.name) for one in fields):
            return Nothing()
        return kind(**{one.name: getattr(asked, one.name) for one in fields if hasattr(asked, one.name)})

    @property
    def is_list(self) -> bool:
        """Whether it answers a part of a list, which can be had as CSV too."""
        return get_origin(self.answer) is Listed

    @property
    def is_document(self) -> bool:
        """Whether what it answers can be had as XML alone."""
        return isinstance(self.answer, type) and issubclass(self.answer, Document)

    @cached_property
    def answer(self) -> Any:
        """The type of the answer."""
        return self._hints["return"]

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.handler, include_extras=True)
