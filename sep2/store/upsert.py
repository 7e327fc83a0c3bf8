"""Insert a row, or change the one that is there: one statement, so that two writers of one row never clash."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Table, case
from sqlalchemy.dialects.postgresql import Insert, insert


def upsert(table: Table, key: Sequence[str], changed: Iterable[str]) -> Insert:
    """An insert that changes the columns `changed` where there is a row with that key; both databases read it."""
    statement = insert(table)
    said = {name: statement.excluded[name] for name in changed}
    return statement.on_conflict_do_update(index_elements=[table.c[name] for name in key], set_=said)


def adding(table: Table, key: Sequence[str], sums: Iterable[str]) -> Insert:
    """An insert that adds to the columns `sums` where there is a row with that key; both databases read it."""
    statement = insert(table)
    said = {name: table.c[name] + statement.excluded[name] for name in sums}
    return statement.on_conflict_do_update(index_elements=[table.c[name] for name in key], set_=said)


def widening(table: Table, key: Sequence[str], since: str, until: str, *, times: str) -> Insert:
    """An insert that widens the time of the row with that key, and counts how often; both databases read it."""
    statement = insert(table)
    said = statement.excluded
    wider = {
        since: case((said[since] < table.c[since], said[since]), else_=table.c[since]),
        until: case((said[until] > table.c[until], said[until]), else_=table.c[until]),
        times: table.c[times] + 1,
    }
    return statement.on_conflict_do_update(index_elements=[table.c[name] for name in key], set_=wider)
