"""What every query function is given: three verbs that hide which database answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Executable, Result, Row

from sep2.errors import Conflict, SepError

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Busy(SepError):
    """The database is held by someone else; the same request will do later."""

    status = 503


class Clash(Conflict):
    """Somebody else recorded a contradicting entry first."""


class Done(NamedTuple):
    """What a statement did: how many rows it touched, and the id of the one row that it made (0 where it made none)."""

    rowcount: int
    inserted_id: int


class Connection(ABC):
    """One snapshot to read from, or one transaction to write in; good until its block ends.

    A statement may hold `bindparam`s, whose values are given by name. One that is built once, at the top of a module,
    runs in a third of the time of one that is built in each call.
    """

    def __init__(self) -> None:
        self.changed = False
        """Whether the outbox holds something new, so that the notifier is woken after the commit."""

    @abstractmethod
    async def execute(self, statement: Executable, values: Values) -> Result[Any]:
        """The result of one statement, all its rows already at hand."""

    async def in_turn(self) -> None:  # noqa: B027 - where there is one writer at any time, nobody has to wait
        """Wait until no other transaction decides on controls; to be called before any row of theirs is locked.

        One control may have others of many groups issued anew, in an order that nobody knows before.
        """

    async def one(self, statement: Executable, **values: Any) -> Row[Any] | None:
        """The first row, or None."""
        return (await self.execute(statement, values)).first()

    async def all(self, statement: Executable, **values: Any) -> list[Row[Any]]:
        """Every row."""
        return list((await self.execute(statement, values)).all())

    async def run(self, statement: Executable, values: Values | None = None) -> Done:
        """Insert, update or delete; `values` may be a list, and then the statement is run for each of its members."""
        result: Any = await self.execute(statement, {} if values is None else values)
        if not result.context.isinsert:
            return Done(result.rowcount, 0)
        if result.context.executemany:
            return Done(len(values or ()), 0)
        # SQLite reports the id of an earlier row where ON CONFLICT DO NOTHING did nothing.
        return Done(result.rowcount, result.inserted_primary_key[0] or 0 if result.rowcount else 0)

    async def add(self, statement: Executable) -> int:
        """Insert one row; the id that it was given."""
        return (await self.run(statement)).inserted_id
