"""Accepted plans as limits see them: the band of each member, kept as it stood, and how far it is believed."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row

from sep2.operations.market import deliverables
from sep2.operations.market.deliverables import MemberOf
from sep2.operations.market.plans import PlanBody, members_at
from sep2.rules.market.bands import Band, Member, MemberBand, of_bases, split
from sep2.rules.market.shares import WHOLE_PPM
from sep2.store.connection import Connection
from sep2.store.market import bands as stored
from sep2.store.market.series import packed, unpacked


class Counted(NamedTuple):
    """A member with an accepted plan, with its numbers."""

    aggregation_id: int
    der_id: int
    member: Member


async def counted(db: Connection, connections: Collection[str], span: tuple[int, int], now: int) -> list[Counted]:
    """The members at these connections for whom accepted plans say something in a part of [start, end)."""
    versions = await stored.accepted(db, max(span[0], now), span[1])
    by_aggregation: dict[int, list[Row[Any]]] = defaultdict(list)
    for version in versions:
        by_aggregation[version.aggregation_id].append(version)
    believed = {
        (row.aggregation_id, row.component_der_id): row.credit_ppm / WHOLE_PPM
        for row in await stored.latest_credits(db, list(by_aggregation))
        if row.until > now
    }
    found: list[Counted] = []
    for number, several in by_aggregation.items():
        ordered = [several[n] for n in of_bases([(one.basis, one.id) for one in several])]
        time = max(now, min(one.start for one in ordered)), max(one.end for one in ordered)
        known = await deliverables.look(db, number, time, now)
        bands: dict[int, list[MemberBand]] = defaultdict(list)
        for version in ordered:
            for member, band in _of_version(version, known.members):
                bands[member].append(band)
        for member in sorted(bands):
            one = known.members[member]
            if one.connection in connections:
                credit = believed.get((number, one.der_id), 0.0)
                found.append(Counted(number, one.der_id, _member(one, bands[member], credit)))
    return found


def _of_version(version: Row[Any], members: Sequence[MemberOf]) -> list[tuple[int, MemberBand]]:
    """The band that a version leaves each member that it is about, by the member's position."""
    series = unpacked(version.body, PlanBody).series()
    groups = members_at((one.node for one in series), members)
    positions = {id(one): n for n, one in enumerate(members)}
    found = []
    for one in series:
        of_node = groups[one.node]
        parts = split(one, version.step_s, [member.share for member in of_node])
        for member, bands in zip(of_node, parts, strict=True):
            band = MemberBand(version.id, list(one.starts), version.step_s, bands, version.waive_firm)
            found.append((positions[id(member)], band))
    return found


def _member(one: MemberOf, bands: Sequence[MemberBand], credit: float) -> Member:
    share = one.share
    return Member(share.der, one.connection, share.gen, share.load, share.ppm, bands, credit)


async def using(
    db: Connection, aggregation_id: int, der_id: int, span: tuple[int, int], *, now: int
) -> Row[Any] | None:
    """An accepted plan of an aggregation that gives a DER a band that is not zero in a part of a time."""
    versions = [one for one in await stored.accepted(db, *span) if one.aggregation_id == aggregation_id]
    if not versions:
        return None
    members = (await deliverables.look(db, aggregation_id, span, now)).members
    for version in versions:
        for member, band in _of_version(version, members):
            if members[member].der_id == der_id and _is_used(band, span):
                return version
    return None


def _is_used(band: MemberBand, span: tuple[int, int]) -> bool:
    steps = zip(band.starts, band.bands, strict=True)
    return any(start < span[1] and span[0] < start + band.step_s and one and any(one) for start, one in steps)


async def record(db: Connection, der_ids: Collection[int], found: Sequence[Counted], now: int) -> None:
    """Keep the bands that limits of some DERs are published with now; those of them without one have none any more."""
    # The facts of a member may begin later than now, when it is at none of the connections yet.
    about = {*der_ids, *(one.der_id for one in found)}
    standing = {(row.aggregation_id, row.component_der_id): row for row in await stored.standing(db, about)}
    rows, kept = [], set()
    for one in found:
        key, body = (one.aggregation_id, one.der_id), _packed(one.member)
        digest = hashlib.sha256(body).hexdigest()
        if key in standing and standing[key].sha256 == digest:
            kept.add(key)
            continue
        names = {"aggregation_id": one.aggregation_id, "component_der_id": one.der_id}
        rows.append({**names, "sha256": digest, "body": body})
    await stored.put(db, [row.id for key, row in standing.items() if key not in kept], rows, now)


def _packed(member: Member) -> bytes:
    gen, load = (min(one.rated_w, one.agreed_w) * member.ppm // WHOLE_PPM for one in (member.gen, member.load))
    bands = [
        BandBody(one.plan_version_id, list(one.starts), one.step_s, list(one.bands), one.waives_firm)
        for one in member.bands
    ]
    return packed(MemberBody(gen, load, bands))


class BandBody(msgspec.Struct, frozen=True, array_like=True):
    """A version's band of a member as it is stored."""

    plan_version_id: int
    starts: list[int]
    step_s: int
    bands: list[tuple[float, float] | None]
    waives_firm: bool


class MemberBody(msgspec.Struct, frozen=True, array_like=True):
    """What a member's share can inject and draw at most (W), and its bands."""

    gen_w: int
    load_w: int
    bands: list[BandBody]


class StoredBands(NamedTuple):
    """What was left to a member while it stood, and how much its share can inject and draw."""

    since: int
    until: int | None
    reach_w: tuple[int, int]
    bands: Sequence[MemberBand]

    def over(self, start: int, end: int) -> Band | None:
        """The band that stood as an interval began; None where none did."""
        if not (self.since <= start and (self.until is None or start < self.until)):
            return None
        return next((band for one in self.bands if (band := one.over(start, end)) is not None), None)


def stored_bands(row: Row[Any]) -> StoredBands:
    """Bands as they were kept."""
    body = unpacked(row.body, MemberBody)
    made = [
        MemberBand(
            one.plan_version_id,
            one.starts,
            one.step_s,
            [None if each is None else Band(*each) for each in one.bands],
            one.waives_firm,
        )
        for one in body.bands
    ]
    return StoredBands(row.recorded_at, row.superseded_at, (body.gen_w, body.load_w), made)
