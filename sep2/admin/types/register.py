"""Clients, devices and connections, as the operator API shows and takes them."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sep2.admin.types.base import Limits, Protected
from sep2.rest.types import Asked, Category, ConnectionId, Host, Lfdi, Seconds, Span, Text, Watts
from sep2.settings import ProfileName, Registration

Kind = Literal["aggregator", "device"]
Pin = int
"""Up to six digits whose sum is a multiple of ten, which the operation checks."""


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


class ClientCertificate(Struct, frozen=True, kw_only=True):
    """A certificate of a client: expected, current, retiring or gone, since then; `until` the end of the overlap."""

    lfdi: str
    state: str
    since: int | None
    until: int | None
    subject: str
    not_after: int | None
    """When it ends, where it was shown already."""


class ClientShown(Client, frozen=True, kw_only=True):
    """A client with its certificates, the current one first."""

    certificates: list[ClientCertificate]


class NewClient(Asked, frozen=True, kw_only=True):
    """A TLS peer to authorise; profile and registration default to the utility's.

    A `device` that is authorised so registers its EndDevice itself, in-band. Each of an aggregator's `connections` is
    added if it is not known, with a device there for it to act for. `pen` ends the LFDIs of an aggregator's devices;
    `pin` is that of the client's own EndDevice.
    """

    name: Text
    lfdi: Lfdi
    kind: Kind = "aggregator"
    profile: ProfileName | None = None
    registration: Registration | None = None
    pen: Annotated[int, Meta(ge=1, le=99_999_999)] | None = None
    receiver_hosts: list[Host] = field(default_factory=list)
    pin: Pin | None = None
    connections: Annotated[list[ConnectionId], Meta(max_length=10_000)] = field(default_factory=list)


MostLoad = Annotated[int, Meta(ge=1, le=32767 * 10**9)]
Loads = Annotated[int, Meta(ge=0, le=10_000)]


class Device(Struct, frozen=True, kw_only=True):
    """An EndDevice, and the client that acts for it; `name` is what operators call it."""

    lfdi: str
    name: str | None
    sfdi: int
    client: str
    client_lfdi: str
    profile: str
    connection_id: str | None
    holds_net_limit: bool
    claimed_connection: str | None
    """where it says it is, until an operator has decided"""
    group: str | None
    """its own, where it has its part of its connection's limits and not these themselves"""
    enabled: bool
    registered: int
    make: str | None
    """maker and model"""
    load_control_w: int | None
    """what it draws at most, where it follows EndDeviceControls"""


class InForce(Struct, frozen=True, kw_only=True):
    """What one group asks of a device now: a control's limits, or the default's when `control` is absent; all modes."""

    group: str
    primacy: int
    control: str | None
    until: int | None
    limits: Limits
    modes: dict[str, Any]


class ModeInForce(Struct, frozen=True, kw_only=True):
    """A mode that is in force for a device: its value, who says so (a default without `control`), and until when.

    `source` is override, schedule, envelope, group, default, or operator: that of a control which was sent into the
    program of an envelope. Without `group` it is the contract of the connection, or the utility's default.
    `unsupported` is why the device is not told it, or can not do it; empty where nothing speaks against it.
    """

    mode: str
    value: Any
    source: str
    group: str
    control: str | None
    until: int | None
    unsupported: str = ""


class DeviceShown(Device, frozen=True, kw_only=True):
    """All there is to know about a device; `groups` come most important first."""

    pin: int | None
    """Null for roles below engineer."""
    post_rate: int | None
    device_category: int | None
    floor: str | None
    """the rule that guarantees a least limit to its controllable loads"""
    controllable_loads: int | None
    least_load_w: int | None
    """below which no limit of load or import is sent to it"""
    groups: list[InForce]
    set_max_w: int | None
    nameplate_w: int | None
    rating_w: int | None
    """what percentages are of under profile csip"""
    rating_doubt: str
    in_force: list[ModeInForce]
    documents: dict[str, int]
    """When it last wrote each of DERCapability, DERSettings, DERStatus, DERAvailability."""


class DeviceAdded(DeviceShown, frozen=True, kw_only=True):
    """A device that was registered."""

    known: bool
    """It is its own client, and was registered as such before."""
    may_connect: bool
    """Its client is not shut out."""


class NewDevice(Asked, frozen=True, kw_only=True):
    """A device to register.

    With `client` (a name or an LFDI) that client acts for it; without, the device is its own client, with the same
    `name` and a `profile`. A managed device without `lfdi` is given one; `holds_net_limit` is of one at a connection.
    """

    lfdi: Lfdi | None = None
    client: str | None = None
    name: Text | None = None
    profile: ProfileName | None = None
    connection_id: ConnectionId | None = None
    holds_net_limit: bool = True
    pin: Pin | None = None
    post_rate: Seconds | None = None
    device_category: Category | None = None
    floor: Annotated[str, Meta(max_length=40)] | None = None
    """The rule, out of `utility.floors`, of its controllable loads; without, the one that `utility.floor` names."""
    controllable_loads: Loads | None = None
    make: Text | None = None
    """maker and model, by which reports group devices"""
    load_control_w: MostLoad | None = None
    """what it draws at most, where it follows EndDeviceControls (profile csip)"""


class Place(Asked, frozen=True, kw_only=True):
    """The connection a device is at, and whether it holds that connection's import and export limits."""

    connection_id: ConnectionId
    holds_net_limit: bool = True


class ServedMode(Struct, frozen=True, kw_only=True):
    """One mode or ramp of a device's default, and where it is from: a group, or `by`.

    `unsupported` is why the device is not told it, or can not do it; empty where nothing speaks against it.
    """

    name: str
    value: Any
    group: str | None
    by: str
    unsupported: str = ""


class ServedDefault(Struct, frozen=True, kw_only=True):
    """What a device is served as the default of its most important program."""

    lfdi: str
    group: str | None
    modes: list[ServedMode]


class DeviceQuery(Span, frozen=True, kw_only=True):
    """Devices of one client, one group or one connection; `uncontrolled`: loads that can be told no limit of theirs."""

    client: str | None = None
    group: str | None = None
    connection: str | None = None
    uncontrolled: bool = False


class Connection(Struct, frozen=True, kw_only=True):
    """A customer's point in the network; `group` is the one that is its own."""

    connection_id: str
    description: str
    place: str | None
    firm_import_w: int | None
    firm_export_w: int | None
    protected: str
    """none, life_support or critical: limits on what it draws, and disconnects, leave it out unless it is named."""
    group: str
    device: str | None
    created: int


class ConnectionQuery(Span, frozen=True, kw_only=True):
    """Connections at one place, or at places below it."""

    place: str | None = None


class NewConnection(Asked, frozen=True, kw_only=True):
    """A customer's point in the network, and what it may always import and export."""

    connection_id: ConnectionId
    description: Annotated[str, Meta(max_length=200)] = ""
    place: str | None = None
    firm_import_w: Watts | None = None
    firm_export_w: Watts | None = None
    protected: Protected = "none"
