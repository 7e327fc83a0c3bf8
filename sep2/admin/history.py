"""Who changed one thing, when and how: the audit log by all names that it has had."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy import Row

from sep2.admin import find, views
from sep2.admin import types as t
from sep2.errors import NotFound
from sep2.rest.route import Request, listed, page
from sep2.store import listing_watch
from sep2.store.connection import Connection

_FINDERS: Mapping[str, tuple[Callable[[Connection, str], Awaitable[Row[Any]]], tuple[str, ...]]] = {
    "client": (find.client, ("name", "lfdi")),
    "connection": (find.connection, ("connection_id",)),
    "device": (find.device, ("lfdi", "name")),
    "group": (find.group, ("name",)),
    "place": (find.place, ("name",)),
    "curve": (find.curve, ("mrid", "name")),
    "mirror": (find.mirror, ("id", "name", "mrid")),
    "control": (find.control, ("mrid",)),
    "override": (find.override, ("id",)),
}
"""How each is found, and the columns by which its routes name it."""
MOST_NAMES = 20


async def show_history(rq: Request, asked: t.HistoryQuery) -> t.Listed[t.Entry]:
    """Who changed one thing, when and how, newest first; by all names that it has had."""
    under = f"/{asked.noun}s"
    names = await _names(rq.db, asked.noun, asked.of)
    for row in await listing_watch.renames(rq.db, under, f"rename_{asked.noun}"):
        before = str(row.subject).removeprefix(f"{under}/").removesuffix("/rename")
        after = str((json.loads(row.detail).get("asked") or {}).get("name", ""))
        if after in names and len(names) < MOST_NAMES:
            names.append(before)
    found = await listing_watch.history(rq.db, page(asked), under, dict.fromkeys(names))
    return listed(found, [views.entry(row) for row in found.rows])


async def _names(db: Connection, noun: str, said: str) -> list[str]:
    """What the thing is called now; of one that is gone, what was asked for."""
    names = [said]
    if noun in _FINDERS:
        look, columns = _FINDERS[noun]
        try:
            row = await look(db, said)
        except NotFound:
            return names
        names += [str(value) for name in columns if (value := getattr(row, name)) is not None]
    return names
