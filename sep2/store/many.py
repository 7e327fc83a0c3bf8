"""Conditions over any number of values in one statement: the values are one parameter, however many there are.

PostgreSQL takes 32,767 parameters in a statement and SQLite 32,766, so that `column.in_(values)` fails as soon as a
client has more of something. `in_` is for subqueries only; a test looks for others.
"""

import json
from collections.abc import Collection
from typing import Any, Self

from sqlalchemy import BigInteger, BindParameter, Boolean, ColumnElement, Dialect, String, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

Values = Collection[int] | Collection[str] | BindParameter[Any]


class _List(TypeDecorator[Any]):
    """All values in one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, texts: bool) -> None:
        super().__init__()
        self.texts = texts

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(ARRAY(Text() if self.texts else BigInteger()))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return list(value) if dialect.name == "postgresql" else json.dumps(list(value))


class _Among(FunctionElement[bool]):
    """`column` is one of the values."""

    name = "among"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Self:
        """As it is: written as `… = 1`, as SQLAlchemy would for SQLite, no index could be used."""
        return self


@compiles(_Among)
def _in_json(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"  # noqa: S608 - of expressions that SQLAlchemy has compiled


@compiles(_Among, "postgresql")
def _in_array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} = ANY ({values}))"


def among(column: ColumnElement[Any], values: Values) -> ColumnElement[bool]:
    """Whether the column is one of these values, or of those that a `bindparam` is given later; no value: false."""
    kind = _List(isinstance(column.type, String))
    if isinstance(values, BindParameter):
        return _Among(column, bindparam(values.key, type_=kind))
    return _Among(column, bindparam(None, list(values), type_=kind, unique=True))
