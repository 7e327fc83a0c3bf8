"""Whom an override of an aggregation reaches, what each may do then, and what that costs the aggregation's plans."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.operations.market import deliverables, ders
from sep2.operations.market.plans import body_of, members_at
from sep2.operations.override_answers import Told
from sep2.operations.places import Place, places_of
from sep2.rules.limits import Limits
from sep2.rules.market.bands import of_bases
from sep2.rules.market.curtailment import (
    Curtailment,
    DerEffect,
    Effect,
    Excess,
    PlannedPower,
    PlanRef,
    Spread,
    by_der,
    lost_wh,
    spread,
)
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.names import key_of
from sep2.store import overrides, territory
from sep2.store.connection import Connection
from sep2.store.market import plans as stored_plans
from sep2.store.market import published, register, seen
from sep2.store.market.facts import AsOf

DIRECTIONS = ("import_w", "export_w", "gen_w", "load_w")


class At(NamedTuple):
    """A place with the DERs of the aggregation that are told there: what they can feed and draw, by what is granted."""

    place: Place
    ders: Sequence[str]
    reach: Limits
    granted: Limits


class Reached(NamedTuple):
    """Whom an override can be told to: places with DERs, and DERs that have no device."""

    at: Sequence[At]
    silent: Sequence[str]

    @property
    def devices(self) -> list[int]:
        """The numbers of the devices there."""
        return sorted({device.id for one in self.at for device in one.place.devices})

    @property
    def names(self) -> set[str]:
        """The DERs there."""
        return {name for one in self.at for name in one.ders}


async def reached(
    db: Connection, row: Row[Any], span: tuple[int, int], *, only: Collection[str] = (), node: str = ""
) -> Reached:
    """The members of an aggregation in a time; only: these DERs; node: those at a node or below a place."""
    time = AsOf(span[0])
    members = await register.effective_of(db, [row.id], time)
    rows = await register.entries(db, "der", {one.component_der_id for one in members}, time)
    nodes = {one.component_der_id: one.iso_node for one in members}
    chosen = await _chosen(db, rows, nodes, only=only, node=node)
    devices = await seen.devices_of(db, chosen)
    return _reached(chosen, devices, await overrides.devices_with(db, [one.id for one in devices.values()]))


async def _chosen(
    db: Connection, rows: Sequence[Row[Any]], nodes: Mapping[int, str], *, only: Collection[str], node: str
) -> list[Row[Any]]:
    names = {key_of(name): name for name in only}
    known = {key_of(row.name) for row in rows}
    refuse(
        [
            Fault("ders", "not_member", name[:80], "a member at that time")
            for key, name in names.items()
            if key not in known
        ]
    )
    found = [row for row in rows if not names or key_of(row.name) in names]
    if not node:
        return found
    places = await published.places_of(db, {row.connection_name for row in found})
    at_node = [
        row
        for row in found
        if key_of(node) in {key_of(nodes[row.id])} | {key_of(one.name) for one in places.get(row.connection_name, ())}
    ]
    refuse([] if at_node else [Fault("node", "unknown_node", node[:80], "a node or place that members are at")])
    return at_node


def _reached(rows: Sequence[Row[Any]], devices: Mapping[int, seen.DeviceOf], found: Sequence[Row[Any]]) -> Reached:
    of_device: dict[int, list[Row[Any]]] = {}
    for row in rows:
        if row.id in devices:
            of_device.setdefault(devices[row.id].id, []).append(row)
    known = {device.id for device in found}
    at = []
    for place in places_of(found):
        here = [row for device in place.devices for row in of_device.get(device.id, ())]
        said = [ders.said_of(row) for row in here]
        gen = sum(min(one.max_gen_w, one.export_agreement_w or one.max_gen_w) for one in said)
        load = sum(min(one.max_load_w, one.import_agreement_w or one.max_load_w) for one in said)
        firm_in = max((device.firm_import_w or 0 for device in place.devices), default=0)
        firm_out = max((device.firm_export_w or 0 for device in place.devices), default=0)
        reach, granted = Limits(load, gen, gen, load), Limits(firm_in, firm_out, firm_out, firm_in)
        at.append(At(place, [row.name for row in here], reach, granted))
    silent = [row.name for row in rows if row.id not in devices or devices[row.id].id not in known]
    return Reached(at, silent)


class Shared(NamedTuple):
    """Limits by place, the part that each gets, by limit, and the places that keep more."""

    shares: dict[str, Limits]
    fraction_ppm: dict[str, int]
    kept: set[str]


def shared(at: Sequence[At], limits: Limits, *, keeps_contracts: bool) -> Shared:
    """An aggregation's limits as limits of places, like for like; refused where contracts grant more and are kept."""
    watts: dict[str, dict[str, int]] = {one.place.key: {} for one in at}
    parts, kept, faults = {}, set[str](), []
    for name in DIRECTIONS:
        total = getattr(limits, name)
        if total is None:
            continue
        granted = [getattr(one.granted, name) if keeps_contracts else 0 for one in at]
        found = spread(total, [getattr(one.reach, name) for one in at], granted)
        if isinstance(found, Excess):
            bound = f"at least {found.granted_w} W, which contracts grant; less needs the class emergency"
            faults.append(Fault(f"limits.{name}", "below_contract", str(total), bound))
            continue
        _note(found, at, name, watts, kept=kept)
        parts[name] = found.fraction_ppm
    refuse(faults)
    return Shared({key: Limits(**one) for key, one in watts.items() if one}, parts, kept)


