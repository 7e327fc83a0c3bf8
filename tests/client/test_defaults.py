"""A client that takes the first program's default as a whole, beside one that puts programs together mode by mode."""

import pytest

from sep2.operations.defaults import set_default
from sep2.rules.limits import Limits
from tests.client.conftest import Connect, Inverter
from tests.server.world import NOW, World


@pytest.mark.parametrize("whole", [True, False])
async def test_both_ways_of_reading_come_to_the_same(world: World, connect: Connect, whole: bool):
    one = Inverter()
    async with world.state.db.write() as db:
        await set_default(db, world.ids.groups["feeder"], Limits(export_w=1000, import_w=3000, load_w=400), now=NOW)
        await set_default(db, world.ids.groups["NMI1"], Limits(export_w=2000), now=NOW)
    client = await connect("sunny", {world.ids.lfdis["one"]: one}, subscribes=True, whole_defaults=whole)
    await client.advance()
    limits = one.told[-1][1]
    assert (limits.export_limit_w, limits.import_limit_w, limits.load_limit_w) == (2000, 3000, 400)
    async with world.state.db.write() as db:
        await set_default(db, world.ids.groups["feeder"], Limits(export_w=1000, import_w=2500), now=NOW)
    await world.settle()
    world.advance(NOW + 10)
    await client.advance()
    limits = one.told[-1][1]
    assert (limits.export_limit_w, limits.import_limit_w, limits.load_limit_w) == (2000, 2500, None)
