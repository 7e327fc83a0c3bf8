"""What overrides leave component DERs: of their connections, or of their own devices."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from sep2.operations.override_shares import limits_by
from sep2.rules.market.deliverables import Hold
from sep2.rules.protection import disconnects
from sep2.store.connection import Connection
from sep2.store.market import holds as stored


async def of(
    db: Connection, ders: Iterable[Row[Any]], span: tuple[int, int], at: int | None = None
) -> dict[int, list[Hold]]:
    """The overrides in a part of [start, end) of each of some DERs that is under any; at: as it was known then."""
    by_connection: dict[str, list[int]] = defaultdict(list)
    by_lfdi: dict[str, list[int]] = defaultdict(list)
    for row in ders:
        by_connection[row.connection_name].append(row.id)
        if row.lfdi:
            by_lfdi[row.lfdi].append(row.id)
    found: dict[int, list[Hold]] = defaultdict(list)
    for row in await stored.over(db, by_connection, by_lfdi, span=span, at=at):
        hold = _hold(row, at)
        whose = by_connection.get(row.connection_name or "", ()) if hold.of_connection else by_lfdi.get(row.lfdi, ())
        if hold.end > span[0] and (hold.inject_w, hold.draw_w) != (None, None):
            for der in whose:
                if hold not in found[der]:
                    found[der].append(hold)
    return dict(found)


def _hold(row: Row[Any], at: int | None) -> Hold:
    is_released = row.released is not None and (at is None or row.released <= at)
    end = min(row.end, row.released) if is_released else row.end
    name = "backstop" if row.kind == "backstop" else f"override {row.id}"
    if disconnects(json.loads(row.modes)):
        return Hold(name, row.start, end, 0, 0, bool(row.holds_net_limit))
    key = f"device {row.at_device}" if row.at_connection is None else f"connection {row.at_connection}"
    said = limits_by(row, key)
    inject = (said.export_w, said.gen_w) if row.holds_net_limit else (said.gen_w,)
    draw = (said.import_w, said.load_w) if row.holds_net_limit else (said.load_w,)
    return Hold(name, row.start, end, _least(inject), _least(draw), bool(row.holds_net_limit))


def _least(watts: Iterable[int | None]) -> int | None:
    return min((one for one in watts if one is not None), default=None)
