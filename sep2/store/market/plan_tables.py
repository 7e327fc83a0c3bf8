"""Tables of plans: limits of published runs, aggregators' plans, verdicts on them, and how they were kept.

Nothing in them is changed but `superseded_at`. Series are kept as compressed msgpack, see `series`.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from sep2.store.columns import metadata, number, time, to
from sep2.store.market.tables import aggregation, component_der

published_run = Table(
    "published_run",
    metadata,
    number(),
    Column("feeder", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("guarantee", String(24), nullable=False),
    Column("step_s", Integer, nullable=False),
    time("start"),
    time("end"),
    Column("starts", LargeBinary, nullable=False),  # of its steps
    Column("names", LargeBinary, nullable=False),  # of the constraints that bind somewhere
    time("recorded_at"),
    time("superseded_at", nullable=True),
    Index(None, "feeder", "superseded_at"),
    sqlite_autoincrement=True,
)
"""A run of an engine whose limits were published, until another one was, or static limits."""

published_limit = Table(
    "published_limit",
    metadata,
    number(),
    to(published_run),
    Column("connection_name", Text, nullable=False),
    Column("cause", String(24), nullable=False),  # why it is left out of the run; empty: it is not
    Column("firm_gen_w", BigInteger, nullable=False),
    Column("firm_load_w", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # limits, reach and what binds, per step
    UniqueConstraint("published_run_id", "connection_name"),
    Index(None, "connection_name"),
    sqlite_autoincrement=True,
)
"""Limits and reach of the flexible power of a connection at which component DERs are, for each step of a run."""

market_plan = Table(
    "market_plan",
    metadata,
    number(),
    to(aggregation),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    time("created"),
    UniqueConstraint("aggregation_id", "name_key"),
    sqlite_autoincrement=True,
)
"""A plan of an aggregation; what it says is in its versions."""

plan_version = Table(
    "plan_version",
    metadata,
    number(),
    to(market_plan),
    Column("version", Integer, nullable=False),
    Column("basis", String(12), nullable=False),  # forecast bid award dispatch
    Column("service", String(32), nullable=False),
    Column("day", String(10), nullable=False),  # the local day that it is for; empty: part of one, or several
    time("start"),
    time("end"),
    Column("step_s", Integer, nullable=False),
    Column("waive_firm", Boolean, nullable=False),
    Column("is_late", Boolean, nullable=False),
    Column("source", String(16), nullable=False),  # operator, or partner
    Column("profile", String(32), nullable=False),
    Column("profile_sha256", String(64), nullable=False),
    time("verdict_due"),
    Column("body", LargeBinary, nullable=False),  # nodes, starts, bands
    time("recorded_at"),
    time("superseded_at", nullable=True),
    Column("recorded_by", Text, nullable=False),
    UniqueConstraint("market_plan_id", "version"),
    Index(None, "end"),
    sqlite_autoincrement=True,
)
"""What an aggregator intends. A version that came too late supersedes nothing."""

plan_verdict = Table(
    "plan_verdict",
    metadata,
    number(),
    to(plan_version),
    Column("state", String(12), nullable=False),  # ok limit cannot_tell
    Column("cause", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("run_ids", Text, nullable=False),  # JSON: a sorted list
    Column("inputs_sha256", String(64), nullable=False),
    Column("server_version", String(40), nullable=False),
    Column("took_ms", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # per node and step: state, least and most W, what binds, cause
    Column("is_too_late", Boolean, nullable=False),  # a turn to limit that was found too short before it
    time("recorded_at"),
    time("superseded_at", nullable=True),
    Index(None, "plan_version_id"),
    sqlite_autoincrement=True,
)
"""What was found of a version of a plan; one that is looked at again gets a new row."""

member_band = Table(
    "member_band",
    metadata,
    number(),
    to(aggregation),
    to(component_der),
    Column("sha256", String(64), nullable=False),  # of the body
    Column("body", LargeBinary, nullable=False),  # reach, and the bands that count, see operations.market.bands
    time("recorded_at"),
    time("superseded_at", nullable=True),
    Index(None, "aggregation_id", "superseded_at"),
    Index(None, "component_der_id"),
    sqlite_autoincrement=True,
)
"""What accepted plans left a member when limits were published, until they left it something else."""

plan_credit = Table(
    "plan_credit",
    metadata,
    number(),
    to(aggregation),
    to(component_der),
    time("day"),  # its beginning
    Column("version", Integer, nullable=False),
    Column("tested", Integer, nullable=False),
    Column("kept", Integer, nullable=False),
    Column("worst_ppm", Integer, nullable=False),  # the greatest excess, as a part of reach
    Column("credit_ppm", Integer, nullable=False),  # from then on
    Column("target_ppm", Integer, nullable=False),  # what it may rise to
    time("until"),  # when it ends unless another day is judged
    time("recorded_at"),
    time("superseded_at", nullable=True),
    UniqueConstraint("aggregation_id", "component_der_id", "day", "version"),
    sqlite_autoincrement=True,
)
"""How a member kept its bands on a settled day, and how far bands of it are believed from then on."""

ignored_limit = Table(
    "ignored_limit",
    metadata,
    number(),
    to(aggregation),
    to(component_der),
    Column("direction", String(8), nullable=False),  # import export
    time("since"),  # the interval in which it was last far beyond a limit
    Column("excess_ppm", Integer, nullable=False),  # of what the member can do
    Column("kept", Integer, nullable=False),  # intervals since
    Column("needed", Integer, nullable=False),  # until it is taken at its limits again
    time("counted_until"),  # the end of the last settled time that is counted in it
    time("recorded_at"),
    time("superseded_at", nullable=True),
    Index(None, "component_der_id"),
    sqlite_autoincrement=True,
)
"""Members that went far beyond a limit; one row stands for each and direction."""
