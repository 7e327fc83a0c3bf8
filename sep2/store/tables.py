"""Every table of the database. Times are epoch seconds, power is in watts, a limit that is NULL is not set."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sep2.store.alarm_tables import alarm as alarm  # noqa: PLC0414 - exported
from sep2.store.alarm_tables import alarm_member as alarm_member  # noqa: PLC0414 - exported
from sep2.store.approval_tables import approval as approval  # noqa: PLC0414 - exported
from sep2.store.approval_tables import shift_entry as shift_entry  # noqa: PLC0414 - exported
from sep2.store.columns import Id
from sep2.store.columns import limits as _limits
from sep2.store.columns import metadata as metadata  # noqa: PLC0414 - exported
from sep2.store.columns import names as _names
from sep2.store.columns import number as _id
from sep2.store.columns import time as _time
from sep2.store.columns import to as _to
from sep2.store.metering_tables import mirror_meter_reading as mirror_meter_reading  # noqa: PLC0414 - exported
from sep2.store.metering_tables import mirror_usage_point as mirror_usage_point  # noqa: PLC0414 - exported
from sep2.store.metering_tables import reading as reading  # noqa: PLC0414 - exported
from sep2.store.metering_tables import reading_set as reading_set  # noqa: PLC0414 - exported
from sep2.store.site_tables import commissioning as commissioning  # noqa: PLC0414 - exported
from sep2.store.site_tables import customer as customer  # noqa: PLC0414 - exported
from sep2.store.territory_tables import place as place  # noqa: PLC0414 - exported

REMOVED = text("removed IS NOT NULL")
TOLD_NO_LOAD = text("device_category IS NOT NULL AND load_control_w IS NULL")

client = Table(
    "client",
    metadata,
    _id(),
    Column("lfdi", String(40), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("kind", String(16), nullable=False),  # aggregator or device
    Column("profile", String(16), nullable=False),
    Column("registration", String(16), nullable=False),  # out-of-band or in-band
    Column("pen", BigInteger),
    Column("receiver_hosts", Text, nullable=False, server_default=""),  # space separated host or host:port
    Column("enabled", Boolean, nullable=False),
    _time("created"),
    Column("pin", Integer),  # of its own EndDevice, where the operator chose one before that is registered
    Column("name_key", Text),  # see rules.names; NULL once it is removed, so that its name is free
    _time("removed", nullable=True),
    Index(None, "name_key", unique=True),
    # Only of those that were: taken for the many that were not, it would lead from all clients to their devices.
    Index("ix_client_removed", "removed", sqlite_where=REMOVED, postgresql_where=REMOVED),
)
"""A TLS peer that the operator has authorised; its LFDI is that of its current certificate.

