"""Receivers of webhooks: the utility's own systems, added, changed and tried by operators."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.errors import Conflict, NotFound
from sep2.rules import receivers as rules
from sep2.rules.credentials import folded
from sep2.rules.webhooks import Topic, new_secret
from sep2.store import webhooks
from sep2.store.connection import Connection


class UnknownReceiver(NotFound):
    """There is no receiver of that name."""


class ReceiverTaken(Conflict):
    """There is a receiver of that name already."""


class NewReceiver(NamedTuple):
    """A system that is to be told; least_priority: of alarms, 1 only the most urgent, 3 all."""

    name: str
    url: str
    topics: Sequence[Topic]
    least_priority: int


async def find(db: Connection, name: str) -> Row[Any]:
    """The receiver of that name, whatever its case; UnknownReceiver if there is none."""
    row = await webhooks.named(db, folded(name))
    if row is None:
        raise UnknownReceiver(name[:60])
    return row


async def add_receiver(db: Connection, new: NewReceiver, policy: rules.Policy, now: int) -> str:
    """The secret of the new receiver, which signs everything that is sent to it."""
    if await webhooks.named(db, folded(new.name)) is not None:
        raise ReceiverTaken(new.name)
    rules.check_named(new.url, policy)
    secret = new_secret()
    await webhooks.add(
        db,
        name=new.name,
        folded=folded(new.name),
        url=new.url,
        secret=secret,
        topics=_topics(new.topics),
        least_priority=new.least_priority,
        enabled=True,
        created=now,
    )
    return secret


async def set_receiver(
    db: Connection, row: Row[Any], policy: rules.Policy, *, topics: Sequence[Topic] | None = None, **said: Any
) -> None:
    """Change what is given: url, topics, least_priority, enabled, secret."""
    if "url" in said:
        rules.check_named(said["url"], policy)
        said |= {"failures": 0, "failing_since": None, "rests_until": 0, "error": ""}
    if topics is not None:
        said["topics"] = _topics(topics)
    if said:
        await webhooks.change(db, row.id, **said)


def _topics(topics: Sequence[Topic]) -> str:
    return json.dumps(sorted(set(topics)))
