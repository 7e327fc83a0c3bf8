"""What members of an aggregation can do together in each interval, from what the engine published last."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations import plans
from sep2.operations.market import ders, holds
from sep2.operations.market.aggregations import PROPOSED
from sep2.rules.market.deliverables import Hold, Published, Rating, RunSteps, Share, Side
from sep2.rules.market.register import DerFacts
from sep2.rules.told_times import told
from sep2.store.connection import Connection
from sep2.store.market import published as stored
from sep2.store.market import register
from sep2.store.market.facts import AsOf
from sep2.store.market.published import Place
from sep2.store.market.register import EFFECTIVE
from sep2.store.market.series import unpacked

ENDED: Mapping[str, str] = {"failed": "engine_failed", "static": "static_limits", "no clients": "no_clients"}
"""Why nothing can be said of a feeder, by how its last round ended."""
COINCIDENT = "coincident"
ALL, DER, ISO_NODE = "all", "der", "iso_node"
"""Levels beside the kinds of places."""


class MemberOf(NamedTuple):
    """A member of an aggregation with the nodes that it belongs to, and what was published for it."""

    share: Share
    iso_node: str
    places: Sequence[Place]
    der_id: int
    connection: str

    def node(self, level: str) -> str:
        """The node that it counts for at a level; empty where it is at none."""
        if level in (ALL, DER, ISO_NODE):
            return {ALL: ALL, DER: self.share.der, ISO_NODE: self.iso_node}[level]
        return next((place.name for place in self.places if place.kind == level), "")


class Known(NamedTuple):
    """What can be known of an aggregation's members in a time."""

    members: Sequence[MemberOf]
    runs: Mapping[int, RunSteps]
    details: Mapping[str, str]
    """in words, by the cause why something is not known"""

    def shares(self, level: str) -> dict[str, list[Share]]:
        """The members of each node at a level; those at none are left out."""
        found: dict[str, list[Share]] = {}
        for one in self.members:
            if name := one.node(level):
                found.setdefault(name, []).append(one.share)
        return found

    @property
    def run_ids(self) -> list[str]:
        """The runs that something was said from."""
        used = {id(one.share.published.run) for one in self.members if one.share.published is not None}
        return sorted({run.run_id for run in self.runs.values() if id(run) in used})


async def look(
    db: Connection,
    aggregation_id: int,
    span: tuple[int, int],
    now: int,
    *,
    at: int | None = None,
    with_limits: bool = True,
    with_overrides: bool = False,
) -> Known:
    """What is known of the members that an aggregation has in [start, end); at: as it was known then.

    with_limits: whether to read limits themselves, too, and not only which run has some. with_overrides: whether what
    overrides leave members counts, too.
    """
    start, end = span
    time = AsOf(start, at)
    rows = await register.effective_of(db, [aggregation_id], time, until=end)
    entries = await register.entries(db, "der", {row.component_der_id for row in rows}, time)
    facts = {row.id: ders.said_of(row) for row in entries}
    there = {one.connection for one in facts.values()}
    limits = await _limits(db, there, now, at=at, with_limits=with_limits)
    places = await stored.places_of(db, there)
    rated = await _rated(db, there, time)
    held = await holds.of(db, entries, span, at) if with_overrides else {}
    members = [
        _member(row, facts[row.component_der_id], (limits, places, rated), held.get(row.component_der_id, ()))
        for row in rows
        if row.component_der_id in facts
    ]
    return Known(members, limits.runs, limits.details)


_Lists = tuple[list[int], list[int], list[int]]
"""Limits, reach and what binds."""


NOTHING = Side((), (), ())


class _Limits(NamedTuple):
    runs: Mapping[int, RunSteps]
    published: Mapping[str, Published]
    causes: Mapping[str, str]
    """of connections that nothing is published for"""
    details: Mapping[str, str]


