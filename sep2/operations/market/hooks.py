"""Receivers that parties name for copies of their messages; each is one of the receivers of the outgoing queue."""

from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations.webhooks import ReceiverTaken
from sep2.rules import names, receivers
from sep2.rules.credentials import folded
from sep2.rules.receivers import Policy
from sep2.rules.webhooks import OF_A_PARTY, new_secret
from sep2.store import webhooks
from sep2.store.connection import Connection
from sep2.store.market import messages as stored
from sep2.store.market import register
from sep2.store.market.facts import AsOf

MOST = 5
LONGEST_NAME = 40


class UnknownWebhook(NotFound):
    """There is no receiver of that name."""


class TooManyWebhooks(Conflict):
    """A party has five receivers at most."""


class BadWebhook(BadValue):
    """The receiver can not be named so."""


class Said(NamedTuple):
    """A receiver as a party names it."""

    name: str
    url: str
    enabled: bool = True
    new_secret: bool = False


class Put(NamedTuple):
    """What came of it: the secret where it is shown, and whether the receiver is new."""

    secret: str
    created: bool


def policy_of(policy: Policy, *, private: bool) -> Policy:
    """Where parties may have copies sent: what is the utility's own is not theirs to name."""
    return policy._replace(private=private)


async def find(db: Connection, party_id: int, name: str) -> Row[Any]:
    """The party's receiver of that name."""
    key = names.key_of(name)
    for row in await stored.hooks(db, [party_id]):
        if row.name_key == key:
            return row
    raise UnknownWebhook(name[:LONGEST_NAME])


async def put_hook(db: Connection, party_id: int, said: Said, policy: Policy, *, now: int) -> Put:
    """Have a receiver get copies of what the party is told from now on; one of that name is changed."""
    receivers.check_named(said.url, policy)
    rows = await stored.hooks(db, [party_id])
    there = next((row for row in rows if row.name_key == names.key_of(said.name)), None)
    if there is None:
        return Put(await _add(db, party_id, said, len(rows), now=now), created=True)
    secret = new_secret() if said.new_secret else ""
    more: dict[str, Any] = {"secret": secret} if secret else {}
    if said.url != there.url:
        more |= {"failures": 0, "failing_since": None, "rests_until": 0, "error": ""}
    await webhooks.change(db, there.webhook_id, url=said.url, enabled=said.enabled, **more)
    return Put(secret, created=False)


async def _add(db: Connection, party_id: int, said: Said, there: int, *, now: int) -> str:
    if there >= MOST:
        raise TooManyWebhooks(said.name[:LONGEST_NAME])
    if (wrong := names.misfit(said.name)) or len(said.name) > LONGEST_NAME:
        raise BadWebhook(f"name: {wrong or f'longer than {LONGEST_NAME} characters'}")
    party = await register.entry(db, "party", party_id, AsOf(now))
    assert party is not None  # who asks is one
    name = f"{party.name[:38]}: {said.name}"
    if await webhooks.named(db, folded(name)) is not None:
        raise ReceiverTaken(name)
    secret = new_secret()
    number = await webhooks.add(
        db,
        name=name,
        folded=folded(name),
        url=said.url,
        secret=secret,
        topics=OF_A_PARTY,
        least_priority=3,
        enabled=said.enabled,
        created=now,
    )
    key = names.key_of(said.name)
    await stored.add_hook(db, party_id=party_id, webhook_id=number, name=said.name, name_key=key)
    return secret


async def remove_hook(db: Connection, row: Row[Any]) -> None:
    """Have a receiver get no copies any more."""
    await webhooks.remove(db, row.webhook_id)
