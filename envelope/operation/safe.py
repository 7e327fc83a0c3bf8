"""Limits that need no calculation: the default or the contract, published where envelopes are not to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from envelope.findings import NO_SAFE, some
from envelope.operation import seen
from envelope.operation.operating import Safe
from envelope.operation.publish import SOURCE, Published, Tally, Terms, issue
from envelope.problem import Problem
from sep2.operations.controls import intervals_of, limits_of
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import connections, controls, defaults, evidence
from sep2.store.connection import Connection

DAY_S = 86_400
UNKNOWN = Limits()
NO_BANDS: Mapping[str, seen.Band] = {}


async def names_of(db: Connection, problem: Problem | None, now: int) -> Sequence[str]:
    """The connections of a feeder; where its plan can not be read, those that have an envelope."""
    return problem.connection_id if problem is not None else await evidence.limited(db, SOURCE, now)


def firm_of(problem: Problem | None) -> dict[str, Limits]:
    """The contracts that a problem knows."""
    return {} if problem is None else firm_in(problem.connection_id, vars(problem))


def firm_in(names: Sequence[str], fields: Mapping[str, Any]) -> dict[str, Limits]:
    """The contracts of these connections in the fields of a problem."""
    sides = fields.get("firm_import_w"), fields.get("firm_export_w")
    return {
        name: Limits(*(None if side is None else int(np.broadcast_to(side, (len(names),))[k]) for side in sides))
        for k, name in enumerate(names)
    }


async def limits_of_connection(
    db: Connection, known: Any, which: Safe, firm: Mapping[str, Limits], *, bands: Mapping[str, seen.Band] = NO_BANDS
) -> Limits:
    """A connection's safe limits: of the registered contract, the plan's and the default, the first that is known.

    bands: of the base load of the connections whose clients see only their own device.
    """
    row = await defaults.of_group(db, known.device_group_id)
    said = UNKNOWN if row is None else limits_of(row)
    default = Limits(*said[:2])
    contract = _first(Limits(known.firm_import_w, known.firm_export_w), firm.get(known.connection_id, UNKNOWN))
    if known.connection_id in bands:
        contract, default = (
            seen.less_base(contract, bands[known.connection_id]),
            said._replace(import_w=None, export_w=None),
        )
    elif default == UNKNOWN and seen.is_whole(said):
        # Only a device is seen there, and how much of the contract is the base load's is not known.
        return said
    return _first(contract, default) if which is Safe.CONTRACT else _first(default, contract)


async def publish_safe(
    db: Connection,
    names: Sequence[str],
    which: Safe,
    now: int,
    *,
    firm: Mapping[str, Limits],
    terms: Terms,
    bands: Mapping[str, seen.Band] = NO_BANDS,
) -> Published:
    """Have every connection's controls say its safe limits, until the end of tomorrow at least.

    A connection of which no safe limit is known keeps what it has, and is named in a finding.
    """
    tally, unknown = Tally(), list[str]()
    for name in names:
        known = await connections.by_name(db, name)
        if known is None:
            tally.missing.append(name)
            continue
        limits = await limits_of_connection(db, known, which, firm, bands=bands)
        if not seen.is_whole(limits):
            unknown.append(name)
            continue
        tally.connections += 1
        standing = intervals_of(await controls.standing(db, known.device_group_id, now), SOURCE)
        until = max([(now // DAY_S + 2) * DAY_S, *(old.end for old in standing)])
        await issue(db, known.device_group_id, [Interval(now, until, limits)], now, terms=terms, tally=tally)
    return tally.published([f"{NO_SAFE}: neither contract nor default of {some(unknown)} is known"] if unknown else [])


def _first(one: Limits, other: Limits) -> Limits:
    """Of each limit the first that is set."""
    return Limits(*(b if a is None else a for a, b in zip(one, other, strict=True)))
