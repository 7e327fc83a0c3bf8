"""Subscriptions, rates, alarms, the audit log, status and clock, as the operator API shows and takes them."""

import msgspec
from msgspec import Struct

from sep2.rest.types import Asked, Epoch, Seconds, Span
from sep2.rules.metering import ReadingSign
from sep2.settings.roster import Worker


class Subscription(Struct, frozen=True, kw_only=True):
    """What a client wants to be told, and the notification that waits for it, if one does."""

    id: int
    client: str
    subscribed_resource: str
    notification_uri: str
    created: int
    waiting_since: int | None
    attempts: int
    due: int | None
    dead: bool
    error: str


class SubscriptionQuery(Span, frozen=True, kw_only=True):
    """Only those with a notification that waits, or only those whose notification is dead."""

    client: str | None = None
    waiting: bool = False
    dead: bool = False


class SetAside(Struct, frozen=True, kw_only=True):
    """A change that could not be turned into notifications: what changed, and why it could not."""

    id: int
    resource: str
    ids: str
    """as they are stored: JSON, unless that is what is wrong"""
    attempts: int
    error: str


class Mirror(Struct, frozen=True, kw_only=True):
    """A MirrorUsagePoint: what a device has metered, how often it is to post, and when it last did."""

    id: int
    name: str | None
    mrid: str
    client: str
    device: str
    description: str
    role_flags: int
    post_rate: int | None
    reading_sign: ReadingSign
    series: int
    latest: int | None
    """When the latest reading came in."""


class NewReadingSign(Asked, frozen=True, kw_only=True):
    """What was found of a meter's sign."""

    reading_sign: ReadingSign


class MirrorQuery(Span, frozen=True, kw_only=True):
    """Only those of one device, named by the beginning of its LFDI."""

    device: str | None = None


class Rate(Struct, frozen=True, kw_only=True):
    """How often clients are asked to poll a resource."""

    resource: str
    seconds: int


class NewRate(Asked, frozen=True, kw_only=True):
    """Seconds between two polls."""

    seconds: Seconds


class AuditQuery(Span, frozen=True, kw_only=True):
    """Entries of one operator, and of what begins like `subject` (such as `/connections/NMI1`)."""

    operator: str | None = None
    subject: str | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """What was changed, or asked for in vain: by whom, how they came in, what was before and after.

    `operator` was authenticated; `label` is what their program calls them. `detail` is null once it was erased.
    """

    id: int
    at: int
    operator: str
    label: str
    via: str
    address: str
    request: str
    verb: str
    subject: str
    outcome: str
    detail: msgspec.Raw
    hash: str


class ChainChecked(Struct, frozen=True, kw_only=True):
    """Whether the audit log is whole: how many entries were looked at, and the first that differs."""

    whole: bool
    entries: int
    head: str
    broken_at: int | None
    problem: str
    seals: int
    """heads of it that were signed with the server's key, and are as they were"""


class Status(Struct, frozen=True, kw_only=True):
    """How the server is doing; `now` is the time its clients are told.

    It is `settled` once all that this time asks for is done, and told to those who could be reached.
    """

    now: int
    settled: bool
    clock: str
    clients: int
    devices: int
    controls: int
    outbox: int
    set_aside: int
    """Changes that could not be turned into notifications."""
    waiting: int
    dead: int
    alarms: int
    """That stand, and are neither shelved nor explained by another."""
    shelved: int
    silent_clients: list[str]
    silent_devices: list[str]
    """Of aggregators that speak themselves; by connection where a device has one."""
    disobeying: list[str]
    """Connections that were measured beyond a limit, and have not kept it since."""
    uncontrolled: int
    """Chargers and other loads of csip clients that follow no EndDeviceControls: no limit of load reaches them."""
    uncontrolled_devices: list[str]
    """The first of them, by connection where a device has one."""
    not_looked_at: list[str]
    """What nobody has looked at as often as it should be, and so is not known to be well."""
    workers: list[Worker]
    """The processes of `sep2 serve --workers` on the machine that answers; empty where one process does everything."""


class SetClock(Asked, frozen=True, kw_only=True):
    """Where to move a paced clock; it never goes back."""

    now: Epoch
