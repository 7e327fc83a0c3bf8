"""The register of the market, the reviews of its aggregations, and grants of operators."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0023"
down_revision = "r0022"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the tables; no operator has a grant until somebody gives one."""
    _add_register()
    _add_reviews()
    _add_review_parts()
    with op.batch_alter_table("operator") as operator:
        operator.add_column(_text("grants", default=""))


def _add_register() -> None:
    _identity("party")
    _identity("component_der", "party")
    _identity("aggregation", "party")
    _facts("party_fact", "party", _word("kind", 16), _word("status", 16), _text("body"))
    _facts("party_certificate", "party", _word("lfdi", 40), _word("purpose", 8))
    _index("party_certificate", "lfdi")
    accounts = ("edc_account", "connection_name", "meter_id", "serial")
    _facts("component_der_fact", "component_der", *map(_text, accounts), _word("lfdi", 40), _text("body"))
    for column in ("meter_id", "edc_account", "connection_name"):
        _index("component_der_fact", column)
    consent = (_text("scopes"), _text("given_by"), _time("given_at"), _time("revoked_at", nullable=True))
    _facts("der_consent", "component_der", *consent, _word("document_sha256", 64))
    registered = (_word("profile", 32), _word("status", 16), _text("iso_resource_id"), _text("body"))
    _facts("aggregation_fact", "aggregation", *registered)
    share = (sa.Column("share_ppm", sa.Integer(), nullable=False), _word("state", 16), _text("iso_node"))
    _facts("aggregation_member", "aggregation", _to("component_der"), *share, also=["component_der"])
    _index("aggregation_member", "component_der_id")


def _add_reviews() -> None:
    _table(
        "review",
        ["aggregation"],
        _word("kind", 16),
        _text("changes"),
        _word("state", 20),
        _text("submitted_by"),
        _time("submitted_at"),
        _time("complete_at", nullable=True),
        _word("profile", 32),
        _word("profile_sha256", 64),
        _text("terms"),
        _text("missing", default="[]"),
        _time("screened_at", nullable=True),
        _time("decided_at", nullable=True),
        _text("decided_by", default=""),
        _text("second", default=""),
        _text("note", default=""),
    )
    _index("review", "state", "submitted_at")
    _index("review", "aggregation_id")
    _table(
        "review_der",
        ["review", "component_der"],
        _word("change", 16),
        _word("outcome", 8, default=""),
        _time("limit_w", nullable=True),
        _word("reason", 32, default=""),
        _text("evidence", default="[]"),
        sa.UniqueConstraint("review_id", "component_der_id", name=op.f("uq_review_der_review_id_component_der_id")),
    )
    _index("review_der", "component_der_id")


def _add_review_parts() -> None:
    paused = (_text("asked_for"), _text("answer", default=""), _text("operator"))
    _table("review_pause", ["review"], _time("start"), _time("end", nullable=True), *paused)
    _table(
        "screen_result",
        ["review", "component_der"],
        _word("screen", 24),
        _word("result", 12),
        _word("cause", 40),
        _text("detail"),
        _text("binding"),
        _time("limit_w", nullable=True),
        _text("run_id"),
        _word("inputs_sha256", 64),
        _time("recorded_at"),
        _time("superseded_at", nullable=True),
        nullable=["component_der"],
    )
    _table("review_letter", ["review"], _time("made_at"), _text("html"), _word("sha256", 64))
    _table(
        "dispute",
        ["review"],
        _time("raised_at"),
        _text("raised_by"),
        _text("about"),
        _text("basis"),
        sa.Column("stay", sa.Boolean(), nullable=False),
        _text("regulator_ref", default=""),
        _word("state", 12),
        _text("outcome", default=""),
        _time("closed_at", nullable=True),
        _text("closed_by", default=""),
    )
    for table in ("review_pause", "screen_result", "review_letter", "dispute"):
        _index(table, "review_id")


def _identity(name: str, *owners: str) -> None:
    _table(name, owners, _text("name"), _text("name_key"), _time("created"), _time("removed", nullable=True))
    live = sa.text("removed IS NULL")
    unique = f"uq_{name}_name_key_live"
    op.create_index(unique, name, ["name_key"], unique=True, sqlite_where=live, postgresql_where=live)


def _facts(name: str, owner: str, *columns: sa.Column[Any], also: list[str] | None = None) -> None:
    key = f"{owner}_id"
    op.create_table(
        name,
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        _to(owner),
        sa.Column("version", sa.Integer(), nullable=False),
        _time("valid_from"),
        _time("valid_to", nullable=True),
        _time("recorded_at"),
        _time("superseded_at", nullable=True),
        _text("recorded_by"),
        *columns,
        *(_reference(name, other) for other in (owner, *(also or ()))),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint(key, "version", name=op.f(f"uq_{name}_{key}_version")),
        sqlite_autoincrement=True,
    )


def _table(name: str, owners: Sequence[str], *parts: sa.schema.SchemaItem, nullable: Collection[str] = ()) -> None:
    op.create_table(
        name,
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        *(_to(owner, nullable=owner in nullable) for owner in owners),
        *parts,
        *(_reference(name, owner) for owner in owners),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sqlite_autoincrement=True,
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _to(owner: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(f"{owner}_id", Id, nullable=nullable)


def _reference(table: str, owner: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([f"{owner}_id"], [f"{owner}.id"], name=op.f(f"fk_{table}_{owner}_id"))


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _text(name: str, *, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _word(name: str, length: int, *, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), server_default=default, nullable=False)
