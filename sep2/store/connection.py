"""What every query function is given: three verbs that hide which database answers."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import Executable, Result, Row

from sep2.errors import Conflict, SepError
from sep2.store.written import read_by, written_by

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Outage(SepError):
    """The database can not be used just now."""

    status = 503
    retry_s: ClassVar[int] = 5
    """After how many seconds the same request may do."""


class Busy(Outage):
    """The database is held by someone else; the same request will do later."""


class Stale(Busy):
    """A remembered row that this block used has changed since; the same request will do at once."""


class Unreachable(Outage):
    """The database can not be opened."""


class Full(Outage):
    """The disk of the database is full: what is there can be read, nothing new is stored until there is room."""

    retry_s = 60


class Damaged(Outage):
    """The database is damaged: stop the server, check it, and put its latest backup in its place."""

    retry_s = 300


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
        self.memo: dict[Hashable, Any] = {}
        """Settings that were looked up in this block (`store.marks`); what is asked for at each place is read once."""
        self.written: set[str] = set()
        """The tables of which this block has changed rows."""
        self.reads_anew = False
        """Whether `known` reads the database instead of remembered rows, as after a Stale."""
        self.looked_at: set[str] | None = None
        """The tables that this block has read from, where somebody wants to know."""

    def note(self, statement: Executable) -> None:
        """Note which tables a statement writes, or reads; to be called before each is run."""
        self.written |= written_by(statement)
        if self.looked_at is not None:
            self.looked_at |= read_by(statement)

    @abstractmethod
    async def execute(self, statement: Executable, values: Values) -> Result[Any]:
        """The result of one statement, all its rows already at hand."""

    async def in_turn(self) -> None:  # noqa: B027 - where there is one writer at any time, nobody has to wait
        """Wait until no other transaction decides on controls; to be called before any row of theirs is locked.

        One control may have others of many groups issued anew, in an order that nobody knows before.
        """

    async def timeline(self) -> int:
        """Which history of the database this is: another one where a backup was brought up, or a standby promoted.

        0 where the database itself does not tell them apart.
        """
        return 0

    async def one(self, statement: Executable, **values: Any) -> Row[Any] | None:
        """The first row, or None."""
        return (await self.execute(statement, values)).first()

    async def known(self, statement: Executable, **values: Any) -> Row[Any] | None:
        """The first row, or None; may be a row that an earlier block read, where its tables have not changed since.

        Only for statements that are built once. Where the tables change before this block ends, it ends with Stale.
        """
        return await self.one(statement, **values)

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

    async def later(self, statement: Executable, values: Values) -> None:
        """Run a statement whose result nobody asks for: before the block ends, and before what it has to do with.

        Where the database is a process of its own, such statements of a transaction go there together.
        """
        await self.run(statement, values)

    async def settle(self) -> None:  # noqa: B027 - nothing waits where each statement is run at once
        """Run what `later` has put off, which the end of a block does too."""

    async def run_long(self, statement: Executable) -> Done:
        """Update or delete rows whose number nothing bounds, without keeping others from being answered."""
        return await self.run(statement)

    async def add(self, statement: Executable) -> int:
        """Insert one row; the id that it was given."""
        return (await self.run(statement)).inserted_id
