"""Subscriptions (2030.5 8.7): on the EndDevice that stands for the TLS peer, about anything the peer may read."""

from typing import Any

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import BadValue, NotFound, SepError
from sep2.functions.fsa import group_named
from sep2.functions.request import Made, Request, found
from sep2.operations.subscriptions import NewSubscription, end_subscription, replace_subscription, subscribe
from sep2.rules import receivers
from sep2.store import access, subscriptions

LONGEST_PATH = 1024


class NotSubscribable(BadValue):
    """There is nothing to subscribe to."""


class NoConditions(SepError):
    """Conditional subscriptions are not offered."""

    status = 400
    reason = 3


async def list_subscriptions(rq: Request) -> w.SubscriptionList:
    """The peer's subscriptions."""
    _own_entry(rq)
    page = await subscriptions.of_device(rq.db, rq.ids.edev, rq.page)
    items = [_view(row, rq) for row in page.rows]
    return w.SubscriptionList(all=page.total, results=len(items), Subscription=items)


async def one_subscription(rq: Request) -> w.Subscription:
    """One subscription; a client whose subscription ended learns of it here."""
    _own_entry(rq)
    return _view(found(await subscriptions.one(rq.db, rq.ids.edev, rq.ids.sub)), rq)


async def post_subscription(rq: Request, body: w.Subscription) -> Made:
    """Subscribe; the same resource and receiver again updates the subscription that is there."""
    _own_entry(rq)
    subscription_id, new = await subscribe(rq.db, await _checked(rq, body), rq.now)
    return Made(rq.href("Subscription", sub=subscription_id), new)


async def put_subscription(rq: Request, body: w.Subscription) -> None:
    """Replace a subscription where it is."""
    _own_entry(rq)
    found(await subscriptions.one(rq.db, rq.ids.edev, rq.ids.sub))
    await replace_subscription(rq.db, rq.ids.sub, await _checked(rq, body))


async def delete_subscription(rq: Request) -> None:
    """End a subscription."""
    _own_entry(rq)
    found(await subscriptions.one(rq.db, rq.ids.edev, rq.ids.sub))
    await end_subscription(rq.db, rq.ids.sub, rq.ids.edev)


async def _checked(rq: Request, body: w.Subscription) -> NewSubscription:
    if body.Condition is not None:
        raise NoConditions
    if body.encoding != 0:
        raise BadValue(f"encoding: {body.encoding} is not 0 (XML)")
    policy = rq.house.settings.receivers.policy(rq.caller.receiver_hosts.split())
    receiver = str(receivers.check(body.notificationURI, policy))
    resource, ids = await _readable(rq, body.subscribedResource)
    return NewSubscription(
        client_id=rq.client,
        end_device_id=rq.ids.edev,
        resource=resource,
        ids=ids,
        subscribed_resource=rq.table.href(resource, ids),
        notification_uri=body.notificationURI,
        receiver=receiver,
        level=body.level,
        limit=body.limit,
        most=rq.house.settings.limits.subscriptions,
    )


async def _readable(rq: Request, uri: str) -> tuple[str, dict[str, int]]:
    """The row of the resource table at a path, and its ids, if the caller may read it and subscribe to it.

    The URI may be absolute. A query string is no part of what is subscribed to (2030.5 8.7).
    """
    path = uri.removeprefix(rq.house.settings.listen.origin).partition("?")[0]
    located = rq.table.locate(path) if path.startswith("/") and len(path) <= LONGEST_PATH else None
    if located is None or not rq.subscribable(located[0]):
        raise NotSubscribable(f"subscribedResource: {path[:80]}")
    resource, ids = located
    if not await _sees(rq, ids):
        raise NotSubscribable(f"subscribedResource: {path[:80]}")
    return resource, ids


async def _sees(rq: Request, ids: dict[str, int]) -> bool:
    group = group_named(ids)
    if group is not None:
        return await access.acting_in(rq.db, rq.caller.lfdi, ids["edev"], group=group) is not None
    return "edev" not in ids or await access.acting_for(rq.db, rq.caller.lfdi, ids["edev"]) is not None


def _own_entry(rq: Request) -> None:
    """All subscriptions of an aggregator are on its own entry (CSIP)."""
    if rq.own.lfdi != rq.caller.lfdi:
        raise NotFound


def _view(row: Row[Any], rq: Request) -> w.Subscription:
    return w.Subscription(
        href=rq.href("Subscription", sub=row.id),
        subscribedResource=row.subscribed_resource,
        encoding=row.encoding,
        level=row.level,
        limit=row.item_limit,
        notificationURI=row.notification_uri,
    )
