"""What the routes of the market share: times, who writes, the utility's profiles, and grants."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sep2.errors import Forbidden
from sep2.operations.market import entries
from sep2.operations.market.letters import Office
from sep2.rest.route import Request
from sep2.rules.credentials import folded
from sep2.store import operators
from sep2.store.market.facts import AsOf


class NotGranted(Forbidden):
    """That needs a grant beside the role."""


class Timed(Protocol):
    """A query of what held, and was known, at some time."""

    @property
    def valid_at(self) -> int | None:
        """When it held."""
        ...

    @property
    def known_at(self) -> int | None:
        """When it was known."""
        ...


def as_of(rq: Request, asked: Timed) -> AsOf:
    """The times of a query; left out: now."""
    return AsOf(rq.now if asked.valid_at is None else asked.valid_at, asked.known_at)


def now_of(rq: Request) -> AsOf:
    """What holds now, as it is known now."""
    return AsOf(rq.now)


async def party_id(rq: Request, name: str | None, time: AsOf) -> int | None:
    """The id of the party whose entries a list is to show; None: of all."""
    return None if name is None else int((await entries.identity(rq.db, "party", name, time.known)).id)


def profiles_of(rq: Request) -> Path | None:
    """The folder of the utility's own market profiles."""
    return rq.state.settings.market.profiles


def office_of(rq: Request) -> Office:
    """Who writes letters."""
    market = rq.state.settings.market
    return Office(market.utility_name, market.letters)


async def grants_of(rq: Request, name: str) -> Sequence[str]:
    """What an operator may do beside the role."""
    row = await operators.named(rq.db, folded(name))
    return () if row is None else str(row.grants).split()


async def require(rq: Request, grant: str, name: str = "") -> None:
    """Refuse who has not been given a grant; name: somebody else than who asks."""
    who = name or rq.operator
    if grant not in await grants_of(rq, who):
        raise NotGranted(f'{grant}, and {who} has it not: sep2 operator set "{who}" --grant {grant}')
