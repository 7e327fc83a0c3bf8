"""How far a database has come, and which controls devices know that a copy of it does not."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, UniqueConstraint

from sep2.store.columns import Id, metadata

database_age = Table(
    "database_age",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
)
"""One row, whose count rises every few seconds while a server runs: a copy that is put back has a smaller one."""

lost_control = Table(
    "lost_control",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("mrid", String(32), nullable=False),
    Column("lfdi", String(40), nullable=False),
    Column("status", Integer, nullable=False),
    Column("first_heard", BigInteger, nullable=False),
    Column("last_heard", BigInteger, nullable=False),
    UniqueConstraint("mrid", "lfdi"),
    sqlite_autoincrement=True,
)
"""A control of this utility that a device has answered to and that this database does not know; status: its last."""
