"""A copy of a database for training: every table, less what would reach somebody outside or let somebody in."""

import pkgutil
from importlib import import_module
from typing import Any

from sqlalchemy import Table, delete, insert, select, update

import sep2.store
from sep2.store.columns import metadata
from sep2.store.connection import Connection
from sep2.store.replay import Beginning

AT_ONCE = 2000
"""Rows in one statement."""
LEFT_OUT = frozenset(
    (
        *("subscription", "delivery", "outbox", "receiver", "webhook", "webhook_message", "database_age"),
        *("operator", "operator_token", "operator_session", "idempotency"),
    )
)
"""Tables of whom the server tells something, and of who may come in: a copy has nobody in either."""


def tables() -> list[Table]:
    """Every table, each after those that it refers to."""
    for module in pkgutil.iter_modules(sep2.store.__path__):
        if "tables" in module.name:
            import_module(f"sep2.store.{module.name}")
    return metadata.sorted_tables


async def empty(target: Connection) -> None:
    """Take what a fresh database begins with out of it, but for the operator who has the token."""
    for table in reversed(tables()):
        if table.name not in LEFT_OUT:
            await target.run(delete(table))


async def copy_table(
    source: Connection,
    target: Connection,
    table: Table,
    *,
    beginning: Beginning | None = None,
    later: Connection | None = None,
) -> int:
    """Copy the rows of a table; how many.

    beginning: where only what is of before a day is copied. later: a database for what comes on it.
    """
    if table.name in LEFT_OUT or _refers(table):
        return 0
    count = copied = 0
    query = select(table).order_by(*table.primary_key.columns).limit(AT_ONCE)
    while rows := await source.all(query.offset(count)):
        count += len(rows)
        kept: list[dict[str, Any]] = [dict(row._mapping) for row in rows]
        coming: list[dict[str, Any]] = []
        if beginning is not None:
            kept, coming = beginning.of(table, kept)
        if kept:
            await target.run(insert(table), kept)
        if coming and later is not None:
            await later.run(insert(table), coming)
        copied += len(kept)
    return copied


async def cut_off(target: Connection) -> None:
    """Let no client have hosts that it may be told at."""
    client: Any = metadata.tables["client"]
    await target.run(update(client).values(receiver_hosts=""))


def _refers(table: Table) -> bool:
    """Whether a table belongs to one that is left out."""
    return any(key.column.table.name in LEFT_OUT for key in table.foreign_keys)
