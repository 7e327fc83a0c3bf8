"""The columns that most tables have, and the metadata that every table of the database belongs to."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, Table, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite numbers rows by itself only for a column of type INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


def number() -> Column[int]:
    """A number that rows are known by; where it is part of an href, the table has `sqlite_autoincrement`."""
    return Column("id", Id, primary_key=True, autoincrement=True)


def to(target: Table, *, nullable: bool = False, name: str = "") -> Column[int]:
    """A row of another table, by its number; in a column of that table's name unless another is given."""
    return Column(name or f"{target.name}_id", Id, ForeignKey(target.c.id), nullable=nullable)


def limits() -> list[Column[int]]:
    """The limits of a control or a default in watts; one that is NULL is not set."""
    return [Column(f"{what}_limit_w", BigInteger) for what in ("import", "export", "gen", "load")]


def time(name: str, *, nullable: bool = False) -> Column[int]:
    """A time in epoch seconds."""
    return Column(name, BigInteger, nullable=nullable)


def names() -> list[Column[str]]:
    """What operators call a row, if they do, and the key of that name (see `rules.names`)."""
    return [Column("name", Text), Column("name_key", Text)]
