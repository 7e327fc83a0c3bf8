"""Is all well: subscriptions and what waits for them, poll rates, the audit log, the clock."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from sep2.admin import find, views
from sep2.admin import types as t
from sep2.clock import SteppedClock
from sep2.errors import BadRequest, BadValue, Conflict, NotFound
from sep2.operations import attention, rates
from sep2.operations.alarms import NOTIFIER_STALLED
from sep2.operations.mirrors import set_reading_sign as set_sign
from sep2.rest.route import Request, listed, page
from sep2.rules.row_numbers import row_number
from sep2.rules.told_times import told
from sep2.server.app import CLOCK_MARK
from sep2.server.chain_watch import check
from sep2.server.fanout import SET_ASIDE
from sep2.server.seals import Sealer
from sep2.settings import POLLED
from sep2.store import (
    alarm_states,
    alarms,
    deliveries,
    listing_controls,
    listing_register,
    listing_watch,
    marks,
    outbox,
    uncontrolled,
)

LARGE = 20_000
"""From so many clients, devices and controls on, they are counted every ten seconds."""


class NothingWaits(NotFound):
    """No notification waits for that subscription."""


class NotSetAside(NotFound):
    """No change of that number is set aside."""


NAMED = 20
"""Devices that are named where more may be counted."""


class NotPolled(NotFound):
    """That resource carries no pollRate."""


class ClockRuns(Conflict):
    """The server follows the system's clock; only a paced one can be moved (`clock = "paced"` in sep2.toml)."""


class ClockGoesBack(BadValue):
    """A clock does not go back."""


async def list_subscriptions(rq: Request, asked: t.SubscriptionQuery) -> t.Listed[t.Subscription]:
    """Subscriptions, each with the notification that waits for it."""
    if asked.waiting and asked.dead:
        raise BadRequest("waiting: a notification that is dead waits no more")
    client = await find.client(rq.db, asked.client) if asked.client else None
    dead = True if asked.dead else False if asked.waiting else None
    found = await listing_watch.subscriptions(rq.db, page(asked), client_id=client.id if client else None, dead=dead)
    return listed(found, [views.subscription(row) for row in found.rows])


async def replay_delivery(rq: Request, asked: t.Nothing) -> t.Done:
    """The notification is attempted again at once, with the newest state."""
    subscription = rq.ids["subscription"]
    if not await deliveries.replay(rq.db, row_number(subscription), rq.now):
        raise NothingWaits(subscription)
    rq.after.append(_wake(rq))
    return t.Done(message=f"the notification for subscription {subscription} is sent again")


async def list_set_aside(rq: Request, asked: t.Span) -> t.Listed[t.SetAside]:
    """Changes that could not be turned into notifications, oldest first."""
    found = await outbox.set_aside(rq.db, page(asked))
    items = [
        t.SetAside(id=row.id, resource=row.kind, ids=row.ids, attempts=row.attempts, error=row.error)
        for row in found.rows
    ]
    return listed(found, items)


async def replay_change(rq: Request, asked: t.Nothing) -> t.Done:
    """It is tried again to turn the change into notifications."""
    change = rq.ids["change"]
    if not await outbox.replay(rq.db, row_number(change)):
        raise NotSetAside(change[:20])
    if not await outbox.count_set_aside(rq.db):
        await alarms.clear(rq.db, NOTIFIER_STALLED, SET_ASIDE, rq.now)
    rq.after.append(_wake(rq))
    return t.Done(message=f"change {change} is tried again")


async def list_mirrors(rq: Request, asked: t.MirrorQuery) -> t.Listed[t.Mirror]:
    """What devices have metered, the latest made first."""
    device = await find.device(rq.db, asked.device) if asked.device else None
    found = await listing_watch.mirrors(rq.db, page(asked), device_id=device.id if device else None)
    return listed(found, [views.mirror(row) for row in found.rows])


async def set_post_rate(rq: Request, asked: t.NewRate) -> t.Done:
    """The client is to post readings of this MirrorUsagePoint that often."""
    mirror = await find.mirror(rq.db, rq.ids["mirror"])
    await rates.set_post_rate(rq.db, mirror.id, asked.seconds, rq.now)
    return t.Done(
        message=f"readings of mirror {mirror.id} are posted every {asked.seconds} s, once its client has looked"
    )


async def set_reading_sign(rq: Request, asked: t.NewReadingSign) -> t.Done:
    """Whether power that this MirrorUsagePoint posts is import, as the standard says, or export, or nobody knows."""
    mirror = await find.mirror(rq.db, rq.ids["mirror"])
    await set_sign(rq.db, mirror.id, asked.reading_sign)
    return t.Done(message=f"readings of mirror {mirror.id} are {asked.reading_sign}")


