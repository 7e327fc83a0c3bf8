"""Aggregators' plans: taken in whole or refused with everything that is wrong, in versions that replace each other."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Row

from sep2.errors import NotFound
from sep2.operations.market import aggregations, deliverables
from sep2.operations.market.aggregations import APPROVED, RETIRING, WrongStatus
from sep2.operations.market.deliverables import MemberOf
from sep2.rules.market import plans as rules
from sep2.rules.market.clocks import local_time
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.plan_forms import DER
from sep2.rules.market.plans import UNREAD, Presence, Series
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.profiles import fingerprint, read_profile
from sep2.rules.names import key_of, misfit
from sep2.rules.row_numbers import row_number
from sep2.store.connection import Connection
from sep2.store.market import facts, register
from sep2.store.market import plans as stored
from sep2.store.market.facts import AsOf, Written
from sep2.store.market.series import packed, unpacked
from sep2.store.market.tables import aggregation as aggregation_table

Basis = Literal["forecast", "bid", "award", "dispatch"]
WAIVE_FIRM = "waive_firm"


class UnknownPlan(NotFound):
    """There is no plan of that number."""


class NewPlan(NamedTuple):
    """What an aggregator intends, as it was read; `wrong` is what could not be read."""

    basis: Basis
    service: str
    step_s: int
    series: Sequence[Series]
    wrong: Sequence[Fault] = ()
    name: str = ""
    """empty: the basis and the day"""
    day: str = ""
    """the local day of the market that it is for, such as 2027-03-14; empty: any time"""
    waive_firm: bool = False
    source: str = "operator"


class PlanBody(msgspec.Struct, frozen=True, kw_only=True):
    """The series of a plan as they are stored."""

    nodes: list[str]
    starts: list[list[int]]
    low_w: list[list[float]]
    plan_w: list[list[float]]
    high_w: list[list[float]]

    def series(self) -> list[Series]:
        """The series as the rules take them."""
        columns = self.nodes, self.starts, self.low_w, self.plan_w, self.high_w
        return [Series(*one) for one in zip(*columns, strict=True)]


async def body_of(db: Connection, version_id: int) -> list[Series]:
    """What a version plans."""
    return unpacked(await stored.body(db, version_id), PlanBody).series()


async def find(db: Connection, number: str) -> Row[Any]:
    """The plan of that number, with the aggregation whose it is."""
    row = await stored.owner(db, row_number(number))
    if row is None:
        raise UnknownPlan(number[:40])
    return row


async def submit(db: Connection, row: Row[Any], new: NewPlan, *, own: Path | None, written: Written) -> tuple[int, int]:
    """The numbers of the plan and of its new version; own: the folder of the utility's profiles.

    A version after the market's time for that takes nobody's place: what was planned before stands.
    """
    if row.status not in (APPROVED, RETIRING):
        raise WrongStatus(f"{row.name} is {row.status}; it plans once it is {APPROVED}")
    profile = read_profile(row.profile, own)
    await facts.locked(db, aggregation_table, [row.id])
    refuse(await faults(db, row, new, profile, now=written.now))
    start = min(one.starts[0] for one in new.series)
    end = max(one.starts[-1] for one in new.series) + new.step_s
    name = new.name or f"{new.basis} {new.day or date_of(start, profile)}"
    known = await stored.plan(db, row.id, name)
    number = known.id if known is not None else await stored.add_plan(db, row.id, name, written.now)
    version = await stored.add_version(
        db,
        number,
        written.now,
        is_late=is_late(new, written.now, profile),
        basis=new.basis,
        service=new.service,
        day=new.day,
        start=start,
        end=end,
        step_s=new.step_s,
        waive_firm=new.waive_firm,
        source=new.source,
        profile=profile.name,
        profile_sha256=fingerprint(profile),
        verdict_due=written.now + verdict_s(new, start, written.now, profile),
        body=packed(_body(new.series)),
        recorded_by=written.by,
    )
    return number, version


def _body(series: Sequence[Series]) -> PlanBody:
    return PlanBody(
        nodes=[one.node for one in series],
        starts=[list(one.starts) for one in series],
        low_w=[list(map(float, one.low_w)) for one in series],
        plan_w=[list(map(float, one.plan_w)) for one in series],
        high_w=[list(map(float, one.high_w)) for one in series],
    )


def date_of(at: int, profile: MarketProfile) -> str:
    """The local day of a moment."""
    return rules.local_day(at, profile.zone).isoformat()


def is_late(new: NewPlan, now: int, profile: MarketProfile) -> bool:
    """Whether a plan of a whole day came after the market's time for it, on the day before."""
    if not new.day or new.basis == "dispatch":
        return False
    by = profile.day_ahead.award_by if new.basis == "award" else profile.day_ahead.plan_by
    return now > local_time(date.fromisoformat(new.day) - timedelta(days=1), by, profile.zone)


