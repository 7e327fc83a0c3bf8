"""The utility's own systems: webhooks to them, and the state that they can read."""

import json
from typing import Any

from sqlalchemy import Row

from sep2.admin import types as t
from sep2.operations import state_out, webhooks
from sep2.rest.route import Request, listed, page
from sep2.rules.events import shows_at_once
from sep2.rules.mail import is_mail
from sep2.rules.webhooks import Wish, new_secret
from sep2.store import state_out as stored_state
from sep2.store import webhooks as stored
from sep2.store.controls import Seen


async def list_receivers(rq: Request, asked: t.Span) -> t.Listed[t.Receiver]:
    """Receivers by name."""
    found = await stored.listed(rq.db, page(asked))
    return listed(found, [t.Receiver(**_of(row)) for row in found.rows])


async def show_receiver(rq: Request, asked: t.Nothing) -> t.Receiver:
    """One receiver, by name."""
    return t.Receiver(**_of(await webhooks.find(rq.db, rq.ids["receiver"])))


async def add_receiver(rq: Request, asked: t.NewReceiver) -> t.ReceiverMade:
    """The new receiver, with the secret that it checks signatures with."""
    wish = Wish(asked.least_priority, frozenset(asked.codes), asked.hours, asked.escalation)
    new = webhooks.NewReceiver(asked.name, asked.url, asked.topics, wish)
    secret = await webhooks.add_receiver(rq.db, new, _ways(rq), rq.now)
    return t.ReceiverMade(**_of(await webhooks.find(rq.db, asked.name)), secret=secret)


async def set_receiver(rq: Request, asked: t.ReceiverChange) -> t.ReceiverMade:
    """The receiver as it is now."""
    row = await webhooks.find(rq.db, rq.ids["receiver"])
    names = ("url", "least_priority", "hours", "escalation", "enabled")
    said: dict[str, Any] = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    if asked.codes is not None:
        said["codes"] = frozenset(asked.codes)
    was_mail, mails = is_mail(row.url), is_mail(said.get("url", row.url))
    secret = new_secret() if not mails and (asked.new_secret or was_mail) else ""
    if secret:
        said["secret"] = secret
    await webhooks.set_receiver(rq.db, row, _ways(rq), topics=asked.topics, **said)
    return t.ReceiverMade(**_of(await webhooks.find(rq.db, row.name)), secret=secret)


def _ways(rq: Request) -> webhooks.Ways:
    settings = rq.state.settings
    return webhooks.Ways(settings.receivers.policy(), mails=bool(settings.mail.host))


async def remove_receiver(rq: Request, asked: t.Nothing) -> t.Done:
    """The receiver is told nothing more, also not what waits."""
    row = await webhooks.find(rq.db, rq.ids["receiver"])
    await stored.remove(rq.db, row.id)
    return t.Done(message=f"receiver {row.name} is removed")


async def test_receiver(rq: Request, asked: t.Nothing) -> t.Receiver:
    """A message of the topic `test` waits for the receiver; `delivered` shows when it has taken it."""
    row = await webhooks.find(rq.db, rq.ids["receiver"])
    said = stored.Message("test", "test", row.name, {"by": rq.operator})
    await stored.tell_one(rq.db, row.id, said, rq.now)
    return t.Receiver(**_of(await webhooks.find(rq.db, row.name)))


async def replay_receiver(rq: Request, asked: t.Nothing) -> t.Done:
    """What was given up is sent again, and what waits at once."""
    row = await webhooks.find(rq.db, rq.ids["receiver"])
    found = await stored.replay(rq.db, row.id)
    return t.Done(message=f"{found} messages that were given up are sent again to {row.name}")


async def show_state(rq: Request, asked: t.Span) -> t.Listed[t.ConnectionState]:
    """Connections, each with the limits in force and the power that was measured last."""
    found = await stored_state.connections(rq.db, page(asked))
    power = await state_out.power_at(rq.db, [row.id for row in found.rows])
    seen = Seen(rq.now, superseded_at_once=shows_at_once(rq.state.settings.utility.profile))
    return listed(found, [await _state(rq, row, seen, power.get(row.id)) for row in found.rows])


async def _state(rq: Request, row: Row[Any], seen: Seen, power: state_out.Power | None) -> t.ConnectionState:
    limits = {} if row.device_id is None else await state_out.limits_at(rq.db, row, seen)
    shown = {name: t.LimitInForce(**limits[name]._asdict()) if name in limits else None for name in _LIMITS}
    return t.ConnectionState(
        connection_id=row.connection_id,
        device=row.lfdi,
        **shown,
        firm_import_w=row.firm_import_w,
        firm_export_w=row.firm_export_w,
        site_w=None if power is None else power.watts,
        site_at=None if power is None else power.end,
    )


_LIMITS = ("import_w", "export_w", "gen_w", "load_w")


def _of(row: Row[Any]) -> dict[str, Any]:
    names = ("name", "url", "least_priority", "hours", "escalation", "enabled", "created")
    more = ("delivered", "delivered_at", "next_sequence", "waiting", "dead", "failures", "error")
    lists = {name: json.loads(getattr(row, name)) for name in ("topics", "codes")}
    return {name: getattr(row, name) for name in (*names, *more)} | lists