async def _limits(db: Connection, names: Collection[str], now: int, *, at: int | None, with_limits: bool) -> _Limits:
    rounds = await plans.rounds(db) if at is None else {}
    why = {feeder: _why(made, now) for feeder, made in rounds.items()}
    details = dict(why.values())
    runs = {row.id: _run(row, why.get(plans.round_name(row.feeder), ("", ""))[0]) for row in await stored.runs(db, at)}
    found = {
        row.connection_name: _published(row, runs[row.published_run_id], with_limits=with_limits)
        for row in await stored.limits(db, names, at, bodies=with_limits)
        if row.published_run_id in runs
    }
    missing = set(names) - found.keys()
    feeders = await stored.last_feeders(db, missing) if missing else {}
    causes = {name: _missing(feeders.get(name), why, known=bool(rounds)) for name in missing}
    return _Limits(runs, found, causes, details)


def _why(made: plans.Round, now: int) -> tuple[str, str]:
    """Why nothing can be said of a feeder now, as a cause and in words; empty: something can."""
    if made.ended in ENDED:
        return ENDED[made.ended], made.why
    if made.due is not None and now > made.due:
        return "engine_late", f"the last round ended {(now - made.at) // 60} min ago"
    if made.late:
        return "inputs_late", "; ".join(made.late)
    return "", ""


def _missing(feeder: str | None, why: Mapping[str, tuple[str, str]], *, known: bool) -> str:
    if feeder is not None:
        return why.get(plans.round_name(feeder), ("", ""))[0] or "not_published"
    bad = sorted({cause for cause, _ in why.values() if cause})
    return bad[0] if bad else "not_in_run" if known else "no_engine"


def _run(row: Row[Any], cause: str) -> RunSteps:
    if row.guarantee == COINCIDENT:
        cause = cause or "coincident_limits"
    return RunSteps(row.run_id, row.step_s, unpacked(row.starts, list[int]), unpacked(row.names, list[str]), cause)


def _published(row: Row[Any], run: RunSteps, *, with_limits: bool) -> Published:
    if not with_limits:
        return Published(run, NOTHING, NOTHING, row.cause)
    gen, load = unpacked(row.body, tuple[_Lists, _Lists])
    return Published(run, Side(*gen, row.firm_gen_w), Side(*load, row.firm_load_w), row.cause)


async def _rated(db: Connection, connections: Collection[str], time: AsOf) -> dict[str, tuple[int, int]]:
    """What component DERs of any party can feed and draw at these connections, W."""
    found: dict[str, tuple[int, int]] = {}
    for row in await register.ders_at(db, connections, time):
        one = ders.said_of(row)
        gen, load = found.get(one.connection, (0, 0))
        found[one.connection] = gen + one.max_gen_w, load + one.max_load_w
    return found


def _member(
    row: Row[Any],
    facts: DerFacts,
    of: tuple[_Limits, Mapping[str, list[Place]], Mapping[str, tuple[int, int]]],
    held: Sequence[Hold],
) -> MemberOf:
    limits, places, rated = of
    name = facts.connection
    gen, load = rated.get(name, (facts.max_gen_w, facts.max_load_w))
    share = Share(
        row.der_name,
        row.share_ppm,
        Rating(facts.export_agreement_w, facts.max_gen_w, gen),
        Rating(facts.import_agreement_w, facts.max_load_w, load),
        row.valid_from,
        row.valid_to,
        limits.published.get(name),
        limits.causes.get(name, ""),
        held,
    )
    return MemberOf(share, row.iso_node, places.get(name, ()), row.component_der_id, name)


async def why_nobody(db: Connection, row: Row[Any], span: tuple[int, int], at: int | None = None) -> str:
    """Why an aggregation has no member in a time, in words."""
    rows = await register.members(db, row.id, AsOf(span[0], at))
    waiting = sum(one.state == PROPOSED and one.valid_from < span[1] for one in rows)
    later = min((one.valid_from for one in rows if one.state == EFFECTIVE), default=None)
    if later is not None:
        return f"{row.name}: its first member joins at {told(later)}"
    if waiting:
        return f"{row.name}: {waiting} of its members are proposed, and none is approved for that time"
    return f"{row.name} has no members in that time"


def grid(start: int, end: int, step_s: int) -> list[tuple[int, int]]:
    """The steps of [start, end)."""
    return [(at, min(at + step_s, end)) for at in range(start, end, step_s)]


def last_end(runs: Iterable[RunSteps]) -> int | None:
    """When the last of some runs ends."""
    return max((run.starts[-1] + run.step_s for run in runs if run.starts), default=None)