async def list_poll_rates(rq: Request, asked: t.Nothing) -> list[t.Rate]:
    """How often clients are asked to poll each resource."""
    changed = await marks.starting_with(rq.db, rates.POLL_RATE)
    utility = rq.state.settings.utility
    return [t.Rate(resource=name, seconds=int(changed.get(name, utility.poll_rate_of(name)))) for name in POLLED]


async def show_poll_rate(rq: Request, asked: t.Nothing) -> t.Rate:
    """How often clients are asked to poll one resource."""
    resource = _polled(rq)
    return next(rate for rate in await list_poll_rates(rq, asked) if rate.resource == resource)


def _polled(rq: Request) -> str:
    resource = rq.ids["resource"]
    if resource not in POLLED:
        raise NotPolled(f"{resource[:60]}; these do: {', '.join(POLLED)}")
    return resource


async def set_poll_rate(rq: Request, asked: t.NewRate) -> t.Rate:
    """The resource's new poll rate; its subscribers are told."""
    resource = _polled(rq)
    await rates.set_poll_rate(rq.db, resource, asked.seconds, rq.now)
    rq.after.append(rq.state.refresh)
    return t.Rate(resource=resource, seconds=asked.seconds)


async def list_audit(rq: Request, asked: t.AuditQuery) -> t.Listed[t.Entry]:
    """What was changed or refused, and by whom, newest first."""
    found = await listing_watch.entries(rq.db, page(asked), operator=asked.operator, subject=asked.subject)
    return listed(found, [views.entry(row) for row in found.rows])


async def verify_audit(rq: Request, asked: t.Nothing) -> t.ChainChecked:
    """Whether the audit log is as it was written, and otherwise the first entry that is not."""
    found = await check(rq.db, Sealer(rq.state.settings.tls))
    return t.ChainChecked(
        whole=found.broken_at is None,
        entries=found.entries,
        head=found.head,
        broken_at=found.broken_at,
        problem=found.problem,
        seals=found.seals,
    )


class _Totals(NamedTuple):
    clients: int
    devices: int
    controls: int


async def _totals(rq: Request) -> _Totals:
    """How many clients and devices may connect, and how many controls hold or are to come."""
    clients, devices = await listing_register.totals(rq.db)
    return _Totals(clients, devices, await listing_controls.live_total(rq.db, rq.now))


async def show_status(rq: Request, asked: t.Nothing) -> t.Status:
    """How the server is doing."""
    count = partial(_totals, rq)
    total = await rq.state.kept.answer("totals", rq.now, count, is_large=lambda found: sum(found) > LARGE)
    standing = await alarm_states.counts(rq.db, rq.now)
    waiting = await deliveries.counts(rq.db)
    known = await attention.attention(rq.db, rq.now, rq.state.judge.settles_after_s)
    unseen = known.not_looked_at if rq.state.clock.is_trusted() else [*known.not_looked_at, "clock"]
    return t.Status(
        now=rq.now,
        settled=await rq.state.settled(),
        clock=rq.state.settings.clock,
        clients=total.clients,
        devices=total.devices,
        controls=total.controls,
        outbox=await listing_watch.unseen_changes(rq.db),
        set_aside=await outbox.count_set_aside(rq.db),
        waiting=waiting["waiting"],
        dead=waiting["dead"],
        alarms=standing["standing"],
        shelved=standing["shelved"],
        silent_clients=known.silent_clients,
        silent_devices=known.silent_devices,
        disobeying=known.disobeying,
        uncontrolled=await uncontrolled.count(rq.db),
        uncontrolled_devices=[
            one.connection_name or one.name or one.lfdi for one in await uncontrolled.some(rq.db, NAMED)
        ],
        not_looked_at=unseen,
        workers=rq.state.siblings(),
    )


async def set_clock(rq: Request, asked: t.SetClock) -> t.Done:
    """The server's time is now the one asked for."""
    clock = rq.state.clock
    if not isinstance(clock, SteppedClock):
        raise ClockRuns
    if asked.now < rq.now:
        raise ClockGoesBack(f"now: {told(asked.now)} is before {told(rq.now)}")
    await marks.put(rq.db, CLOCK_MARK, str(asked.now))

    async def move() -> None:
        clock.advance(max(asked.now, clock.now()))

    rq.after.append(move)
    return t.Done(message=f"the server's time is {told(asked.now)}")


def _wake(rq: Request) -> Callable[[], Awaitable[None]]:
    """Has the notifier look once the request's transaction is kept."""

    async def wake() -> None:
        rq.state.wake()

    return wake


async def confirm_clock(rq: Request, asked: t.Nothing) -> t.Done:
    """The machine's clock is right, though it has jumped: the server's time is the machine's from now on."""
    guard = rq.state.clock_guard
    guard.ensure_doubted()
    rq.after.append(guard.confirm)
    return t.Done(message="the machine's clock is confirmed")
