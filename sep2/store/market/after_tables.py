"""Tables of what comes after a review: commitments, dispatch, settled intervals and evidence packs.

Nothing in them is changed but `superseded_at`; a correction is a new row with the next version.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from sep2.store.columns import Id, metadata, number, time, to
from sep2.store.market.tables import aggregation, component_der

commitment = Table(
    "commitment",
    metadata,
    number(),
    to(component_der),
    to(aggregation, nullable=True),
    Column("service", String(32), nullable=False),
    Column("holder", String(12), nullable=False),  # wholesale local retail
    Column("program", Text, nullable=False),  # of a local or retail holder
    Column("basis", Text, nullable=False),
    Column("origin_id", Id),  # the commitment that it was cut from or moved from
    time("created"),
    Index(None, "component_der_id"),
    sqlite_autoincrement=True,
)
"""A DER that is promised to one service; from when until when, and how it stands, is in `commitment_state`."""

commitment_state = Table(
    "commitment_state",
    metadata,
    number(),
    to(commitment),
    Column("version", Integer, nullable=False),
    Column("state", String(12), nullable=False),  # requested held released denied
    time("start"),
    time("end"),
    Column("reason", Text, nullable=False),
    time("recorded_at"),
    time("superseded_at", nullable=True),
    Column("recorded_by", Text, nullable=False),
    UniqueConstraint("commitment_id", "version"),
    sqlite_autoincrement=True,
)

dispatch = Table(
    "dispatch",
    metadata,
    number(),
    to(aggregation),
    Column("iso_dispatch_id", String(80), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", String(16), nullable=False),  # award dispatch regulation_band
    time("issued_at"),
    time("received_at"),
    time("start"),
    time("end"),
    Column("target_w", BigInteger, nullable=False),  # injection positive
    Column("ramp_s", Integer, nullable=False),
    Column("is_late", Boolean, nullable=False),
    Column("source", String(80), nullable=False),
    Column("recorded_by", Text, nullable=False),
    UniqueConstraint("iso_dispatch_id", "sequence"),
    Index(None, "aggregation_id", "start"),
    sqlite_autoincrement=True,
)
"""Copies of what the system operator has told an aggregation; the highest sequence of an id holds."""

dispatch_share = Table(
    "dispatch_share",
    metadata,
    number(),
    to(dispatch),
    to(component_der),
    Column("version", Integer, nullable=False),
    Column("iso_node", Text, nullable=False),
    Column("target_w", BigInteger, nullable=False),
    Column("limit_w", BigInteger),  # the tightest that holds in its time; NULL: none
    Column("cause", String(16), nullable=False),  # override envelope agreement; empty: it can be kept
    Column("binding", Text, nullable=False),  # the group and control that say the limit
    Column("split_by", String(8), nullable=False, server_default="rating"),  # declared rating
    time("recorded_at"),
    time("superseded_at", nullable=True),
    UniqueConstraint("dispatch_id", "component_der_id", "version"),
    sqlite_autoincrement=True,
)
"""A member's part of a dispatch, by declared factors or by ratings and shares, and what holds for it."""

market_interval = Table(
    "market_interval",
    metadata,
    number(),
    to(aggregation),
    to(component_der, nullable=True),  # NULL: the whole aggregation
    time("start"),
    Column("duration", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("instructed_w", BigInteger),
    Column("available_w", BigInteger),
    Column("want_w", BigInteger),
    Column("measured_wh", BigInteger),  # NULL: not known
    Column("coverage_ppm", Integer, nullable=False),
    Column("envelope_w", BigInteger),
    Column("limit_w", BigInteger),
    Column("override_mrid", String(32), nullable=False),
    Column("state", String(12), nullable=False),  # ok breach unknown
    Column("breach_wh", BigInteger),
    Column("lost_override_wh", BigInteger),
    Column("lost_envelope_wh", BigInteger),
    Column("own_shortfall_wh", BigInteger),
    Column("body", Text, nullable=False),  # JSON: what it was computed from, baselines by method
    time("recorded_at"),
    time("superseded_at", nullable=True),
    Column("recorded_by", Text, nullable=False),
    Index(None, "aggregation_id", "start"),
    sqlite_autoincrement=True,
)
"""What was settled of an interval of a member, or of the whole aggregation."""

settle_run = Table(
    "settle_run",
    metadata,
    number(),
    to(aggregation),
    time("start"),
    time("end"),
    time("recorded_at"),
    Column("recorded_by", Text, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("profile_sha256", String(64), nullable=False),
    Index(None, "aggregation_id", "start"),
    sqlite_autoincrement=True,
)
"""When a day was settled, and how many of its intervals said something new."""

evidence_pack = Table(
    "evidence_pack",
    metadata,
    number(),
    to(aggregation),
    time("start"),
    time("end"),
    time("as_of"),
    Column("manifest_sha256", String(64), nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    time("made_at"),
    Column("made_by", Text, nullable=False),
    UniqueConstraint("aggregation_id", "start", "end", "as_of"),
    sqlite_autoincrement=True,
)
"""Signed packs as they were made."""