One that was removed may do nothing any more, and is forgotten once its subscribers have been told."""

client_identity = Table(
    "client_identity",
    metadata,
    Column("lfdi", String(40), primary_key=True),
    _to(client),
    Column("state", String(10), nullable=False),  # expected or retiring, see operations.identities
    _time("since"),
    _time("until"),  # of the overlap: what is retiring is gone then
    Index(None, "client_id"),
)
"""Certificates beside the current one that stand for the same client while one takes the place of the other."""

client_certificate = Table(
    "client_certificate",
    metadata,
    Column("lfdi", String(40), primary_key=True),
    _time("not_after"),
    Column("subject", Text, nullable=False),
    Column("serial", Text, nullable=False),  # of the certificate, in hexadecimal digits
    _time("seen"),
    Index(None, "not_after"),
)
"""What a client showed in its latest handshake; whether it is registered, `client` says."""

connection = Table(
    "connection",
    metadata,
    _id(),
    Column("connection_id", String(32), nullable=False, unique=True),
    Column("description", Text, nullable=False, server_default=""),
    Column("firm_import_w", BigInteger),
    Column("firm_export_w", BigInteger),
    _time("created"),
    Column("name_key", Text),  # of the id, see rules.names
    Column("place_id", Id, ForeignKey("place.id")),
    Column("protected", String(16), nullable=False, server_default="none"),  # see rules.protection
    Index(None, "name_key"),
    Index(None, "place_id"),
)
"""A customer's point in the network; `connection_id` is the ConnectionPoint's connectionPointId."""

end_device = Table(
    "end_device",
    metadata,
    _id(),
    Column("lfdi", String(40), nullable=False, unique=True),
    Column("sfdi", BigInteger, nullable=False),
    _to(client),
    _to(connection, nullable=True),
    Column("holds_net_limit", Boolean, nullable=False),
    Column("pin", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("post_rate", BigInteger),
    Column("device_category", BigInteger),
    Column("fsa_mrid", String(32), nullable=False),
    Column("set_max_w", BigInteger),  # DERSettings, where it is a watt or more
    Column("nameplate_w", BigInteger),  # rtgMaxW of the DERCapability, likewise
    Column("agreed_max_w", BigInteger),  # the setMaxW that was plausible, or that an operator agreed to
    Column("agreed_nameplate_w", BigInteger),  # at which an operator agreed; 0: none was reported
    Column("modes_supported", BigInteger),  # of the DERCapability
    Column("doe_modes_supported", BigInteger),
    Column("claimed_connection", String(32)),  # where the device says it is, until an operator has decided
    Column("make", Text),  # maker and model, as operators group devices in reports
    _time("changed"),
    _time("registered"),
    *_names(),
    Column("floor_rule", String(40)),  # see rules.floors
    Column("controllable_loads", Integer),
    Column("least_load_w", BigInteger),  # by that rule; no limit of load or import is below it
    Column("load_control_w", BigInteger),  # what it draws at most, where it follows EndDeviceControls
    Index(None, "name_key", unique=True),
    Index(None, "make"),
    Index(None, "connection_id"),
    Index("ix_end_device_told_no_load", "client_id", sqlite_where=TOLD_NO_LOAD, postgresql_where=TOLD_NO_LOAD),
    Index(
        "uq_end_device_net_limit_holder",
        "connection_id",
        unique=True,
        sqlite_where=text("holds_net_limit"),
        postgresql_where=text("holds_net_limit"),
    ),
    sqlite_autoincrement=True,
)
"""An EndDevice and the one client that may act for it; a client's own entry has the client's LFDI."""

_IN_LISTS = (end_device.c.client_id, end_device.c.changed.desc(), end_device.c.sfdi, end_device.c.id)
Index("ix_end_device_listed", *_IN_LISTS)
"""The order of an EndDeviceList, see `device_pages`."""

device_group = Table(
    "device_group",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("level", String(2), nullable=False),  # SY ST SS FD SG TF SP NT
    Column("primacy", Integer, nullable=False),
    Column("program_mrid", String(32), nullable=False, unique=True),
    Column("fsa_mrid", String(32), nullable=False, unique=True),
    Column("description", Text, nullable=False, server_default=""),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("role", String(16), nullable=False, server_default="group"),  # see rules.authority.Role
    _to(connection, nullable=True),
    _to(end_device, nullable=True),
    _time("created"),
    Column("name_key", Text),
    _time("removed", nullable=True),  # it has no members any more, and only the past names it
    Index(None, "name_key", unique=True),
    Index(None, "role"),
    Index(None, "connection_id", "role", unique=True),
    Index(None, "end_device_id", "role", unique=True),
    sqlite_autoincrement=True,
)
"""A set of devices, with one DERProgram: the operator's (role `group`), or one of the programs of a single place.

A place is a connection, a device beside the one that holds its connection's limits, or a device without a connection.
The first two have a program of their own (role `connection` or `device`), which envelopes are published to; every
place may have the operators' programs `override`, `wide-override` and `schedule`, with the same members."""

member = Table(
    "member",
    metadata,
    Column("device_group_id", Id, ForeignKey(device_group.c.id), primary_key=True),
    Column("end_device_id", Id, ForeignKey(end_device.c.id), primary_key=True),
    _time("since"),
    Index(None, "end_device_id"),
)

