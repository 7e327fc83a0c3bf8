"""Tables of the market's register and of the reviews.

What holds of a party, DER or aggregation is a row of its facts with two times: `valid_from` to `valid_to`, when it
holds, and `recorded_at` to `superseded_at`, when it was what we knew. Nothing of a fact is changed but
`superseded_at`; a correction is a new row with the next version.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from sep2.store.columns import metadata, number, time, to


def _identity(name: str, *columns: Column[Any]) -> Table:
    """Something known by its name; once removed it keeps its row, and its name is free."""
    return Table(
        name,
        metadata,
        number(),
        Column("name", Text, nullable=False),
        Column("name_key", Text, nullable=False),  # see rules.names
        *columns,
        time("created"),
        time("removed", nullable=True),
        Index(f"uq_{name}_name_key_live", "name_key", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
        sqlite_autoincrement=True,
    )


def _facts(name: str, of: Table, columns: Sequence[Column[Any]], *indexes: Index) -> Table:
    """Versions of what holds of something, from when until when, and when we knew it."""
    return Table(
        name,
        metadata,
        number(),
        to(of),
        Column("version", Integer, nullable=False),
        time("valid_from"),
        time("valid_to", nullable=True),
        time("recorded_at"),
        time("superseded_at", nullable=True),
        Column("recorded_by", Text, nullable=False),
        *columns,
        UniqueConstraint(f"{of.name}_id", "version"),
        *indexes,
        sqlite_autoincrement=True,
    )


_LIVE = text("removed IS NULL")

party = _identity("party", Column("is_test", Boolean, nullable=False, server_default=false()))
"""Aggregators, system operators, regulators and others whom the market knows.

A test party rehearses: it gets the same answers as any other, but no control is issued for its entries, and limits,
alarms, reports and other parties' results leave them out."""

party_fact = _facts(
    "party_fact",
    party,
    [
        Column("kind", String(16), nullable=False),  # aggregator iso edc regulator retail third_party
        Column("status", String(16), nullable=False),  # prospective active suspended
        Column("body", Text, nullable=False),  # JSON: contacts, market_ids, agreement
    ],
)

party_certificate = _facts(
    "party_certificate",
    party,
    [
        Column("lfdi", String(40), nullable=False),
        Column("purpose", String(8), nullable=False),  # 2030.5 market both
    ],
    Index(None, "lfdi"),
)
"""Whose certificate an LFDI is; at any time it is that of one party."""

component_der = _identity("component_der", to(party))
"""One device or site behind one account with the utility."""

component_der_fact = _facts(
    "component_der_fact",
    component_der,
    [
        Column("edc_account", Text, nullable=False),
        Column("connection_name", Text, nullable=False),
        Column("meter_id", Text, nullable=False),
        Column("serial", Text, nullable=False),
        Column("lfdi", String(40), nullable=False),  # of its EndDevice; empty: that of its connection
        Column("body", Text, nullable=False),  # JSON: device, ratings in W, agreement, phases, programs, metering
    ],
    Index(None, "meter_id"),
    Index(None, "edc_account"),
    Index(None, "connection_name"),
)

der_consent = _facts(
    "der_consent",
    component_der,
    [
        Column("scopes", Text, nullable=False),  # JSON: a sorted list
        Column("given_by", Text, nullable=False),
        time("given_at"),
        time("revoked_at", nullable=True),
        Column("document_sha256", String(64), nullable=False),
    ],
)
"""What the customer has agreed to; `valid_to` is when that expires."""

aggregation = _identity("aggregation", to(party))
"""What takes part in a market as one resource."""

aggregation_fact = _facts(
    "aggregation_fact",
    aggregation,
    [
        Column("profile", String(32), nullable=False),  # see rules.market.profiles
        Column("status", String(16), nullable=False),  # see rules.market.reviewing
        Column("iso_resource_id", Text, nullable=False),
        Column("body", Text, nullable=False),  # JSON: nodes, services, sizes in W, agents, factors …
    ],
)

iso_resource = Table(
    "iso_resource",
    metadata,
    Column("resource_id", Text, primary_key=True),
    to(aggregation),
    Index(None, "aggregation_id"),
)
"""Which aggregation has an id of a system operator, now or from a time to come on: each id stands for one."""

