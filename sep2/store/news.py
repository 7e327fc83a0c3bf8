"""What changed last, by topic, for pages that show it."""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.sql.selectable import ScalarSelect

from sep2.store.connection import Connection
from sep2.store.operator_tables import audit
from sep2.store.tables import alarm, control, delivery, response


def _last(column: ColumnElement[int]) -> ScalarSelect[int]:
    return select(func.coalesce(func.max(column), 0)).scalar_subquery()


_STANDING = select(func.count()).where(alarm.c.cleared.is_(None)).scalar_subquery()
_TRIED = select(func.count() + func.coalesce(func.sum(delivery.c.attempts), 0)).scalar_subquery()
_TOPICS = {
    "alarms": _last(alarm.c.id),
    "standing": _STANDING,
    "changes": _last(audit.c.id),
    "controls": _last(control.c.id),
    "answers": _last(response.c.id),
    "deliveries": _TRIED,
}
_QUERY = select(*(query.label(name) for name, query in _TOPICS.items()))


async def versions(db: Connection) -> dict[str, str]:
    """A text for each topic that is another one once something of it changed."""
    row = await db.one(_QUERY)
    assert row is not None
    return {name: str(value) for name, value in row._asdict().items()}