default_control = Table(
    "default_control",
    metadata,
    _id(),
    Column("device_group_id", Id, ForeignKey(device_group.c.id), nullable=False, unique=True),
    Column("mrid", String(32), nullable=False, unique=True),
    Column("version", Integer, nullable=False, server_default="0"),
    *_limits(),
    Column("modes", Text, nullable=False, server_default="{}"),  # other modes by wire name, JSON
    Column("set_grad_w", Integer),
    Column("set_soft_grad_w", Integer),
    Column("enter_service", Text, nullable=False, server_default="{}"),  # setES… by wire name, JSON
    _time("changed"),
)
"""What holds when no control is active; every group has one from its creation on."""

curve = Table(
    "curve",
    metadata,
    _id(),
    Column("device_group_id", Id, ForeignKey(device_group.c.id), nullable=False),
    Column("mrid", String(32), nullable=False, unique=True),
    Column("description", String(32), nullable=False, server_default=""),
    _time("created"),
    _time("removed", nullable=True),
    Column("kind", Integer, nullable=False),  # DERCurveType
    Column("points", Text, nullable=False),  # [xvalue, yvalue] or [xvalue, yvalue, excitation] each, JSON
    Column("x_multiplier", Integer, nullable=False),
    Column("y_multiplier", Integer, nullable=False),
    Column("y_ref", Integer, nullable=False),  # DERUnitRefType
    Column("open_loop_tms", Integer),
    Column("ramp_dec_tms", Integer),
    Column("ramp_inc_tms", Integer),
    Column("ramp_pt1_tms", Integer),
    Column("v_ref", Integer),
    Column("autonomous_v_ref", Boolean),
    Column("autonomous_v_ref_tms", BigInteger),
    *_names(),
    Index(None, "name_key", unique=True),
    Index(None, "device_group_id", "created"),
    sqlite_autoincrement=True,
)
"""A DERCurve of a group's program, which modes of its controls and its default name by id; it is never edited."""

control = Table(
    "control",
    metadata,
    _id(),
    Column("device_group_id", Id, ForeignKey(device_group.c.id), nullable=False),
    Column("mrid", String(32), nullable=False, unique=True),
    Column("description", String(32), nullable=False, server_default=""),
    _time("created"),
    _time("start"),
    Column("duration", BigInteger, nullable=False),
    Column("randomize_start", Integer),
    Column("randomize_duration", Integer),
    _time("earliest_start"),
    _time("latest_end"),
    *_limits(),
    Column("modes", Text, nullable=False, server_default="{}"),
    Column("ramp_tms", Integer),
    Column("device_category", BigInteger),
    Column("response_required", Integer, nullable=False),
    Column("source", String(32), nullable=False),  # operator, envelope, ...
    Column("reason", Text, nullable=False, server_default=""),
    _time("cancelled", nullable=True),
    Column("cancelled_as", Integer),  # EventStatus 2 or 3
    _time("successor_created", nullable=True),
    _time("successor_start", nullable=True),
    _time("overlapped_since", nullable=True),  # potentiallySupersededTime
    Column("continues", BigInteger),  # the control of which this is a part, issued anew
    Index(None, "device_group_id", "latest_end"),
    Index(None, "continues"),
    Index(None, "successor_start"),
    Index("ix_control_begins", "earliest_start", "source", "cancelled"),
    # In the order of lists; with all that says whether a control is in force, so that these are counted in it alone.
    Index(
        "ix_control_in_force",
        *("latest_end", "id", "cancelled", "earliest_start", "successor_start", "device_group_id"),
    ),
    Index(
        "ix_control_of_people",
        "latest_end",
        sqlite_where=text("source <> 'envelope'"),
        postgresql_where=text("source <> 'envelope'"),
    ),
    sqlite_autoincrement=True,
)
"""A DERControl. Its EventStatus is computed from these facts; no row is ever edited into another control."""

der_document = Table(
    "der_document",
    metadata,
    Column("end_device_id", Id, ForeignKey(end_device.c.id), primary_key=True),
    Column("kind", String(20), primary_key=True),  # DERCapability, DERSettings …, LoadShedAvailability
    Column("body", LargeBinary, nullable=False),
    _time("changed"),
    _time("since", nullable=True),  # since when it reads so; unknown of one that was written before this was noted
)
"""What a device wrote about itself, whole, as a document of the widest profile."""

