"""Subscription and notification."""

from __future__ import annotations

from dataclasses import field

from sep2.wire.base import List, PollRate, Resource
from sep2.wire.codes import AttributeIdentifier, Encoding, NotificationStatus
from sep2.wire.declare import Typed, wire
from sep2.wire.types import Int48, String16, UInt32, anyURI


@wire
class SubscriptionBase(Resource):
    """The resource that a subscription is about."""

    subscribedResource: anyURI


@wire
class Condition:
    """The range of values that a conditional subscription stays silent in."""

    attributeIdentifier: AttributeIdentifier | int
    lowerThreshold: Int48
    upperThreshold: Int48


@wire
class Subscription(SubscriptionBase):
    """Who is to be told, and where, when a resource changes."""

    Condition: Condition | None = None
    encoding: Encoding | int
    level: String16
    limit: UInt32
    notificationURI: anyURI


@wire
class SubscriptionList(List):
    """The subscriptions of one client."""

    pollRate: PollRate = None
    Subscription: list[Subscription] = field(default_factory=list)


@wire
class Notification(SubscriptionBase):
    """A resource as it is now, sent to a subscriber."""

    newResourceURI: anyURI | None = None
    Resource: Typed[Resource | None] = None
    status: NotificationStatus | int
    subscriptionURI: anyURI


@wire
class NotificationList(List):
    """The notifications that a device has received."""

    Notification: Typed[list[Notification]] = field(default_factory=list)
