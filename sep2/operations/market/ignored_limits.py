"""Members that go far beyond their limits on settled days: they count as if they could not be limited for a while."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sep2.operations.alarms import Wanted
from sep2.operations.market.settled_facts import Basis, Member
from sep2.rules.market.ignoring import Ignoring, LimitedInterval, after, excess_part
from sep2.rules.market.intervals import UNKNOWN
from sep2.rules.market.profile import CreditRules
from sep2.rules.market.shares import WHOLE_PPM
from sep2.store.connection import Connection
from sep2.store.market import ignored as stored

LIMITS_IGNORED = "limits_ignored"
EXPORT, IMPORT = "export", "import"
_Tested = Mapping[tuple[int, str], Sequence[LimitedInterval]]


class Settled(NamedTuple):
    """The tested intervals of a settled time by DER and direction, and when it ends."""

    tested: _Tested
    until: int


def tested_of(basis: Basis, rows: Sequence[Mapping[str, Any]]) -> Settled:
    """The intervals of members in which a limit held and enough was measured; rows: in the order of their starts."""
    able = {one.der.id: _able_w(one) for one in basis.members}
    found: dict[tuple[int, str], list[LimitedInterval]] = defaultdict(list)
    for row in rows:
        number = row["component_der_id"]
        if number is None or row["limit_w"] is None or row["state"] == UNKNOWN:
            continue
        direction = IMPORT if (row["instructed_w"] or 0) < 0 else EXPORT
        part = excess_part(row["breach_wh"] or 0, basis.step, able[number][direction])
        found[number, direction].append(LimitedInterval(row["start"], part))
    return Settled(found, basis.starts[-1] + basis.step if basis.starts else 0)


def _able_w(member: Member) -> dict[str, float]:
    der, share = member.facts, member.share
    return {EXPORT: der.max_gen_w * share, IMPORT: der.max_load_w * share}


async def judge(db: Connection, aggregation_id: int, settled: Settled, rules: CreditRules, *, now: int) -> None:
    """Keep what a settled time says of members that ignore their limits, or did; the others leave no trace."""
    before = {(row.component_der_id, row.direction): row for row in await stored.standing(db, aggregation_id)}
    rows, old = [], []
    for key, tested in sorted(settled.tested.items()):
        row = before.get(key)
        known = None if row is None else Ignoring(row.since, row.excess_ppm / WHOLE_PPM, row.kept, row.counted_until)
        if known is not None and row is not None and known.kept >= row.needed:
            # It was forgiven: only another excess counts.
            tested = [one for one in tested if not one.kept]
        found = after(known, tested, settled.until, rules.hard_breach_part)
        if found is None or found == known:
            continue
        old += [] if row is None else [row.id]
        rows.append(
            {
                "aggregation_id": aggregation_id,
                "component_der_id": key[0],
                "direction": key[1],
                "since": found.since,
                "excess_ppm": round(min(found.excess_part, 1000.0) * WHOLE_PPM),
                "kept": found.kept,
                "needed": rules.min_intervals,
                "counted_until": found.counted_until,
            }
        )
    await stored.put(db, old, rows, now)


async def directions(db: Connection, connections: Collection[str], now: int) -> dict[str, frozenset[str]]:
    """By connection the directions, import and export, in which a member there ignores its limits."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in await stored.ignoring(db, now):
        if row.connection_name in connections:
            found[row.connection_name].add(row.direction)
    return {name: frozenset(several) for name, several in found.items()}


async def alarms(db: Connection, now: int) -> dict[str, Wanted]:
    """The alarms about members that ignore their limits, by aggregation."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in await stored.ignoring(db, now):
        part = f"{row.excess_ppm / 10_000:.0f} % of what it can do"
        found[row.aggregation_name].append(f"{row.der_name} ({row.direction}, {part}, {row.kept} of {row.needed} kept)")
    return {name: Wanted(_said(sorted(said))) for name, said in found.items()}


def _said(ders: Sequence[str]) -> str:
    more = f" and {len(ders) - 3} more" if len(ders) > 3 else ""
    return f"{', '.join(ders[:3])}{more} went far beyond a limit and count as if they could not be limited"
