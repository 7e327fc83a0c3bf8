"""A server that was started again by a clock that has been set back."""

import pytest

from sep2.clock import SteppedClock
from sep2.operations.controls import NewControl, issue_controls
from sep2.rules.limits import Limits
from tests.functions.test_told import subscribe
from tests.ports import free_port
from tests.receiver import Receiver
from tests.server.world import NOW, serving

HOUR = 3600


@pytest.fixture
async def receiver(people):
    async with Receiver(free_port()).listening(people.files("sunny"), people.pki.folder / "root.pem") as listening:
        yield listening


async def test_subscribers_hear_of_a_start_though_the_clock_was_ahead_before(people, on_sqlite, receiver):
    """What began while the clock was wrong is told again; what is to begin is not passed over."""
    group = on_sqlite.ids.groups["feeder"]
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids) as world:
        async with world.state.db.write() as db:
            controls = [NewControl(start=NOW + at, duration=60, limits=Limits(export_w=at)) for at in (100, 2 * HOUR)]
            await issue_controls(db, group, controls, NOW)
        raw = await world.as_("sunny")
        await subscribe(raw, f"/edev/{world.ids.devices['one']}/derp/{group}/derc", receiver)
        world.advance(NOW + HOUR)
        await world.settle()
    before = len(receiver.taken)
    async with serving(people, on_sqlite.url, ids=on_sqlite.ids, clock=SteppedClock(NOW)) as world:
        await world.settle()
        assert statuses(receiver, since=before) == [["0", "0"]]
        world.advance(NOW + 100)
        await world.settle()
        assert statuses(receiver, since=before) == [["0", "0"], ["1", "0"]]


def statuses(receiver: Receiver, *, since: int) -> list[list[str | None]]:
    """What each notification said of its controls."""
    path = "{*}DERControl/{*}EventStatus/{*}currentStatus"
    return [[said.text for said in notice.resource.findall(path)] for notice in receiver.taken[since:]]
