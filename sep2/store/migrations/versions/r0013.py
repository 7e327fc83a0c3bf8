"""Named operators with tokens and sessions, and the audit log as a chain of hashes."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "r0013"
down_revision = "r0012"

AT_ONCE = 1000
FIRST = "0" * 64
Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables of operators, with the operator `local`; chain what the audit log holds."""
    _make_operators()
    _widen_audit()
    _chain()
    with op.batch_alter_table("audit") as audit:
        audit.drop_column("detail")
        audit.alter_column("detail_digest", server_default=None)
        audit.alter_column("hash", server_default=None)


def _make_operators() -> None:
    op.create_table(
        "operator",
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("folded", sa.String(length=160), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password", sa.String(length=200), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator")),
        sa.UniqueConstraint("folded", name=op.f("uq_operator_folded")),
        sqlite_autoincrement=True,
    )
    op.execute("INSERT INTO operator (name, folded, role, created) VALUES ('local', 'local', 'admin', 0)")
    op.create_table(
        "operator_token",
        sa.Column("id", sa.String(length=12), nullable=False),
        _of_operator(),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("last_used", sa.BigInteger(), nullable=True),
        _to_operator("operator_token"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_token")),
    )
    op.create_index(op.f("ix_operator_token_operator_id"), "operator_token", ["operator_id"])
    op.create_table(
        "operator_session",
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        _of_operator(),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        _to_operator("operator_session"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_session")),
        sa.UniqueConstraint("digest", name=op.f("uq_operator_session_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_operator_session_operator_id"), "operator_session", ["operator_id"])


def _of_operator() -> sa.Column[int]:
    return sa.Column("operator_id", Id, nullable=False)


def _to_operator(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_operator_id")
    return sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=name, ondelete="CASCADE")


def _widen_audit() -> None:
    kinds = {"label": sa.Text(), "via": sa.String(80), "address": sa.String(64), "request": sa.String(40)}
    with op.batch_alter_table("audit") as audit:
        for name, kind in kinds.items():
            audit.add_column(sa.Column(name, kind, nullable=False, server_default=""))
        audit.add_column(sa.Column("outcome", sa.String(80), nullable=False, server_default="done"))
        audit.add_column(sa.Column("detail_digest", sa.String(64), nullable=False, server_default=""))
        audit.add_column(sa.Column("hash", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "audit_detail",
        sa.Column("audit_id", Id, autoincrement=False, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["audit_id"], ["audit.id"], name=op.f("fk_audit_detail_audit_id")),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit_detail")),
    )
    op.execute("INSERT INTO audit_detail (audit_id, detail) SELECT id, detail FROM audit")
    op.create_table(
        "audit_head",
        sa.Column("id", Id, autoincrement=False, nullable=False),
        sa.Column("audit_id", Id, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )


def _chain() -> None:
    """Give every row its hash, oldest first; as the rows were until now, only five of their values say anything."""
    core, last, head = op.get_bind(), 0, FIRST
    names = ("id", "at", "operator", "verb", "subject", "detail", "detail_digest", "hash")
    audit = sa.table("audit", *(sa.column(name) for name in names))
    query = sa.select(*(audit.c[name] for name in names[:6])).order_by(audit.c.id).limit(AT_ONCE)
    while rows := core.execute(query.where(audit.c.id > last)).all():
        for row in rows:
            digest = hashlib.sha256(row.detail.encode(errors="backslashreplace")).hexdigest()
            said = [row.at, row.operator, "", "", "", "", row.verb, row.subject, "done", digest]
            text = head + json.dumps(said, ensure_ascii=False, separators=(",", ":"))
            last, head = row.id, hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()
            core.execute(sa.update(audit).where(audit.c.id == last).values(detail_digest=digest, hash=head))
    core.execute(
        sa.text("INSERT INTO audit_head (id, audit_id, hash) VALUES (1, :last, :head)"), {"last": last, "head": head}
    )