def _note(found: Spread, at: Sequence[At], name: str, watts: dict[str, dict[str, int]], *, kept: set[str]) -> None:
    for one, share in zip(at, found.watts, strict=True):
        watts[one.place.key][name] = share
    kept |= {at[n].place.key for n in found.kept}


async def alike_elsewhere(db: Connection, binding: str, covered: Collection[str], now: int) -> int | None:
    """How many DERs at an element of the network are not covered; None where it is no place that we know."""
    place = await territory.by_name(db, binding) if binding else None
    if place is None:
        return None
    return sum(row.name not in covered for row in await register.ders_below(db, place.id, AsOf(now)))


async def effect(
    db: Connection, row: Row[Any], to: Reached, told: Sequence[Told], *, share: Shared, span: tuple[int, int], now: int
) -> Effect:
    """What an override does; told: what each place was told, or would be."""
    of_place = {one.place.key: one for one in told}
    there = [one for one in to.at if one.place.key in of_place]
    before, after = (
        [each for one in there for each in _curtailments(one, of_place, before=when)] for when in (True, False)
    )
    refs, planned = await _planned(db, row, span, to.names, now=now)
    lost = lost_wh(planned, before, after)
    before_of, after_of = by_der(before), by_der(after)
    return Effect(
        fraction_ppm=share.fraction_ppm,
        ders=[
            _der(name, one, (before_of.get(name, ()), after_of.get(name, ())), share, lost=lost.get(name, 0))
            for one in there
            for name in one.ders
        ],
        not_reached=list(to.silent),
        plans=refs,
        lost_wh=sum(lost.values()),
        alike=None,
        like_for_like=not share.kept,
    )


def _curtailments(one: At, told: Mapping[str, Told], *, before: bool) -> list[Curtailment]:
    """What each DER at a place may do: its equal part of what the place may."""
    said, found = told[one.place.key], []
    for part in said.before if before else said.parts:
        out, into = _least(part.limits.export_w, part.limits.gen_w), _least(part.limits.import_w, part.limits.load_w)
        count = len(one.ders)
        each = (None if out is None else out // count, None if into is None else into // count)
        found += [Curtailment(name, part.start, part.end, *each) for name in one.ders]
    return found


def _least(*watts: int | None) -> int | None:
    return min((one for one in watts if one is not None), default=None)


def _der(
    name: str, one: At, curtailments: tuple[Sequence[Curtailment], Sequence[Curtailment]], share: Shared, *, lost: int
) -> DerEffect:
    """What one DER of a place may do; curtailments: before, and with the override."""
    before, after = curtailments
    return DerEffect(
        der=name,
        connection=one.place.connection_name,
        export_before_w=_least(*(each.inject_w for each in before)),
        export_after_w=_least(*(each.inject_w for each in after)),
        import_before_w=_least(*(each.draw_w for each in before)),
        import_after_w=_least(*(each.draw_w for each in after)),
        kept_by_contract=one.place.key in share.kept,
        lost_wh=lost,
    )


async def _planned(
    db: Connection, row: Row[Any], span: tuple[int, int], names: Collection[str], *, now: int
) -> tuple[list[PlanRef], list[PlannedPower]]:
    """The plans that touch a time, and what each DER plans then by the one that rests on most."""
    versions = await stored_plans.accepted(db, [row.id], *span)
    refs = [
        PlanRef(plan=one.market_plan_id, name=one.name, version=one.version, basis=one.basis)
        for one in versions
    ]  # fmt: skip
    by_der: dict[str, list[PlannedPower]] = {}
    known = await deliverables.look(db, row.id, span, now, with_limits=False) if versions else None
    for n in reversed(of_bases([(one.basis, one.id) for one in versions])):
        assert known is not None
        version = versions[n]
        found: dict[str, list[PlannedPower]] = {}
        for series in await body_of(db, version.id):
            members = members_at([series.node], known.members)[series.node]
            rated = [max(one.share.gen.rated_w, one.share.load.rated_w) * one.share.ppm for one in members]
            for start, watts in zip(series.starts, series.plan_w, strict=True):
                end = min(start + version.step_s, span[1])
                if start < span[1] and start + version.step_s > span[0] and sum(rated):
                    for one, weight in zip(members, rated, strict=True):
                        part = PlannedPower(one.share.der, max(start, span[0]), end, watts * weight / sum(rated))
                        found.setdefault(one.share.der, []).append(part)
        by_der |= found
    return refs, [one for name, several in by_der.items() if name in names for one in several]
