"""What the operator API takes and gives; the command line reads the same types."""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from sep2.settings import ProfileName, Registration

T = TypeVar("T")

Lfdi = Annotated[str, Meta(pattern="^[0-9A-Fa-f]{40}$")]
Epoch = Annotated[int, Meta(ge=0, le=2**40)]
Seconds = Annotated[int, Meta(ge=1, le=2**32 - 1)]
Watts = Annotated[int, Meta(ge=0, le=32767 * 10**9)]
Primacy = Annotated[int, Meta(ge=0, le=255)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
ConnectionId = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,32}$")]
Offset = Annotated[int, Meta(ge=-3600, le=3600)]  # OneHourRangeType
Category = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body or a query; a field that is not named here is refused."""


class Nothing(Asked, frozen=True, kw_only=True):
    """No parameters."""


class Span(Asked, frozen=True, kw_only=True):
    """Which part of a list."""

    start: Annotated[int, Meta(ge=0, le=2**31)] = 0
    limit: Annotated[int, Meta(ge=0, le=1000)] = 100


class ChangeQuery(Asked, frozen=True, kw_only=True):
    """With `dry_run`, the answer is what the change would give, and nothing is changed."""

    dry_run: bool = False


class Listed(Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list, and how long the whole list is."""

    total: int
    items: list[T]


