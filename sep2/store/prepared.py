"""Statements that are run again and again, compiled once: a driver is given their text and their values directly.

Run through SQLAlchemy, a statement takes several times as long as in the driver, on PostgreSQL ten times. Values and
rows are converted here as it does; a statement that needs more of it (`IN` over a list, defaults made in Python, plain
text, two columns of one name) is run by SQLAlchemy itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Executable, Float, Row
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import DMLWhereBase, Insert
from sqlalchemy.sql.selectable import SelectBase

RUNS = 2
"""A statement is compiled with its second run; most that are built for one call have no other."""

Process = Callable[[Any], Any]


class Prepared(NamedTuple):
    """A statement of one dialect, for values of certain names."""

    text: str
    names: tuple[str, ...]
    """Of its values, in the order in which the driver takes them."""
    known: Mapping[str, Any]
    """Those that the statement says itself."""
    processes: Mapping[str, Process]
    """What is done to values before the driver gets them."""
    row: Callable[[Sequence[Any]], Row[Any]] | None
    """Makes a row of what the driver returns; None where nothing is returned."""
    first_key: str = ""
    """Of an insert without anything to return: the first column of the table's key."""

    def values(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values for the driver; KeyError where one is missing."""
        known, processes = self.known, self.processes
        found = []
        for name in self.names:
            value = given[name] if name in given else known[name]
            process = processes.get(name)
            found.append(value if process is None else process(value))
        return tuple(found)


class Preparing:
    """The statements of one database, as they were compiled for its dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.is_off = False
        """Whether SQLAlchemy runs everything, so that those who listen to its events hear of each statement."""
        self._dialect = dialect
        self._found: WeakKeyDictionary[Executable, dict[Any, Prepared | int | None]] = WeakKeyDictionary()

    def find(self, statement: Executable, names: Iterable[str]) -> Prepared | None:
        """A statement for values of these names; None where SQLAlchemy is to run it."""
        if self.is_off:
            return None
        key = tuple(names)
        known = self._found.get(statement)
        if known is None:
            known = self._found[statement] = {}
        found = known.get(key, 0)
        if isinstance(found, int):
            found += 1
            known[key] = found if found < RUNS else _prepared(statement, key, self._dialect)
            return None
        return found


def _prepared(statement: Executable, names: Sequence[str], dialect: Dialect) -> Prepared | None:
    if not isinstance(statement, SelectBase | Insert | DMLWhereBase):
        return None
    keys = list(names) if isinstance(statement, Insert | DMLWhereBase) else None
    compiled = statement.compile(dialect=dialect, column_keys=keys)
    if not isinstance(compiled, SQLCompiler) or _needs_more(compiled):
        return None
    columns = compiled._result_columns
    is_insert = isinstance(statement, Insert)
    return Prepared(
        text=compiled.string,
        names=tuple(compiled.positiontup or ()),
        known={
            name: value
            for name, value in compiled.construct_params(_check=False).items()
            if not compiled.binds[name].required
        },
        processes=_processes_of(compiled),
        row=_row_of(columns, dialect) if columns else None,
        first_key=next(iter(statement.table.primary_key)).name if is_insert and statement.table.primary_key else "",
    )


def _needs_more(compiled: SQLCompiler) -> bool:
    """Whether SQLAlchemy does more about a statement than is done here."""
    names = [column.keyname for column in compiled._result_columns]
    return bool(
        compiled.post_compile_params
        or compiled.literal_execute_params
        or compiled.insert_prefetch
        or compiled.update_prefetch
        or not compiled.positional
        or compiled._ordered_columns is False
        or len(set(names)) < len(names)
        or any(callable(bind.callable) for bind in compiled.binds.values())
    )


def _processes_of(compiled: Any) -> dict[str, Process]:
    return dict(compiled._bind_processors)


def _row_of(columns: Sequence[Any], dialect: Dialect) -> Callable[[Sequence[Any]], Row[Any]]:
    processes: Any = [_process_of(column.type, dialect) for column in columns]
    parent = SimpleResultMetaData([column.keyname for column in columns])
    used = processes if any(processes) else None
    key_to_index = parent._key_to_index

    def row(values: Sequence[Any]) -> Row[Any]:
        return Row(parent, used, key_to_index, values)

    return row


def _process_of(kind: Any, dialect: Dialect) -> Process | None:
    if isinstance(kind, Float) and dialect.name == "postgresql":
        return _to_float  # SQLAlchemy's asks for the driver's type of the column, known only once it was run
    process: Process | None = kind._cached_result_processor(dialect, None)
    return process


def _to_float(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