response = Table(
    "response",
    metadata,
    _id(),
    _to(control),
    _to(end_device),
    Column("status", Integer, nullable=False),
    _time("created"),  # the client's time, or ours where it said none
    _time("received"),
    Column("subject", String(32)),  # the mRID of the EndDeviceControl that it answers; NULL: the control's own
    Index(None, "control_id", "end_device_id", "status"),
    Index(None, "end_device_id", "created"),
    sqlite_autoincrement=True,
)

log_event = Table(
    "log_event",
    metadata,
    _id(),
    _to(end_device),
    _time("created"),
    Column("log_event_id", Integer, nullable=False),
    Column("function_set", Integer, nullable=False),
    Column("log_event_code", Integer, nullable=False),
    Column("log_event_pen", BigInteger, nullable=False),
    Column("profile_id", Integer, nullable=False),
    Column("details", String(32)),
    Column("extended_data", BigInteger),
    _time("received"),
    Index(None, "end_device_id", "created", "log_event_id"),
    sqlite_autoincrement=True,
)

receiver = Table(
    "receiver",
    metadata,
    _id(),
    _to(client),
    Column("place", Text, nullable=False),  # host:port of notificationURIs
    Column("failures", Integer, nullable=False, server_default="0"),  # attempts in a row that got no answer
    _time("silent_since", nullable=True),
    Column("rests_until", BigInteger, nullable=False, server_default="0"),  # nothing is sent there before
    Column("rests_at_least_until", BigInteger, nullable=False, server_default="0"),  # also when its client is heard of
    UniqueConstraint("client_id", "place"),
)
"""Where a client has notifications sent to, and whether it answers."""

subscription = Table(
    "subscription",
    metadata,
    _id(),
    _to(client),
    _to(end_device),
    Column("resource", String(40), nullable=False),  # a row of the resource table
    Column("ids", Text, nullable=False),  # its ids, JSON with sorted keys
    Column("subscribed_resource", Text, nullable=False),
    Column("notification_uri", Text, nullable=False),
    _to(receiver),
    Column("encoding", Integer, nullable=False),
    Column("level", String(16), nullable=False),
    Column("item_limit", BigInteger, nullable=False),
    Column("last_digest", String(32), nullable=False, server_default=""),  # of what it last received; "" nothing yet
    _time("created"),
    UniqueConstraint("end_device_id", "resource", "ids", "notification_uri"),
    Index(None, "resource", "ids"),
    Index(None, "receiver_id"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    _id(),
    Column("kind", String(40), nullable=False),
    Column("ids", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("set_aside", Boolean, nullable=False, server_default=text("false")),
    Column("error", Text, nullable=False, server_default=""),
    Column("request", String(40), nullable=False, server_default=""),  # that it was made by
)
"""What changed, written with the change; the notifier turns rows into deliveries, and sets aside what it can not."""

delivery = Table(
    "delivery",
    metadata,
    Column("subscription_id", Id, ForeignKey(subscription.c.id, ondelete="CASCADE"), primary_key=True),
    _to(receiver),  # that of the subscription
    Column("status", Integer, nullable=False),  # of the Notification: 0 changed, 1 to 4 ended
    Column("edition", BigInteger, nullable=False),  # counts the changes that wait in this one delivery
    Column("attempts", Integer, nullable=False),
    _time("since"),
    _time("due"),
    Column("dead", Boolean, nullable=False),
    Column("unsure", Boolean, nullable=False, server_default=text("false")),  # an earlier attempt may have arrived
    Column("error", Text, nullable=False, server_default=""),
    Column("request", String(40), nullable=False, server_default=""),  # that made the newest change
    Index(None, "dead", "receiver_id", "due"),
)
"""At most one waiting notification per subscription: it always carries the newest state."""

setting = Table(
    "setting", metadata, Column("name", String(80), primary_key=True), Column("value", Text, nullable=False)
)
"""Values an operator changes while the server runs (poll rates), and the server's own marks (sweep, clock)."""
