"""Who is told of what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sep2.errors import SepError
from sep2.store import outbox, subscriptions
from sep2.store.connection import Connection


class TooManySubscriptions(SepError):
    """The client has as many subscriptions as it may have."""

    status = 403
    reason = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription:
    """A subscription to a row of the resource table, checked for its subscriber's right to read it."""

    client_id: int
    end_device_id: int
    resource: str
    ids: Mapping[str, int]
    subscribed_resource: str
    notification_uri: str
    receiver: str
    level: str
    limit: int
    most: int

    def key(self) -> str:
        """The ids as they are stored and compared."""
        return json.dumps(dict(self.ids), sort_keys=True)


async def subscribe(db: Connection, new: NewSubscription, now: int) -> tuple[int, bool]:
    """The id of the subscription, and whether it is new rather than updated."""
    known = await subscriptions.same(
        db,
        end_device_id=new.end_device_id,
        resource=new.resource,
        ids=new.key(),
        notification_uri=new.notification_uri,
    )
    if known is not None:
        await replace_subscription(db, known, new)
        return known, False
    if await subscriptions.count_of(db, new.client_id) >= new.most:
        raise TooManySubscriptions(f"{new.most}")
    subscription_id = await subscriptions.add(
        db,
        client_id=new.client_id,
        end_device_id=new.end_device_id,
        resource=new.resource,
        ids=new.key(),
        subscribed_resource=new.subscribed_resource,
        notification_uri=new.notification_uri,
        receiver=new.receiver,
        encoding=0,
        level=new.level,
        item_limit=new.limit,
        created=now,
    )
    await outbox.changed(db, "SubscriptionList", edev=new.end_device_id)
    return subscription_id, True


async def replace_subscription(db: Connection, subscription_id: int, new: NewSubscription) -> None:
    """Have a subscription say something else from now on."""
    await subscriptions.replace(
        db,
        subscription_id,
        client_id=new.client_id,
        resource=new.resource,
        ids=new.key(),
        subscribed_resource=new.subscribed_resource,
        notification_uri=new.notification_uri,
        receiver=new.receiver,
        level=new.level,
        item_limit=new.limit,
    )


async def end_subscription(db: Connection, subscription_id: int, device_id: int) -> None:
    """End a subscription, and forget what waits for it."""
    await subscriptions.remove(db, subscription_id)
    await outbox.changed(db, "SubscriptionList", edev=device_id)
