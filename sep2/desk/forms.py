"""Changes of the register that the desk has a form for: what each asks, and which operation of the API makes it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from sep2.admin import certificates, changes, compliance, customers, erasing, oversight, register, territory
from sep2.admin import types as t
from sep2.rest.route import Handler
from sep2.rules.metering import ReadingSign
from sep2.rules.territory import KINDS
from sep2.settings import ProfileName

PROFILES = ("", *get_args(ProfileName))


class Field(NamedTuple):
    """One field of a form, by its name in the body of the operation."""

    name: str
    label: str
    kind: str = "text"
    """text, power, number, days, time, choice, check, list (parted by blanks), names (parted by commas), json, path (of
    the address, not the body), password or sheet"""
    options: Sequence[str] = ()
    hint: str = ""
    required: bool = False
    start: str = ""
    """what stands in it before it was filled"""


class Form(NamedTuple):
    """A change: its title, the operation and the type of its body, the id in its path, and its fields."""

    title: str
    handler: Handler
    body: Any
    of: str
    """the name of the path's part that says of what; empty: of nothing that is there"""
    fields: Sequence[Field]
    then: str
    """the page that follows, `{of}` for what it was about and `{name}` for its name afterwards"""
    warns: str = ""

    @property
    def is_direct(self) -> bool:
        """Whether what is typed is sent as it is: an address that holds it would show a password, or be too long."""
        return any(field.kind in ("password", "sheet") for field in self.fields)


_NAME = Field("name", "New name", required=True)
_FIRM = (
    Field("firm_export_w", "Export by contract", "power"),
    Field("firm_import_w", "Import by contract", "power"),
)
_WHERE_TO = Field("to", "Devices go to", hint="another one of the same kind")
_WITH = Field("with_devices", "Remove its devices too", "check")
_CLIENT, _PLACE = "/desk/client?name={name}", "/desk/network?place={name}"
_CONNECTION = "/desk/connection?id={name}"
_DEVICE = "/desk/device?id={of}"

