"""What a party was told, and the receivers that it has named for copies."""

import json
from typing import Any

from sqlalchemy import Row

from sep2.operations.market import hooks
from sep2.operations.market.signing_keys import signer
from sep2.partner import override_types as t
from sep2.partner.access import party_of
from sep2.rest.route import Request
from sep2.rest.types import Done, Listed, Nothing
from sep2.rules.market.message_signatures import public_key
from sep2.rules.market.message_words import words
from sep2.store.market import messages as stored


async def list_messages(rq: Request, asked: t.MessagesQuery) -> t.Messages:
    """What you were told after a message that you have, in order; ask with `Prefer: wait=30` to wait for the next."""
    number = party_of(rq).party_id
    rows = await stored.after(rq.db, number, asked.after, asked.limit)
    return t.Messages(messages=[_message(row) for row in rows], last=await stored.last(rq.db, number))


async def show_keys(rq: Request, asked: Nothing) -> t.Keys:
    """The keys (a JWK set) that copies of your messages are signed with: the header `webhook-jws`, a detached JWS."""
    market = rq.state.settings.market
    return t.Keys(keys=[public_key(signer(market.message_key, market.utility_name, "messages", rq.now))])


async def list_webhooks(rq: Request, asked: Nothing) -> Listed[t.Webhook]:
    """Your receivers of copies."""
    rows = await stored.hooks(rq.db, [party_of(rq).party_id])
    return Listed(total=len(rows), items=[t.Webhook(**_hook(row)) for row in rows])


async def show_webhook(rq: Request, asked: Nothing) -> t.Webhook:
    """One of your receivers of copies, and how it stands."""
    return t.Webhook(**_hook(await hooks.find(rq.db, party_of(rq).party_id, rq.ids["webhook"])))


async def set_webhook(rq: Request, asked: t.WebhookSaid) -> t.WebhookSet:
    """The receiver of copies as it is now; a new one with the secret that its signatures are checked with."""
    number = party_of(rq).party_id
    settings = rq.state.settings
    said = hooks.Said(rq.ids["webhook"], asked.url, asked.enabled, asked.new_secret)
    policy = hooks.policy_of(settings.receivers.policy(), private=settings.partner.private_webhooks)
    done = await hooks.put_hook(rq.db, number, said, policy, now=rq.now)
    row = await hooks.find(rq.db, number, rq.ids["webhook"])
    return t.WebhookSet(**_hook(row), secret=done.secret, created=done.created)


async def remove_webhook(rq: Request, asked: Nothing) -> Done:
    """The receiver gets no copies any more, also not what waits; the messages stay."""
    row = await hooks.find(rq.db, party_of(rq).party_id, rq.ids["webhook"])
    await hooks.remove_hook(rq.db, row)
    return Done(message=f"{row.name} gets no copies any more")


def _message(row: Row[Any]) -> t.Message:
    names = ("sequence", "kind", "subject", "created", "sha256")
    body = json.loads(row.body)
    return t.Message(body=body, says=words(row.kind, body), **{name: getattr(row, name) for name in names})


def _hook(row: Row[Any]) -> dict[str, Any]:
    names = ("name", "url", "enabled", "delivered_at", "failures", "error")
    return {"created_at": row.created, **{name: getattr(row, name) for name in names}}
