"""What changes by the clock alone: controls that begin, give way, end or leave their list, and who subscribes."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Row, and_, bindparam, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from sep2.store.connection import Connection
from sep2.store.many import among
from sep2.store.tables import control, member, subscription

c = control.c


class Span(NamedTuple):
    """The seconds in (after, until], and for how long a control stays in its list after its latest end."""

    after: int
    until: int
    listed_s: int

    @property
    def values(self) -> dict[str, int]:
        """The values of the statements."""
        left = {"left_after": self.after - self.listed_s, "left_until": self.until - self.listed_s}
        return {"after": self.after, "until": self.until, **left}


def _passes(when: ColumnElement[Any], after: str = "after", until: str = "until") -> ColumnElement[bool]:
    return and_(when > bindparam(after), when <= bindparam(until))


_LISTS = or_(
    _passes(c.earliest_start), _passes(c.successor_start), _passes(c.latest_end, after="left_after", until="left_until")
)
"""It began, gave way or left its list."""
_ENDS = _passes(c.latest_end)
"""It holds no more, and is listed for a while."""
# That a control had not left its list before lets a database begin with those of one program.
_ANY = and_(or_(_LISTS, _ENDS), c.latest_end > bindparam("left_after"))


class _DeviceOf(FunctionElement[int]):
    """The EndDevice in the path of what is subscribed to."""

    type = BigInteger()
    inherit_cache = True


@compiles(_DeviceOf)
def _in_sqlite(element: _DeviceOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_extract({compiler.process(element.clauses, **options)}, '$.edev')"


@compiles(_DeviceOf, "postgresql")
def _in_postgres(element: _DeviceOf, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(CAST({compiler.process(element.clauses, **options)} AS json) ->> 'edev' AS bigint)"


_FIRST = select(c.id).where(or_(_LISTS, _ENDS)).limit(1)
_GROUPS = select(c.device_group_id).where(or_(_LISTS, _ENDS)).distinct().order_by(c.device_group_id)
_SUBSCRIBED = (
    select(
        subscription.c.id,
        subscription.c.resource,
        subscription.c.ids,
        c.device_group_id.label("group_id"),
        c.id.label("control_id"),
        _LISTS.label("lists"),
        _ENDS.label("ends"),
    )
    .join_from(subscription, member, member.c.end_device_id == _DeviceOf(subscription.c.ids))
    .join(control, c.device_group_id == member.c.device_group_id)
    .where(among(subscription.c.resource, bindparam("resources")), _ANY)
)


async def anything(db: Connection, span: Span) -> bool:
    """Whether any control changed by the clock."""
    return await db.one(_FIRST, **span.values) is not None


async def groups(db: Connection, span: Span) -> list[int]:
    """The groups of which a control changed by the clock."""
    return [row.device_group_id for row in await db.all(_GROUPS, **span.values)]


async def subscribed(db: Connection, resources: Collection[str], span: Span) -> Sequence[Row[Any]]:
    """The subscriptions to some rows of the resource table, each with every control of its device that changed.

    Columns: id, resource, ids, group_id, control_id; whether the control began, gave way or left its list (`lists`),
    and whether it ended (`ends`).
    """
    return await db.all(_SUBSCRIBED, resources=list(resources), **span.values)