FORMS: Mapping[str, Form] = {
    "client-add": Form(
        "Add a client",
        register.register_client,
        t.NewClient,
        "",
        (
            Field("name", "Name", required=True),
            Field("lfdi", "LFDI of its certificate", hint="40 hexadecimal digits", required=True),
            Field("kind", "Kind", "choice", ("aggregator", "device")),
            Field(
                "receiver_hosts", "Hosts that may be notified", "list", hint="host or host:port, separated by blanks"
            ),
            Field("connections", "Connections", "list", hint="each gets a device of this client"),
        ),
        _CLIENT,
    ),
    "client-rename": Form("Rename a client", changes.rename_client, t.Rename, "client", (_NAME,), _CLIENT),
    "client-set": Form(
        "Change a client",
        changes.change_client,
        t.ClientChange,
        "client",
        (
            Field("profile", "Profile", "choice", PROFILES, "empty: as it is"),
            Field("receiver_hosts", "Hosts that may be notified", "list", hint="all of them; empty: as they are"),
        ),
        "/desk/client?name={of}",
    ),
    "client-block": Form(
        "Block or admit a client",
        changes.change_client,
        t.ClientChange,
        "client",
        (Field("enabled", "It may connect", "check"),),
        "/desk/client?name={of}",
        "A client that may not connect is told nothing: its devices fall back to what they hold.",
    ),
    "client-certificate": Form(
        "Replace a client's certificate",
        certificates.replace_certificate,
        t.NewCertificate,
        "client",
        (
            Field("lfdi", "LFDI of the new certificate", hint="40 hexadecimal digits", required=True),
            Field("overlap", "Both stand for it for so many days", "days", start="30"),
        ),
        "/desk/client?name={of}",
    ),
    "client-move-devices": Form(
        "Move a client's devices",
        changes.move_devices,
        t.OtherClient,
        "client",
        (Field("client", "To the client", required=True),),
        "/desk/client?name={of}",
    ),
    "client-remove": Form(
        "Remove a client",
        changes.remove_client,
        t.Remove,
        "client",
        (_WITH, _WHERE_TO),
        "/desk/clients",
        "Its subscriptions end; its name is free afterwards, and its history stays.",
    ),
    "connection-add": Form(
        "Add a connection",
        register.add_connection,
        t.NewConnection,
        "",
        (
            Field("connection_id", "Connection", hint="such as an NMI", required=True),
            Field("description", "Description"),
            Field("place", "At the place"),
            *_FIRM,
        ),
        _CONNECTION,
    ),
    "connection-set": Form(
        "Change a connection",
        changes.change_connection,
        t.ConnectionChange,
        "connection",
        (Field("description", "Description"), *_FIRM),
        "/desk/connection?id={of}",
    ),
    "connection-rename": Form(
        "Rename a connection",
        changes.rename_connection,
        t.RenameConnection,
        "connection",
        (Field("name", "New id", required=True),),
        _CONNECTION,
    ),
    "connection-move": Form(
        "Move connections to a place",
        territory.put_connections,
        t.PutConnections,
        "place",
        (Field("connections", "Connections", "list", hint="separated by blanks", required=True),),
        "/desk/network?place={of}",
    ),
    "connection-remove": Form(
        "Remove a connection",
        changes.remove_connection,
        t.Remove,
        "connection",
        (_WITH, _WHERE_TO),
        "/desk/connections",
        "Its controls and overrides are withdrawn.",
    ),
    "connection-exempt": Form(
        "Exempt a connection from judging",
        compliance.exempt_connection,
        t.NewExemption,
        "connection",
        (Field("duration", "For so many days", "days", required=True), Field("reason", "Reason", required=True)),
        "/desk/connection?id={of}",
    ),
    "connection-move-in": Form(
        "Let a customer move in",
        customers.move_customer_in,
        t.MoveIn,
        "connection",
        (Field("reference", "Reference", hint="of the contract; no name"),),
        "/desk/connection?id={of}",
        "Controls and overrides of the customer before end at this instant; their readings are no longer shown.",
    ),
    "connection-move-out": Form(
        "Let a customer move out",
        customers.move_customer_out,
        t.Nothing,
        "connection",
        (),
        "/desk/connection?id={of}",
        "Controls and overrides of the customer end at this instant; the contract holds, and nothing is judged.",
    ),
    "connection-erase": Form(
        "Erase what is stored of a customer",
        erasing.erase_connection,
        t.Erase,
        "connection",
        (),
        "/desk/connections",
        "Readings, texts, log events and details of the audit are gone for good; sums of days and the register stay.",
    ),
    "device-rename": Form(
        "Rename a device", changes.rename_device, t.Rename, "device", (_NAME,), "/desk/device?id={of}"
    ),
    "device-client": Form(
        "Move a device to another client",
        changes.move_device_to_client,
        t.OtherClient,
        "device",
        (Field("client", "To the client", required=True),),
        _DEVICE,
    ),
    "device-add": Form(
        "Add a device",
        register.add_device,
        t.NewDevice,
        "",
        (
            Field("client", "Acted for by the client", hint="empty: it is its own client"),
            Field("name", "Name"),
            Field("lfdi", "LFDI of its certificate", hint="of one that is its own client"),
            Field("connection_id", "At the connection"),
            Field("make", "Make", hint="maker and model"),
            Field("holds_net_limit", "It holds the limits of its connection", "check", start="true"),
        ),
        "/desk/connections",
    ),
    "device-set": Form(
        "Change a device",
        changes.change_device,
        t.DeviceChange,
        "device",
        (Field("make", "Make", hint="maker and model, by which reports group devices", required=True),),
        _DEVICE,
    ),
    "device-move": Form(
        "Move a device to another connection",
        register.move_device,
        t.Place,
        "device",
        (
            Field("connection_id", "At the connection", required=True),
            Field("holds_net_limit", "It holds the limits of its connection", "check", start="true"),
        ),
        _DEVICE,
    ),
    "device-remove": Form(
        "Remove a device", register.remove_device, t.Nothing, "device", (), "/desk/connections", "Its history stays."
    ),
    "place-add": Form(
        "Add a place",
        territory.add_place,
        t.NewNetworkPlace,
        "",
        (
            Field("name", "Name", required=True),
            Field("kind", "Kind", "choice", tuple(KINDS)),
            Field("parent", "Below the place"),
        ),
        _PLACE,
    ),
    "place-rename": Form("Rename a place", territory.rename_place, t.Rename, "place", (_NAME,), _PLACE),
    "place-move": Form(
        "Move a place",
        territory.move_place,
        t.MovePlace,
        "place",
        (Field("parent", "Below the place", required=True),),
        "/desk/network?place={of}",
    ),
    "place-remove": Form(
        "Remove a place",
        territory.remove_place,
        t.RemovePlace,
        "place",
        (Field("to", "What lies below it goes to"),),
        "/desk/network",
    ),
    "meter-sign": Form(
        "Say how a meter counts",
        oversight.set_reading_sign,
        t.NewReadingSign,
        "mirror",
        (Field("reading_sign", "Its readings are", "choice", [one.value for one in ReadingSign]),),
        "/desk",
        "Limits are judged only by meters whose sign was compared with what the connection does.",
    ),
}
"""By the name in the address."""
