"""A party's aggregations as it hands them in: made, changed, submitted for review, withdrawn, disputed."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.errors import Conflict, NotFound
from sep2.operations.market import aggregations, entries, grouping, reviews
from sep2.operations.market.aggregations import NewMember
from sep2.operations.market.reviews import Objection
from sep2.partner import own
from sep2.partner import register_types as t
from sep2.partner import types as shown_as
from sep2.partner.access import party_of
from sep2.partner.common import profile_named, refuse_known, written
from sep2.rest.route import Request
from sep2.rest.types import Nothing
from sep2.rules.market.profiles import fingerprint
from sep2.rules.market.register import AggregationFacts
from sep2.rules.names import key_of
from sep2.store.market import facts, register
from sep2.store.market.facts import AsOf

FIELDS = AggregationFacts.__struct_fields__
REVIEWED = ("model", "iso_nodes", "services", "market_agent", "dispatch_agent", "telemetry_class")
"""What an aggregation that is under review, or takes part, does not change without one."""


class NeedsReview(Conflict):
    """That is not changed of an aggregation that was handed in; withdraw it, or have the utility change it."""


async def before_aggregation(rq: Request, asked: Nothing) -> Any:
    """One of your aggregations as it is now."""
    return await own.show_aggregation(rq, own.NOW)


async def put_aggregation(rq: Request, asked: t.AggregationSaid) -> t.AggregationPut:
    """The aggregation as it is to be from now on, new or changed; members are added with its changes."""
    new = written(rq, asked.valid_from)
    profiles = rq.state.settings.market.profiles
    said = {name: getattr(asked, name) for name in FIELDS}
    try:
        row = await own.mine(rq, "aggregation", AsOf(new.start))
    except NotFound:
        await refuse_known(rq, "aggregation")
        party = await own.party_row(rq)
        first = AggregationFacts(**{**said, "iso_resource_id": ""})
        name = rq.ids["aggregation"]
        await aggregations.add_aggregation(rq.db, name, party, first, own=profiles, written=new)
        return await _shown(rq, new.start, created=True)
    if row.status != aggregations.PROPOSED:
        _refuse_growth(row, aggregations.said_of(row), said)
    said["iso_resource_id"] = aggregations.said_of(row).iso_resource_id
    await aggregations.set_aggregation(rq.db, row, said, own=profiles, written=new)
    return await _shown(rq, new.start, created=False)


def _refuse_growth(row: Row[Any], known: AggregationFacts, said: Mapping[str, Any]) -> None:
    changed = [name for name in REVIEWED if said[name] != getattr(known, name)]
    changed += [name for name in ("inject_w", "reduce_w") if said[name] > getattr(known, name)]
    if changed:
        raise NeedsReview(f"{', '.join(changed)}: {row.name} is {row.status}")


async def change_members(rq: Request, asked: t.ChangesSaid) -> t.Changed:
    """The members of the aggregation with those that join and without those that leave; who is new is reviewed."""
    row, at_once = await own.mine(rq, "aggregation", AsOf(rq.now)), written(rq)
    names = [*(one.der for one in asked.end), *(one.der for one in asked.add)]
    ders = await _own_ders(rq, names)
    leaving = [aggregations.Leaving(ders[one.der], written(rq, one.valid_to).start) for one in asked.end]
    await aggregations.end_members(rq.db, row, leaving, at_once)
    if asked.add:
        new = [NewMember(ders[one.der], one.share_ppm, one.valid_to, one.iso_node) for one in asked.add]
        profile = profile_named(rq, row.profile)
        await aggregations.add_members(rq.db, row, new, profile, written=written(rq, asked.valid_from))
    await grouping.follow(rq.db, rq.now)
    review = None
    if asked.add and row.status in aggregations.TAKES_PART:
        review = await reviews.submit(rq.db, row, own=rq.state.settings.market.profiles, written=at_once)
    found = await register.members(rq.db, row.id, AsOf(rq.now))
    return t.Changed(members=[own.member_of(one) for one in found], review=review)


async def _own_ders(rq: Request, names: Collection[str]) -> dict[str, Row[Any]]:
    """The party's own DERs of these names; that of another is as unknown as none."""
    known = await facts.identities(rq.db, register.IDENTITIES["der"], {key_of(name) for name in names})
    own_ones = {key: row for key, row in known.items() if row.party_id == party_of(rq).party_id}
    for name in names:
        if key_of(name) not in own_ones:
            raise entries.UnknownDer(name[:80])
    return {name: own_ones[key_of(name)] for name in names}


async def submit_aggregation(rq: Request, asked: Nothing) -> shown_as.ReviewShown:
    """The review of the aggregation that is handed in: its clock runs, or it says what is missing."""
    row = await own.mine(rq, "aggregation", AsOf(rq.now))
    profiles = rq.state.settings.market.profiles
    number = await reviews.submit(rq.db, row, own=profiles, written=written(rq))
    return await own.review_shown(rq, str(number))


async def withdraw_aggregation(rq: Request, asked: t.Withdrawal) -> shown_as.Aggregation:
    """The aggregation takes part until the notice of its market has passed."""
    row = await own.mine(rq, "aggregation", AsOf(rq.now))
    await aggregations.withdraw(rq.db, row, profile_named(rq, row.profile), written(rq))
    return await own.show_aggregation(rq, own.NOW)


async def dispute_review(rq: Request, asked: t.DisputeSaid) -> shown_as.ReviewShown:
    """The decided review that you object to."""
    row = await own.my_review(rq, locks=True)
    party = await own.party_row(rq)
    said = Objection(party.name, asked.about, asked.basis, asked.stay, asked.regulator_ref)
    await reviews.dispute(rq.db, row, said, rq.now)
    return await own.review_shown(rq, rq.ids["review"])


async def show_profile(rq: Request, asked: t.ProfileQuery) -> t.ProfileShown:
    """A market's rules: every clock, size and reason, by which your aggregations are looked at."""
    name = asked.name
    if asked.aggregation is not None:
        its = own.named(rq, aggregation=asked.aggregation)
        name = (await own.mine(its, "aggregation", AsOf(rq.now))).profile
    profile = profile_named(rq, name or "custom")
    rules = msgspec.to_builtins(profile)
    del rules["sources"]
    return t.ProfileShown(name=profile.name, title=profile.title, sha256=fingerprint(profile), rules=rules)


async def _shown(rq: Request, at: int, *, created: bool) -> t.AggregationPut:
    row = await own.mine(rq, "aggregation", AsOf(at))
    return t.AggregationPut(**msgspec.structs.asdict(own.aggregation_of(row)), created=created)
