"""Aggregations and their members."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sep2.admin.market.common import as_of, now_of, party_id, profiles_of
from sep2.admin.types import market_register as t
from sep2.operations.market import aggregations, entries, grouping, system_operators
from sep2.partner.common import written
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Done, Listed, Nothing
from sep2.rules.market.profiles import read_profile
from sep2.rules.market.register import AggregationFacts
from sep2.rules.market.shares import factors, factors_in_use, far_off
from sep2.store.market import register
from sep2.store.market.facts import AsOf


async def list_aggregations(rq: Request, asked: t.RegisterQuery) -> Listed[t.Aggregation]:
    """Aggregations by name, of one party if so asked."""
    time = as_of(rq, asked)
    whose = await party_id(rq, asked.party, time)
    found = await register.listed(rq.db, "aggregation", time, page(asked), party_id=whose)
    return listed(found, await _aggregations(rq, found.rows, time))


async def show_aggregation(rq: Request, asked: t.AsOfQuery) -> t.Aggregation:
    """One aggregation, as it was at some time, by what was known then."""
    return await shown(rq, rq.ids["aggregation"], as_of(rq, asked))


async def before_aggregation(rq: Request, asked: Nothing) -> t.Aggregation:
    """One aggregation as it is now."""
    return await shown(rq, rq.ids["aggregation"], now_of(rq))


async def add_aggregation(rq: Request, asked: t.NewAggregation) -> t.Aggregation:
    """The new aggregation, without members."""
    party = await entries.identity(rq.db, "party", asked.party)
    said = AggregationFacts(**{name: getattr(asked, name) for name in AggregationFacts.__struct_fields__})
    new = written(rq, asked.valid_from)
    await aggregations.add_aggregation(rq.db, asked.name, party, said, own=profiles_of(rq), written=new)
    return await shown(rq, asked.name, AsOf(new.start))


async def set_aggregation(rq: Request, asked: t.AggregationChange) -> t.Aggregation:
    """The aggregation with what is named changed, from some time on."""
    new = written(rq, asked.valid_from)
    row = await _row(rq, AsOf(new.start))
    said = {name: getattr(asked, name, None) for name in AggregationFacts.__struct_fields__}
    await aggregations.set_aggregation(rq.db, row, said, own=profiles_of(rq), written=new)
    return await shown(rq, row.name, AsOf(new.start))


async def rename_aggregation(rq: Request, asked: t.RenameEntry) -> t.Aggregation:
    """The aggregation under its new name."""
    known = await entries.identity(rq.db, "aggregation", rq.ids["aggregation"])
    await entries.rename(rq.db, "aggregation", known, asked.name)
    return await shown(rq, asked.name, now_of(rq))


async def remove_aggregation(rq: Request, asked: Nothing) -> Done:
    """The aggregation is out of the register; what it was stays known as of earlier times."""
    row = await _row(rq, now_of(rq))
    await aggregations.remove_aggregation(rq.db, row, written(rq))
    await grouping.empty(rq.db, row.name, rq.now)
    return Done(message=f"aggregation {row.name} is removed")


async def suspend_aggregation(rq: Request, asked: t.Reasoned) -> t.Aggregation:
    """The aggregation takes no part in the market until it is reinstated."""
    row = await _row(rq, now_of(rq))
    await aggregations.suspend(rq.db, row, written(rq))
    return await shown(rq, row.name, now_of(rq))


async def reinstate_aggregation(rq: Request, asked: t.Reasoned) -> t.Aggregation:
    """The suspended aggregation takes part again."""
    row = await _row(rq, now_of(rq))
    await aggregations.reinstate(rq.db, row, written(rq))
    return await shown(rq, row.name, now_of(rq))


async def withdraw_aggregation(rq: Request, asked: t.Reasoned) -> t.Aggregation:
    """The aggregation takes part until the notice of its market has passed."""
    row = await _row(rq, now_of(rq))
    await aggregations.withdraw(rq.db, row, read_profile(row.profile, profiles_of(rq)), written(rq))
    return await shown(rq, row.name, now_of(rq))


async def list_members(rq: Request, asked: t.RegisterQuery) -> Listed[t.Member]:
    """The members of an aggregation that are not over then, those to come too."""
    time = as_of(rq, asked)
    known = await entries.identity(rq.db, "aggregation", rq.ids["aggregation"], time.known)
    found = await register.members_listed(rq.db, known.id, time, page(asked))
    return listed(found, [_member(row) for row in found.rows])


async def add_members(rq: Request, asked: t.NewMembers) -> Listed[t.Member]:
    """The members of the aggregation with these proposed; a review makes them effective."""
    row, new = await _row(rq, now_of(rq)), written(rq, asked.valid_from)
    members = [
        aggregations.NewMember(
            await entries.identity(rq.db, "der", name), asked.share_ppm, asked.valid_to, asked.iso_node
        )
        for name in asked.ders
    ]
    profile = read_profile(row.profile, profiles_of(rq))
    await aggregations.add_members(rq.db, row, members, profile, written=new)
    found = await register.members(rq.db, row.id, now_of(rq))
    return Listed(total=len(found), items=[_member(one) for one in found])


async def end_member(rq: Request, asked: t.EndMember) -> Listed[t.Member]:
    """The members of the aggregation, of which one leaves at some time."""
    row = await _row(rq, now_of(rq))
    der = await entries.identity(rq.db, "der", rq.ids["der"])
    new = written(rq, asked.valid_to)
    await aggregations.end_members(rq.db, row, [aggregations.Leaving(der, new.start)], new)
    await grouping.follow(rq.db, rq.now)
    found = await register.members(rq.db, row.id, now_of(rq))
    return Listed(total=len(found), items=[_member(one) for one in found])


async def _row(rq: Request, time: AsOf) -> Row[Any]:
    return await entries.find(rq.db, "aggregation", rq.ids["aggregation"], time)


async def shown(rq: Request, name: str, time: AsOf) -> t.Aggregation:
    """One aggregation as it was then."""
    return (await _aggregations(rq, [await entries.find(rq.db, "aggregation", name, time)], time))[0]


async def _aggregations(rq: Request, rows: Sequence[Row[Any]], time: AsOf) -> list[t.Aggregation]:
    """Aggregations with their effective members, in two statements however many they are."""
    members, watts = await system_operators.effective(rq.db, [row.id for row in rows], time)
    return [_of(rq, row, members[row.id], watts) for row in rows]


def _of(rq: Request, row: Row[Any], members: Sequence[Row[Any]], watts: dict[int, int]) -> t.Aggregation:
    said = aggregations.said_of(row)
    profile = read_profile(said.profile, profiles_of(rq))
    weights, declared = system_operators.node_weights(members, watts), said.declared_factors_ppm
    used, by_rating = factors_in_use(declared, weights), factors(weights)
    return t.Aggregation(
        name=row.name,
        party=row.party_name,
        status=aggregations.status_of(row.status, said, members),
        market_agent=said.market_agent or profile.roles.market_agent,
        dispatch_agent=said.dispatch_agent or profile.roles.dispatch_agent,
        members=len(members),
        members_max_gen_w=sum(watts.get(one.component_der_id, 0) * one.share_ppm // 1_000_000 for one in members),
        factors_ppm=used.ppm,
        factors_by=used.split_by,
        declared_factors_ppm=declared,
        factors_by_rating_ppm=by_rating,
        factors_far_off=far_off(declared, by_rating),
        **{name: getattr(said, name) for name in ("profile", "model", "iso_nodes", "services", "inject_w", "reduce_w")},
        telemetry_class=said.telemetry_class,
        iso_resource_id=said.iso_resource_id,
        **{name: getattr(row, name) for name in ("version", "valid_from", "valid_to", "recorded_at", "recorded_by")},
    )


def _member(row: Row[Any]) -> t.Member:
    names = ("share_ppm", "iso_node", "state", "valid_from", "valid_to", "recorded_at", "recorded_by")
    return t.Member(der=row.der_name, **{name: getattr(row, name) for name in names})
