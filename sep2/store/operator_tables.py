"""Tables of the operator API: who may use it, and what they did."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, String, Table, Text

from sep2.store.columns import Id, metadata, number, time

operator = Table(
    "operator",
    metadata,
    number(),
    Column("name", String(80), nullable=False),
    Column("folded", String(160), nullable=False, unique=True),  # see rules.credentials.folded
    Column("role", String(16), nullable=False),
    Column("password", String(200)),
    time("created"),
    Column("subject", String(400), unique=True),
    Column("totp", String(64)),
    Column("totp_step", BigInteger),
    Column("grants", Text, nullable=False, server_default=""),  # words of rules.roles.GRANTS, with blanks between
    sqlite_autoincrement=True,
)
"""Who may use the operator API; a password is stored as scrypt makes it, `subject` names who a provider signs in.

`totp` is the secret of one-time codes, which have to be known in the clear, `totp_step` the last one that was used."""

operator_token = Table(
    "operator_token",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("operator_id", Id, ForeignKey(operator.c.id, ondelete="CASCADE"), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("label", String(80), nullable=False),
    Column("role", String(16), nullable=False),
    Column("read_only", Boolean, nullable=False),
    time("created"),
    time("expires"),
    time("last_used", nullable=True),
    Index(None, "operator_id"),
)
"""Bearer tokens; `role` is at most that of the operator."""

operator_session = Table(
    "operator_session",
    metadata,
    number(),
    Column("operator_id", Id, ForeignKey(operator.c.id, ondelete="CASCADE"), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("address", String(64), nullable=False),
    Column("agent", String(200), nullable=False),
    time("created"),
    time("expires"),
    time("used"),
    Index(None, "operator_id"),
    sqlite_autoincrement=True,
)
"""Sessions of browsers; the digest is of the cookie's value."""

audit = Table(
    "audit",
    metadata,
    number(),
    time("at"),
    Column("operator", Text, nullable=False),
    Column("verb", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("label", Text, nullable=False, server_default=""),
    Column("via", String(80), nullable=False, server_default=""),
    Column("address", String(64), nullable=False, server_default=""),
    Column("request", String(40), nullable=False, server_default=""),
    Column("outcome", String(80), nullable=False, server_default="done"),
    Column("detail_digest", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "subject"),
)
"""What was changed, asked for in vain, and by whom; each row's hash covers the row before (see rules.chain)."""

audit_detail = Table(
    "audit_detail",
    metadata,
    Column("audit_id", Id, ForeignKey(audit.c.id), primary_key=True, autoincrement=False),
    Column("detail", Text, nullable=False),
)
"""The details of a row, of which the row has the digest: erased, they leave the chain whole."""

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("audit_id", Id, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""One row: the end of the chain. Who adds to the chain holds it."""

audit_seal = Table(
    "audit_seal",
    metadata,
    number(),
    time("at"),
    Column("audit_id", Id, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("signature", Text, nullable=False),  # of `rules.chain.sealed`, base64
    Column("certificate", Text, nullable=False),  # of the key that signed, PEM
    sqlite_autoincrement=True,
)
"""The end of the chain as it was at a time, signed with the server's key."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("operator", String(80), primary_key=True),
    Column("key", String(255), primary_key=True),
    time("at"),
    Column("digest", String(64), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Index(None, "at"),
)
"""Changes that were made under an idempotency key; `digest` is of the request, and the answer is given again."""