class Refused(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was refused."""

    code: str
    message: str
    field: str = ""


class Limits(Asked, frozen=True, kw_only=True, omit_defaults=True):
    """Bounds in watts; what is left out is not bounded."""

    import_w: Watts | None = None
    export_w: Watts | None = None
    gen_w: Watts | None = None
    load_w: Watts | None = None


class Client(Struct, frozen=True, kw_only=True):
    """A TLS peer that may connect."""

    lfdi: str
    name: str
    kind: str
    profile: str
    registration: str
    pen: int | None
    receiver_hosts: list[str]
    enabled: bool
    created: int
    devices: int


class NewClient(Asked, frozen=True, kw_only=True):
    """A TLS peer to authorise; profile and registration default to the utility's."""

    name: Text
    lfdi: Lfdi
    profile: ProfileName | None = None
    registration: Registration | None = None
    pen: Annotated[int, Meta(ge=1, le=99_999_999)] | None = None
    receiver_hosts: list[Annotated[str, Meta(pattern=r"^[^\s/]+$", max_length=255)]] = []


class ClientChange(Asked, frozen=True, kw_only=True):
    """Let a client in again, or shut it out."""

    enabled: bool


class Device(Struct, frozen=True, kw_only=True):
    """An EndDevice, and the client that acts for it."""

    lfdi: str
    sfdi: int
    client: str
    client_lfdi: str
    profile: str
    connection_id: str | None
    holds_net_limit: bool
    enabled: bool
    registered: int


class InForce(Struct, frozen=True, kw_only=True):
    """What one group asks of a device now: a control's limits, or the default's when `control` is absent."""

    group: str
    primacy: int
    control: str | None
    until: int | None
    limits: Limits


class DeviceShown(Device, frozen=True, kw_only=True):
    """All there is to know about a device; `groups` come most important first."""

    pin: int
    post_rate: int | None
    device_category: int | None
    groups: list[InForce]
    documents: dict[str, int]
    """When it last wrote each of DERCapability, DERSettings, DERStatus, DERAvailability."""


class NewDevice(Asked, frozen=True, kw_only=True):
    """A device to register.

    With `client` (a name or an LFDI) that client acts for it; without, the device is its own client.
    A managed device without `lfdi` is given one.
    """

    lfdi: Lfdi | None = None
    client: str | None = None
    name: Text | None = None
    profile: ProfileName | None = None
    connection_id: ConnectionId | None = None
    holds_net_limit: bool = True
    pin: Annotated[int, Meta(ge=0, le=999_999)] | None = None
    post_rate: Seconds | None = None
    device_category: Category | None = None


class DeviceQuery(Span, frozen=True, kw_only=True):
    """Devices of one client or one group."""

    client: str | None = None
    group: str | None = None


class Connection(Struct, frozen=True, kw_only=True):
    """A customer's point in the network; `group` is the one that is its own."""

    connection_id: str
    description: str
    firm_import_w: int | None
    firm_export_w: int | None
    group: str
    device: str | None
    created: int


class NewConnection(Asked, frozen=True, kw_only=True):
    """A customer's point in the network, and what it may always import and export."""

    connection_id: ConnectionId
    description: Annotated[str, Meta(max_length=200)] = ""
    firm_import_w: Watts | None = None
    firm_export_w: Watts | None = None


class Group(Struct, frozen=True, kw_only=True):
    """The operator's set of devices, with one DERProgram."""

    name: str
    level: str
    primacy: int
    description: str
    connection_id: str | None
    devices: int
    created: int


class NewGroup(Asked, frozen=True, kw_only=True):
    """A group to create; the lower primacy wins."""

    name: Text
    level: Annotated[str, Meta(pattern="^(SY|ST|SS|FD|SG|TF|SP|NT)$")] = "NT"
    primacy: Primacy
    description: Annotated[str, Meta(max_length=32)] = ""


class GroupChange(Asked, frozen=True, kw_only=True):
    """Another primacy for a group."""

    primacy: Primacy


class Members(Asked, frozen=True, kw_only=True):
    """Devices, by LFDI."""

    devices: Annotated[list[str], Meta(min_length=1, max_length=10_000)]


class Default(Struct, frozen=True, kw_only=True):
    """What holds for a group when no control is active."""

    group: str
    mrid: str
    limits: Limits
    modes: dict[str, Any]
    set_grad_w: int | None
    set_soft_grad_w: int | None
    changed: int


class NewDefault(Asked, frozen=True, kw_only=True):
    """What shall hold for a group when no control is active; it replaces what was set before."""

    limits: Limits = Limits()
    modes: dict[str, Any] = {}
    set_grad_w: Annotated[int, Meta(ge=0, le=65535)] | None = None
    set_soft_grad_w: Annotated[int, Meta(ge=0, le=65535)] | None = None


class NewControl(Asked, frozen=True, kw_only=True):
    """One control; `start` defaults to now."""

    start: Epoch | None = None
    duration: Seconds
    limits: Limits = Limits()
    modes: dict[str, Any] = {}
    ramp_tms: Annotated[int, Meta(ge=0, le=65535)] | None = None
    randomize_start: Offset | None = None
    randomize_duration: Offset | None = None
    device_category: Category | None = None
    description: Annotated[str, Meta(max_length=32)] = ""


class NewControls(Asked, frozen=True, kw_only=True):
    """Controls of one group, issued in one transaction, and why."""

    controls: Annotated[list[NewControl], Meta(min_length=1, max_length=10_000)]
    reason: Annotated[str, Meta(max_length=200)] = ""


class Issued(Struct, frozen=True, kw_only=True):
    """The mRIDs of what was made, of what already said the same, and of what gives way."""

    created: list[str]
    kept: list[str]
    superseded: list[str]
    devices: int


class Control(Struct, frozen=True, kw_only=True):
    """A control and its EventStatus, as clients of the utility's profile see it now."""

    mrid: str
    group: str
    description: str
    created: int
    start: int
    duration: int
    status: int
    status_since: int
    over: bool
    limits: Limits
    source: str
    reason: str


class Reached(Struct, frozen=True, kw_only=True):
    """One device of a control's group, and when each response status was received from it."""

    lfdi: str
    client: str
    connection_id: str | None
    responses: dict[int, int]
    note: str


class ControlShown(Control, frozen=True, kw_only=True):
    """A control and what its devices answered."""

    modes: dict[str, Any]
    ramp_tms: int | None
    randomize_start: int | None
    randomize_duration: int | None
    ends: int
    devices: list[Reached]


class ControlQuery(Span, frozen=True, kw_only=True):
    """Controls of one group; those that are over only when asked for."""

    group: str | None = None
    over: bool = False


class Cancel(Asked, frozen=True, kw_only=True):
    """Why, and whether devices spread the change over the control's randomization time."""

    reason: Annotated[str, Meta(max_length=200)] = ""
    randomized: bool = False


class Cancelled(Struct, frozen=True, kw_only=True):
    """A control that was withdrawn; so many notifications wait to be sent."""

    mrid: str
    waiting: int


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


class Rate(Struct, frozen=True, kw_only=True):
    """How often clients are asked to poll a resource."""

    resource: str
    seconds: int


class NewRate(Asked, frozen=True, kw_only=True):
    """Seconds between two polls."""

    seconds: Seconds


class Alarm(Struct, frozen=True, kw_only=True):
    """Something an operator should look at."""

    id: int
    code: str
    subject: str
    detail: str
    raised: int
    cleared: int | None


class AlarmQuery(Span, frozen=True, kw_only=True):
    """Alarms that stand; all there ever were when asked for."""

    cleared: bool = False


class Entry(Struct, frozen=True, kw_only=True):
    """One change: who asked for what, and when."""

    at: int
    operator: str
    verb: str
    subject: str
    detail: msgspec.Raw


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
    waiting: int
    dead: int
    alarms: int


class SetClock(Asked, frozen=True, kw_only=True):
    """Where to move a paced clock; it never goes back."""

    now: Epoch


class Done(Struct, frozen=True, kw_only=True):
    """The change is made."""

    message: str
