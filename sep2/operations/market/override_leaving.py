"""Members that leave an aggregation while an override of it stands: it is withdrawn from them, but for an emergency.

What relieves the network at once stays until it ends or is released: leaving is no way around it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from sep2.operations import releasing
from sep2.operations.market import override_notices
from sep2.operations.market.curtailments import Reached
from sep2.rules.market.ladder import NoticeClass
from sep2.store.connection import Connection

LEFT = "override_left"
WHY = "no member of the aggregation any more"


def programs_left(row: Row[Any], stands_at: Mapping[str, int], to: Reached) -> frozenset[int]:
    """The programs that an override is to be withdrawn from: of places where no member is any more."""
    if row.notice_class == NoticeClass.EMERGENCY:
        return frozenset()
    there = {one.place.key for one in to.at}
    return frozenset(program for key, program in stands_at.items() if key not in there)


async def lift(
    db: Connection, row: Row[Any], programs: frozenset[int], to: Reached, *, now: int, most_ahead: int
) -> list[str]:
    """The DERs that are held to an override no longer; parties are told, system operators without names."""
    done = await releasing.release_at(db, row.override_id, programs, now, reason=WHY, most_ahead=most_ahead)
    left = sorted({one.der for one in override_notices.effect_of(row).ders} - to.names)
    if not done.cancelled:
        return []
    data = {"at": now, "left": left, "members": len(left)}
    await override_notices.tell_more(db, row, LEFT, data, without=("left",), now=now)
    return left
