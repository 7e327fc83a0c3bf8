"""Two extracts of the same feeder, matched by id: what was added, removed and changed, and whom it reaches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from gridmodel.errors import GridError
from gridmodel.flow.parts import split
from gridmodel.model.equipment import Equipment
from gridmodel.model.feeder import Feeder
from gridmodel.model.network import Network

SAME = 1e-9
"""relative difference of numbers that are the same"""
KINDS = ("nodes", "lines", "transformers", "centre_taps", "capacitors", "regulators", "connections")
NOT_ELECTRICAL = ("x", "y")
"""fields that change a picture and no power flow"""
CORE_COUNTS = "Yyn"
"""vector group whose zero-sequence core is part of the power flow"""


class Difference(NamedTuple):
    """One thing that differs."""

    kind: str
    """such as "line" """
    id: str
    change: str
    """added, removed or changed"""
    field: str = ""
    before: str = ""
    after: str = ""


class Comparison(NamedTuple):
    """What a later extract changes."""

    differences: tuple[Difference, ...]
    reached: tuple[str, ...]
    """connections of the later extract whose limits the changes touch"""
    untouched: tuple[str, ...]
    """those whose low-voltage part is what it was, behind a medium voltage that is what it was"""


def compare(before: Feeder, after: Feeder) -> Comparison:
    """Match two extracts by the ids of their elements and devices."""
    first, second = before.network, after.network
    if first.equipment is not None and second.equipment is not None:
        found = tuple(_of_equipment(first.equipment, second.equipment))
    else:
        found = tuple(_of_admittances(first, second))
    behind = tuple(_behind(before, after))
    touched = {name for _, name in behind}
    reached = set(second.connections.id) if touched or any(map(_electrical, found)) else set[str]()
    if reached and (kept := _same_parts(first, second, touched)) is not None:
        reached -= kept
    names, all_found = second.connections.id, (*found, *(one for one, _ in behind))
    return Comparison(all_found, tuple(n for n in names if n in reached), tuple(n for n in names if n not in reached))


def _behind(before: Feeder, after: Feeder) -> Iterator[tuple[Difference, str]]:
    """What differs behind the connections that both extracts have, each with its connection."""
    old, new = ({one.id: one for one in feeder.devices} for feeder in (before, after))
    for one in _matched("device", old, new):
        for device in (old.get(one.id), new.get(one.id)):
            if device is not None:
                yield one, device.connection_id
                break
    for kind, field, values in (("inverter", "va", "pv_va"), ("customer", "active", "active")):
        was, now = (
            dict(zip(feeder.network.connections.id, getattr(feeder, values).tolist(), strict=True))
            for feeder in (before, after)
        )
        for name in now:
            if name in was and not _same(was[name], now[name]):
                yield Difference(kind, name, "changed", field, _told(was[name]), _told(now[name])), name


def _electrical(one: Difference) -> bool:
    return one.field not in NOT_ELECTRICAL


def _of_equipment(before: Equipment, after: Equipment) -> Iterator[Difference]:
    for kind in KINDS:
        old, new = ({one.id: one for one in getattr(equipment, kind)} for equipment in (before, after))
        yield from _matched(kind.removesuffix("s"), old, new)
    yield from _changed("supply", "supply", before.supply, after.supply)


def _matched(kind: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in old:
            yield Difference(kind, name, "added")
        elif name not in new:
            yield Difference(kind, name, "removed")
        else:
            yield from _changed(kind, name, old[name], new[name])


def _changed(kind: str, name: str, old: Any, new: Any) -> Iterator[Difference]:
    for field in fields(new):
        before, after = getattr(old, field.name), getattr(new, field.name)
        # A core counts in zero sequence where it is the only path.
        counts = field.name != "z0_magnetising_pu" or CORE_COUNTS in (old.connection, new.connection)
        if counts and not _same(before, after):
            yield Difference(kind, name, "changed", field.name, _told(before), _told(after))


def _same(before: Any, after: Any) -> bool:
    if isinstance(after, np.ndarray | float | int | complex) and not isinstance(after, bool):
        old, new = np.asarray(before), np.asarray(after)
        return old.shape == new.shape and bool(np.allclose(old, new, rtol=SAME, atol=0.0, equal_nan=True))
    return bool(before == after)


def _told(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return " ".join(np.array2string(value, precision=5, threshold=4).split())
    return f"{value:.6g}" if isinstance(value, float | complex) else str(value)


def _of_admittances(before: Network, after: Network) -> Iterator[Difference]:
    """Of networks whose elements are known by their admittances only."""
    old, new = (
        {(kind, name): k for k, (kind, name) in enumerate(zip(n.branches.kind, n.branches.id, strict=True))}
        for n in (before, after)
    )
    for kind, name in [*new, *(one for one in old if one not in new)]:
        if (kind, name) not in old:
            yield Difference(kind, name, "added")
        elif (kind, name) not in new:
            yield Difference(kind, name, "removed")
        else:
            a, b = _row(before, old[kind, name]), _row(after, new[kind, name])
            for field in a:
                if not _same(a[field], b[field]):
                    yield Difference(kind, name, "changed", field, _told(a[field]), _told(b[field]))
    customers = [
        {c.id[k]: (n.nodes.id[c.node[k]], c.phase[k]) for k in range(len(c))}
        for n in (before, after)
        for c in (n.connections,)
    ]
    for name in [*customers[1], *(one for one in customers[0] if one not in customers[1])]:
        at = [c.get(name) for c in customers]
        if at[0] != at[1]:
            change = "added" if at[0] is None else "removed" if at[1] is None else "changed"
            told = ["" if one is None else " ".join(one) for one in at]
            yield Difference("connection", name, change, "node, phase" if change == "changed" else "", *told)


def _row(network: Network, k: int) -> dict[str, Any]:
    b, at = network.branches, network.branches.terminals[k]
    used = at >= 0
    return {
        "ends": tuple(network.terminal_name(int(t)) for t in at[used]),
        "y_s": b.y_s[k][np.ix_(used, used)],
        "rating_a": float(b.rating_a[k]),
    }


def _same_parts(before: Network, after: Network, touched: set[str]) -> set[str] | None:
    """Connections in low-voltage parts that are what they were, without those that are touched otherwise.

    None where the networks have no such parts.
    """
    try:
        old, new = split(before), split(after)
    except GridError:
        return None
    if old is None or new is None:
        return None
    same_source = _same(old.medium.source.v, new.medium.source.v)
    if not same_source or any(_of_admittances(old.medium, new.medium)):
        return None
    found = set[str]()
    for name, part in new.low.items():
        own = set(part.connections.id)
        if name in old.low and not own & touched and not any(_of_admittances(old.low[name], part)):
            found |= own
    return found
