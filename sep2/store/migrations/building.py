"""How migrations make tables: keys, references and columns, named as `sep2.store.columns` names them."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def owned_by(*owners: str) -> dict[str, str]:
    """References to tables, each in the column that is called after its table."""
    return {f"{owner}_id": owner for owner in owners}


def add_table(
    name: str,
    owners: Mapping[str, str],
    *parts: sa.schema.SchemaItem,
    optional: Collection[str] = (),
    cascades: Collection[str] = (),
) -> None:
    """Add a table with a number of its own; owners: the table that each of these columns refers to.

    optional: columns of owners that may be empty. cascades: those whose owner takes its rows along when it is deleted.
    """
    op.create_table(
        name,
        sa.Column("id", Id, primary_key=True, autoincrement=True, nullable=False),
        *(sa.Column(column, Id, nullable=column in optional) for column in owners),
        *parts,
        *(
            sa.ForeignKeyConstraint(
                [column],
                [f"{owner}.id"],
                name=op.f(f"fk_{name}_{column}"),
                ondelete="CASCADE" if column in cascades else None,
            )
            for column, owner in owners.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sqlite_autoincrement=True,
    )


def add_index(table: str, *columns: str) -> None:
    """Add an index over columns."""
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    """Of these columns together a value stands once."""
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def recorded() -> list[sa.Column[Any]]:
    """When a row was recorded, and until when it was what we knew."""
    return [whole("recorded_at"), whole("superseded_at", nullable=True)]


def whole(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    """A time in epoch seconds, or a power or energy in W or Wh."""
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def count(name: str, *, zero: bool = False) -> sa.Column[Any]:
    """A small whole number; zero: it is 0 where nothing is said."""
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0" if zero else None)


def truth(name: str) -> sa.Column[Any]:
    """True or false."""
    return sa.Column(name, sa.Boolean(), nullable=False)


def octets(name: str) -> sa.Column[Any]:
    """Bytes of any length."""
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def text(name: str, *, empty: bool = False) -> sa.Column[Any]:
    """Text of any length; empty: it is empty where nothing is said."""
    return sa.Column(name, sa.Text(), nullable=False, server_default="" if empty else None)


def word(name: str, longest: int) -> sa.Column[Any]:
    """Text of at most so many characters."""
    return sa.Column(name, sa.String(length=longest), nullable=False)
