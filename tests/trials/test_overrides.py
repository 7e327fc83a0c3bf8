"""A day of envelopes with overrides at random moments: none is superseded, and the envelope holds after each."""

import pytest

from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.devices import NewDevice, add_device
from tests.envelope.cases import START, street
from tests.envelope.overruling import Day
from tests.envelope.rounds import Told
from tests.trials.figures import record

STEPS = 48


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(8))
async def test_a_day_with_overrides_at_random_moments(database, seed):
    problem = street(customers=6, steps=STEPS)
    async with database.write() as db:
        client = await register_client(db, NewClient("agg", "CD" * 20, "aggregator"), START - 60)
        for k, name in enumerate(problem.connection_id):
            await add_connection(db, NewConnection(name), START - 60)
            await add_device(db, NewDevice(f"{k:02X}" * 20, client, name), START - 60)
    day = Day(database, Told(problem).cycle(database), problem, seed)
    await day.play(steps=STEPS)
    assert day.checked > 1000
    if seed == 0:
        record(
            "A day with overrides at random moments",
            "A round at every step, and an operator's overrides and releases between them; what holds is looked at "
            "after each.",
            [("rounds", STEPS), ("looks", day.checked), ("overrides superseded", 0)],
        )
