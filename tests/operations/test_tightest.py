"""The tightest of what stands holds, whoever is released first, and nothing tighter than that."""

import random

import pytest

from sep2.operations.overrides import OverrideLoosens, Terms
from sep2.operations.releasing import release
from sep2.rules.limits import Limits
from tests.operations.test_overrides import NOW, STEP, Street

ENVELOPE = {"opModExpLimW": 3000, "opModImpLimW": 9000}
AT_ONCE = Terms(spread_s=0)


@pytest.fixture
async def street(database):
    made = Street(database)
    await made.fill()
    for name in ("NMI1", "NMI2"):
        await made.publish(name, NOW, *[3000] * 24)
    return made


async def release_at(street, sent, now):
    async with street.database.write() as db:
        return await release(db, sent.id, now, spread_s=0)


WIDE = {"scope": "group", "of": "feeder"}
NARROW = {"scope": "connection", "of": "NMI1"}


@pytest.mark.parametrize(
    ("why", "first", "second"),
    [
        ("both of one connection", NARROW, NARROW),
        ("both of a group", WIDE, WIDE),
        ("a connection's under a group's", WIDE, NARROW),
        ("a group's over a connection's", NARROW, WIDE),
    ],
)
async def test_a_later_override_is_loosened_when_the_tighter_one_is_released(street, why, first, second):
    """It had taken over the tighter limit for as long as both were to hold."""
    end = NOW + 6000
    tight = await street.override(NOW, **first, export_w=500, end=end, terms=AT_ONCE)
    both = Limits(export_w=1000, import_w=2000)
    await street.override(NOW + 60, **second, limits=both, end=end, terms=AT_ONCE)
    assert await street.holds("NMI1", NOW + 60) == 500
    await release_at(street, tight, NOW + 120)
    assert await street.holds("NMI1", NOW + 120) == await street.holds("NMI1", end - 1) == 1000, why
    assert await street.holds("NMI1", NOW + 120, "opModImpLimW") == 2000
    assert await street.holds("NMI1", end) == 3000


async def test_an_override_that_a_released_one_did_not_tighten_is_left_alone(street):
    end = NOW + 6000
    loose = await street.override(NOW, export_w=1000, end=end)
    await street.override(NOW + 60, export_w=500, end=end)
    said = await street.says("NMI1", NOW + 60)
    assert (await release_at(street, loose, NOW + 120)).reissued == ()
    assert (await street.says("NMI1", NOW + 120)).mrid == said.mrid


async def test_a_loosened_override_is_released_with_all_its_controls(street):
    end = NOW + 6000
    tight = await street.override(NOW, export_w=500, end=end)
    looser = await street.override(NOW + 60, export_w=1000, end=end + STEP)
    await release_at(street, tight, NOW + 120)
    await release_at(street, looser, NOW + 180)
    assert await street.holds("NMI1", NOW + 180) == 3000


@pytest.mark.parametrize("seed", range(5))
async def test_the_tightest_of_what_stands_holds_after_any_history(street, seed):
    """Overrides of one connection, of its device, of a group and of everything, sent and released at random moments."""
    chance = random.Random(seed)
    standing, now = {}, NOW
    scopes = [NARROW, {"scope": "device", "of": "NMI1"}, WIDE, {"scope": "system", "of": ""}]
    for _ in range(14):
        now += chance.randrange(1, STEP // 2)
        if standing and chance.random() < 0.4:
            sent = standing.pop(chance.choice(list(standing)))[0]
            await release_at(street, sent, now)
        else:
            start, end = now + chance.choice([0, 0, 200]), now + chance.randrange(600, 2400)
            export_w, import_w = chance.choice([(700, None), (1100, 400), (None, 600), (300, 2000), (2000, 250)])
            said = Limits(export_w=export_w, import_w=import_w)
            try:
                sent = await street.override(
                    now, **chance.choice(scopes), limits=said, start=start, end=end, terms=AT_ONCE
                )
            except OverrideLoosens:
                continue
            standing[sent.id] = sent, start, end, {"opModExpLimW": export_w, "opModImpLimW": import_w}
        standing = {number: one for number, one in standing.items() if one[2] > now}
        for moment in (now, now + 201, now + 700):
            for mode, envelope_w in ENVELOPE.items():
                said = [one[3][mode] for one in standing.values() if one[1] <= moment < one[2]]
                least = min([envelope_w, *(watts for watts in said if watts is not None)])
                assert await street.holds("NMI1", moment, mode) == least, (seed, now - NOW, moment - now, mode)
