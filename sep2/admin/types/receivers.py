"""Receivers of webhooks and the state they are told, as the operator API shows and takes them."""

from typing import Annotated

from msgspec import Meta, Struct, field

from sep2.admin.types.operators import Name
from sep2.rest.types import Asked
from sep2.rules.webhooks import Topic

Url = Annotated[str, Meta(min_length=1, max_length=1024)]
Topics = Annotated[list[Topic], Meta(min_length=1, max_length=10)]
Priority = Annotated[int, Meta(ge=1, le=3)]


Codes = Annotated[list[Annotated[str, Meta(max_length=40)]], Meta(max_length=100)]
Hours = Annotated[str, Meta(max_length=16)]


class NewReceiver(Asked, frozen=True, kw_only=True):
    """A system of the utility's (https://…) or people (mailto:…, of alarms only), and what they are told of.

    Of alarms: down to a priority, of some codes (none: all), at some hours of local time (such as 07:00-18:00; empty:
    always), or with `escalation` only those that nobody has acknowledged in time.
    """

    name: Name
    url: Url
    topics: Topics
    least_priority: Priority = 3
    codes: Codes = field(default_factory=list)
    hours: Hours = ""
    escalation: bool = False


class ReceiverChange(Asked, frozen=True, kw_only=True):
    """What is given is changed; with `new_secret` the answer holds the secret that signs from now on."""

    url: Url | None = None
    topics: Topics | None = None
    least_priority: Priority | None = None
    codes: Codes | None = None
    hours: Hours | None = None
    escalation: bool | None = None
    enabled: bool | None = None
    new_secret: bool = False


class Receiver(Struct, frozen=True, kw_only=True):
    """A receiver, and how it stands: the number of the message it took last, and what waits or was given up."""

    name: str
    url: str
    topics: list[str]
    least_priority: int
    codes: list[str]
    hours: str
    escalation: bool
    enabled: bool
    created: int
    delivered: int
    delivered_at: int | None
    next_sequence: int
    waiting: int
    dead: int
    failures: int
    error: str


class ReceiverMade(Receiver, frozen=True, kw_only=True):
    """A receiver with its secret, which is shown this once; empty where it stays as it was, and for mail."""

    secret: str


class LimitInForce(Struct, frozen=True, kw_only=True):
    """A limit in watts, who says it, by which control (none: a default), and until when."""

    watts: int
    source: str
    group: str
    control: str | None
    until: int | None
    unsupported: str
    """why the device does not do it; empty where it does"""


class ConnectionState(Struct, frozen=True, kw_only=True):
    """What holds at a connection now, and the latest power that its site meter posted.

    `site_w` is import where it is positive; null where nothing was posted, or its sign is not proven.
    """

    connection_id: str
    device: str | None
    import_w: LimitInForce | None
    export_w: LimitInForce | None
    gen_w: LimitInForce | None
    load_w: LimitInForce | None
    firm_import_w: int | None
    firm_export_w: int | None
    site_w: float | None
    site_at: int | None
