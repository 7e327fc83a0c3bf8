"""Tables of the operator API: who may use it, and what they did."""

from sqlalchemy import Column, Index, LargeBinary, String, Table

from sep2.store.columns import metadata, time

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