def verdict_s(new: NewPlan, start: int, now: int, profile: MarketProfile) -> int:
    """How long the verdict may take: that of a plan for a later day longer than one for today."""
    is_ahead = bool(new.day) and rules.local_day(start, profile.zone) > rules.local_day(now, profile.zone)
    return profile.day_ahead.verdict_s if is_ahead else profile.intraday.verdict_s


async def faults(db: Connection, row: Row[Any], new: NewPlan, profile: MarketProfile, *, now: int) -> list[Fault]:
    """Everything that keeps a plan from being taken."""
    found = [*new.wrong, *_faults_of_terms(row, new)]
    read = [start for one in new.series for start in one.starts if 0 <= start < 2**33]
    span = (min(read, default=now), max(read, default=now) + 1)
    known = await deliverables.look(db, row.id, (max(span[0], now), max(span[1], now + 1)), now, with_limits=False)
    groups = members_at((one.node for one in new.series), known.members)
    nodes = {name: presence(members) for name, members in groups.items() if members}
    found += rules.faults(new.series, new.step_s, nodes, zone=profile.zone, now=now)
    found += _faults_of_day(new, profile)
    found += _faults_of_cover(groups)
    if new.waive_firm:
        found += await _faults_of_consent(db, [one for members in groups.values() for one in members], now)
    return found


def _faults_of_terms(row: Row[Any], new: NewPlan) -> list[Fault]:
    services = aggregations.said_of(row).services
    found = []
    if new.service not in services:
        found.append(Fault("service", "not_offered", new.service, f"a service of {row.name}: {', '.join(services)}"))
    if new.name and (wrong := misfit(new.name)):
        found.append(Fault("name", "bad_name", new.name, wrong))
    return found


def _faults_of_day(new: NewPlan, profile: MarketProfile) -> list[Fault]:
    if not new.day:
        return []
    day = _day(new.day)
    if day is None:
        return [Fault("day", "bad_day", new.day, "a date from 2000 to 2200, such as 2027-03-14")]
    found = []
    for one in new.series:
        wrong = None if UNREAD in one.starts else rules.day_length(one.starts, new.step_s, profile.zone, day)
        if wrong is not None:
            found.append(wrong._replace(path=f"nodes.{one.node}.starts"))
    return found


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text and 2000 <= day.year <= 2200 else None


def _faults_of_cover(groups: Mapping[str, Sequence[MemberOf]]) -> list[Fault]:
    """A member that two of the plan's nodes count would be planned twice."""
    seen: dict[str, str] = {}
    found = []
    for node, members in groups.items():
        for one in members:
            other = seen.setdefault(one.share.der, node)
            if other != node:
                bound = f"each DER at one node, and {one.share.der} is planned at {other} already"
                found.append(Fault(f"nodes.{node}", "planned_twice", one.share.der, bound))
                break
    return found


async def _faults_of_consent(db: Connection, members: Collection[MemberOf], now: int) -> list[Fault]:
    names = {one.share.der for one in members}
    known = await facts.identities(db, register.IDENTITIES["der"], [key_of(name) for name in names])
    consents = await register.consents(db, [row.id for row in known.values()], AsOf(now))
    agreed = {row.component_der_id for row in consents if WAIVE_FIRM in msgspec.json.decode(row.scopes)}
    lacking = sorted(row.name for row in known.values() if row.id not in agreed)
    bound = f"consents of the scope {WAIVE_FIRM}"
    return [Fault(f"nodes.{DER}{name}", "consent", name, bound) for name in lacking]


def members_at(nodes: Iterable[str], members: Sequence[MemberOf]) -> dict[str, list[MemberOf]]:
    """The members that each node of a plan stands for: one DER, or those at a node of the market or below a place."""
    ders: dict[str, list[MemberOf]] = {}
    places: dict[str, list[MemberOf]] = {}
    for one in members:
        ders.setdefault(key_of(one.share.der), []).append(one)
        for key in {key_of(name) for name in (one.iso_node, *(place.name for place in one.places)) if name}:
            places.setdefault(key, []).append(one)
    return {
        node: ders.get(key_of(node.removeprefix(DER)), []) if node.startswith(DER) else places.get(key_of(node), [])
        for node in nodes
    }


def presence(members: Sequence[MemberOf]) -> Presence:
    """What members can inject and draw in all, by their ratings, and when the last of them leaves."""
    ends = [one.share.end for one in members]
    last = None if None in ends else max(end for end in ends if end is not None)
    up = sum(one.share.gen.rated_w * one.share.ppm for one in members) // 1_000_000
    down = sum(one.share.load.rated_w * one.share.ppm for one in members) // 1_000_000
    return Presence(up, down, last)
