"""Published runs leave their limits and reach for the market, at connections of component DERs, and take them back."""

from sep2.operations.market import aggregations, deliverables, ders, entries, parties
from sep2.rules.market.deliverables import deliverables as summed
from sep2.rules.market.register import AggregationFacts, DerFacts, PartyFacts
from sep2.store.market import register
from sep2.store.market.facts import AsOf, Written
from tests.envelope.cases import START, STEP_S

WRITTEN = Written("test", START - 60, START - 60)
SPANS = [(START + k * STEP_S, START + (k + 1) * STEP_S) for k in range(8)]


async def add_market(database, names):
    """An aggregation of one device of 9 kW at each of these connections; its number."""
    async with database.write() as db:
        party = await parties.add_party(db, "North", PartyFacts(), WRITTEN)
        new = [
            ders.NewDer(
                f"DER {name}",
                party,
                DerFacts(
                    edc_account=f"account {name}", connection=name, meter_id=f"meter {name}", device_type="battery",
                    max_gen_w=9000, max_load_w=9000, import_agreement_w=9000, export_agreement_w=9000,
                ),
                START - 60,
            )
            for name in names
        ]  # fmt: skip
        numbers = await ders.add_ders(db, new, WRITTEN)
        row = await entries.find(db, "party", "North", AsOf(START))
        said = AggregationFacts(profile="custom", iso_nodes=["N17"], services=["energy"], inject_w=100_000)
        number = await aggregations.add_aggregation(db, "VPP", row, said, own=None, written=WRITTEN)
        found = await entries.find(db, "aggregation", "VPP", AsOf(START))
        members = [aggregations.NewMember(await entries.find(db, "der", one.name, AsOf(START))) for one in new]
        profile = aggregations.read_profile("custom", None)
        await aggregations.add_members(db, found, members, profile, written=WRITTEN)
        states = dict.fromkeys(numbers, register.EFFECTIVE)
        await aggregations.set_members(db, found, states, WRITTEN)
    return number


async def known_of(database, number, now):
    async with database.read() as db:
        return await deliverables.look(db, number, (START, START + 8 * STEP_S), now)


async def test_the_deliverable_is_what_the_round_published_to_members(registered, problem, told):
    names = problem.connection_id[:2]
    number = await add_market(registered, names)
    cycle = told.cycle(registered)
    outcome = await cycle.run_once(START)
    schedule = outcome.schedule
    known = await known_of(registered, number, START)
    found = summed("all", known.shares("all")["all"], SPANS)
    for step, one in enumerate(found):
        for watts, limit, reach in (
            (one.max_w, schedule.gen_limit_w, problem.flex_gen_w),
            (-one.min_w, schedule.load_limit_w, problem.flex_load_w),
        ):
            assert watts == sum(min(int(limit[step, k]), int(reach[step, k]), 9000) for k in range(2))
    assert known.run_ids == [schedule.run_id]
    assert min(one.max_w for one in found) < 18_000, "the network binds nobody: the case proves nothing"
    bound = {schedule.binding_text("export", step, k) for step in range(8) for k in range(2)}
    assert {one.binding_max for one in found} - {""} <= bound
    # The same run again is not kept twice; one that static limits took the place of is no longer said to hold.
    await cycle.run_once(START + STEP_S)
    assert (await known_of(registered, number, START + STEP_S)).run_ids == [schedule.run_id]
    told.changed = "switch S3 is open"
    await cycle.run_once(START + 2 * STEP_S)
    known = await known_of(registered, number, START + 2 * STEP_S)
    assert [one.share.unknown for one in known.members] == ["static_limits"] * 2
    assert "switch S3" in known.details["static_limits"]


async def test_a_der_that_is_registered_later_is_known_from_the_next_round_on(registered, problem, told):
    cycle = told.cycle(registered)
    await cycle.run_once(START)
    number = await add_market(registered, problem.connection_id[:1])
    known = await known_of(registered, number, START + 60)
    assert [one.share.unknown for one in known.members] == ["not_in_run"]
    await cycle.run_once(START + STEP_S)
    known = await known_of(registered, number, START + STEP_S)
    assert [one.share.unknown for one in known.members] == [""]
