"""Statements that are compiled once for all databases of a test process.

SQLAlchemy keeps what it has compiled by engine and dialect. Every test opens a database of its own, and so paid for
every statement again: a fifth of the time of a test of the operator API. What is shared is a cache alone, whose keys
are the statements themselves; values are never part of it.
"""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

STATEMENTS = 3000
_dialects: dict[Any, Dialect] = {}
_compiled: LRUCache[Any, Any] = LRUCache(STATEMENTS)


def share(engine: Engine) -> None:
    """Give a new engine the dialect of the first one of its kind, and the statements that were compiled for that."""
    mine: Any = engine.dialect
    shared = _dialects.setdefault((type(mine), mine._on_connect_isolation_level), mine)
    engine.dialect = engine.pool._dialect = shared
    engine._compiled_cache = _compiled


def install() -> None:
    """Share from now on, by the hook that SQLAlchemy offers its dialects."""
    DefaultDialect.engine_created = staticmethod(share)  # type: ignore[method-assign, assignment]
