"""Receivers of webhooks and of e-mail about alarms, added, changed and tried by operators."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.errors import BadValue, Conflict, NotFound
from sep2.rules import receivers as rules
from sep2.rules.alarm_kinds import KINDS
from sep2.rules.credentials import folded
from sep2.rules.mail import addresses, is_mail
from sep2.rules.webhooks import OF_A_PARTY, Topic, Wish, are_hours, new_secret
from sep2.store import webhooks
from sep2.store.connection import Connection


class UnknownReceiver(NotFound):
    """There is no receiver of that name."""


class ReceiverTaken(Conflict):
    """There is a receiver of that name already."""


class BadReceiver(BadValue):
    """A receiver is told by https://… of any topic, and by mailto:… of alarms."""


class NoMailServer(Conflict):
    """No mail can be sent: `mail.host` is not set in sep2.toml."""


class PartysReceiver(Conflict):
    """A party of the market owns this receiver: it gets copies of that party's messages, and has no topics."""


class NewReceiver(NamedTuple):
    """A system or person that is to be told, and of which alarms."""

    name: str
    url: str
    topics: Sequence[Topic]
    wish: Wish = Wish()


class Ways(NamedTuple):
    """How receivers can be told: by HTTP as the policy says, and by mail where there is a mail server."""

    policy: rules.Policy
    mails: bool = False


async def find(db: Connection, name: str) -> Row[Any]:
    """The receiver of that name, whatever its case; UnknownReceiver if there is none."""
    row = await webhooks.named(db, folded(name))
    if row is None:
        raise UnknownReceiver(name[:60])
    return row


async def add_receiver(db: Connection, new: NewReceiver, ways: Ways, now: int) -> str:
    """The secret of the new receiver, which signs everything that is sent to it; empty where that is mail."""
    if await webhooks.named(db, folded(new.name)) is not None:
        raise ReceiverTaken(new.name)
    _check(new.url, new.topics, ways)
    secret = "" if is_mail(new.url) else new_secret()
    await webhooks.add(
        db,
        name=new.name,
        folded=folded(new.name),
        url=new.url,
        secret=secret,
        topics=_topics(new.topics),
        enabled=True,
        created=now,
        **_columns(new.wish),
    )
    return secret


async def set_receiver(
    db: Connection, row: Row[Any], ways: Ways, *, topics: Sequence[Topic] | None = None, **said: Any
) -> None:
    """Change what is given: url, topics, enabled, secret, and what a Wish says."""
    if row.topics == OF_A_PARTY and topics is not None:
        raise PartysReceiver(row.name)
    url, told = said.get("url", row.url), topics if topics is not None else json.loads(row.topics)
    if "url" in said or topics is not None:
        _check(url, told, ways)
    if "url" in said:
        said |= {"failures": 0, "failing_since": None, "rests_until": 0, "error": ""}
    if topics is not None:
        said["topics"] = _topics(topics)
    wish = webhooks.wish_of(row)._replace(**{name: said.pop(name) for name in Wish._fields if name in said})
    said |= _columns(wish)
    await webhooks.change(db, row.id, **said)


def _check(url: str, topics: Sequence[str], ways: Ways) -> None:
    if not is_mail(url):
        rules.check_named(url, ways.policy)
        return
    addresses(url)
    if set(topics) != {Topic.ALARMS}:
        raise BadReceiver(f"topics: {', '.join(topics)}, by mail")
    if not ways.mails:
        raise NoMailServer


def _columns(wish: Wish) -> dict[str, Any]:
    if wish.hours and not are_hours(wish.hours):
        raise BadReceiver(f"hours: {wish.hours!r}; write 07:00-18:00")
    if unknown := sorted(wish.codes - KINDS.keys()):
        raise BadReceiver(f"codes: {unknown[0]!r} is no kind of alarm; `sep2 alarm kinds` lists them")
    return wish._asdict() | {"codes": json.dumps(sorted(wish.codes))}


def _topics(topics: Sequence[Topic]) -> str:
    return json.dumps(sorted(set(topics)))