aggregation_member = _facts(
    "aggregation_member",
    aggregation,
    [
        to(component_der),
        Column("share_ppm", Integer, nullable=False),  # of the DER
        Column("state", String(16), nullable=False),  # proposed effective refused
        Column("iso_node", Text, nullable=False),  # empty where the aggregation has one node
    ],
    Index(None, "component_der_id"),
)
"""A DER's share of an aggregation, in [valid_from, valid_to)."""

review = Table(
    "review",
    metadata,
    number(),
    to(aggregation),
    Column("kind", String(16), nullable=False),  # full abbreviated
    Column("changes", Text, nullable=False),  # JSON: what is asked for, such as registration or add_member
    Column("state", String(20), nullable=False),  # see rules.market.reviewing
    Column("submitted_by", Text, nullable=False),
    time("submitted_at"),
    time("complete_at", nullable=True),
    Column("profile", String(32), nullable=False),
    Column("profile_sha256", String(64), nullable=False),
    Column("terms", Text, nullable=False),  # JSON: the profile's review, zone and holidays as they were at submission
    Column("missing", Text, nullable=False, server_default="[]"),  # JSON: what the submission lacks
    Column("screened_at", BigInteger),  # by the engine; NULL: it is still to look
    time("decided_at", nullable=True),
    Column("decided_by", Text, nullable=False, server_default=""),
    Column("second", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Index(None, "state", "submitted_at"),
    Index(None, "aggregation_id"),
    sqlite_autoincrement=True,
)
"""The utility's review of an aggregation or of a change of it. When it is due is computed from its terms."""

review_der = Table(
    "review_der",
    metadata,
    number(),
    to(review),
    to(component_der),
    Column("change", String(16), nullable=False),  # such as add_member
    Column("outcome", String(8), nullable=False, server_default=""),  # ok limited rejected; empty: not decided
    Column("limit_w", BigInteger),
    Column("reason", String(32), nullable=False, server_default=""),
    Column("evidence", Text, nullable=False, server_default="[]"),  # JSON: numbers of screen results, and texts
    UniqueConstraint("review_id", "component_der_id"),
    Index(None, "component_der_id"),
    sqlite_autoincrement=True,
)
"""A DER that a review is about, and what was decided of it."""

review_pause = Table(
    "review_pause",
    metadata,
    number(),
    to(review),
    time("start"),
    time("end", nullable=True),
    Column("asked_for", Text, nullable=False),
    Column("answer", Text, nullable=False, server_default=""),
    Column("operator", Text, nullable=False),
    Index(None, "review_id"),
    sqlite_autoincrement=True,
)

screen_result = Table(
    "screen_result",
    metadata,
    number(),
    to(review),
    to(component_der, nullable=True),
    Column("screen", String(24), nullable=False),
    Column("result", String(12), nullable=False),  # pass fail cannot_tell
    Column("cause", String(40), nullable=False),  # a stable code; empty where it passed
    Column("detail", Text, nullable=False),
    Column("binding", Text, nullable=False),  # the element of the network that limits it
    Column("limit_w", BigInteger),
    Column("run_id", Text, nullable=False),  # of the engine
    Column("inputs_sha256", String(64), nullable=False),
    time("recorded_at"),
    time("superseded_at", nullable=True),
    Index(None, "review_id"),
    sqlite_autoincrement=True,
)
"""What a screen found, of the whole aggregation where no DER is named."""

review_letter = Table(
    "review_letter",
    metadata,
    number(),
    to(review),
    time("made_at"),
    Column("html", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Index(None, "review_id"),
    sqlite_autoincrement=True,
)
"""Letters as they were made; they are never made again."""

dispute = Table(
    "dispute",
    metadata,
    number(),
    to(review),
    time("raised_at"),
    Column("raised_by", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("stay", Boolean, nullable=False),  # whether the earlier state holds until it is decided
    Column("regulator_ref", Text, nullable=False, server_default=""),
    Column("state", String(12), nullable=False),  # open decided withdrawn
    Column("outcome", Text, nullable=False, server_default=""),
    time("closed_at", nullable=True),
    Column("closed_by", Text, nullable=False, server_default=""),
    Index(None, "review_id"),
    sqlite_autoincrement=True,
)
"""Objections to a decided review."""
