"""Clock jumps under load: in a server whose machine the test plays, and in a process whose wall clock is set."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.machine import Machine
from tests.raw import Raw, context
from tests.server.conftest import people  # noqa: F401 - a fixture
from tests.server.jumps import play
from tests.server.process import House
from tests.server.world import NOW, serving
from tests.trials.figures import record_row

JUMPS, SEEDS = 25, 4
HOUR, DAY = 3600, 86_400
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
TITLE = "Clock jumps under load"


SAID = (
    "The wall clock of a server's machine jumps (7 s to 100 days, either way), back again within a minute or to stay, "
    "while three clients poll, one posts readings and an operator issues controls. Time never freezes or leaps, a time "
    "that has held is followed in one step, creation times rise through every step, and nothing is deleted. In a "
    "process of its own (`sep2 serve` with libfaketime): +1 h for 2 s, +100 days for 4 s, -1 h to stay."
)
COUNTED = ("jumps", "steps forward", "steps back", "controls", "readings", "requests")
ROWS = [f"{what} on {kind}" for kind in ("sqlite", "postgresql", "a process") for what in COUNTED]


@pytest.fixture(scope="module")
def played(request):
    """What happened, by kind of server; written down where nothing failed in any."""
    found: dict[str, Counter[str]] = {}
    yield found
    if not request.session.testsfailed:
        for kind, counts in found.items():
            for what, count in counts.items():
                record_row(TITLE, SAID, (f"{what} on {kind}", f"{count:,}"), ROWS)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_jumps_under_load_are_not_felt(people, played, database_url, seed):  # noqa: F811
    machine = Machine(NOW)
    async with serving(people, database_url, clock=machine.clock()) as world:
        seen = await play(world, machine, random.Random(seed), JUMPS)
    played.setdefault(database_url.partition(":")[0], Counter()).update(seen.counts)


@pytest.mark.skipif(not FAKETIME, reason="libfaketime was not found: sudo apt-get install faketime")
async def test_a_process_whose_wall_clock_is_set(people, played, sqlite_url, tmp_path, monkeypatch):  # noqa: F811
    """The time that clients are told differs from this test's own by no more than a moment, until -1 h has held."""
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    for name, value in {
        "LD_PRELOAD": str(FAKETIME[0]),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }.items():
        monkeypatch.setenv(name, value)
    house = House(tmp_path, people, sqlite_url)
    await house.settle(clock="system")
    await house.start()
    for name in ("LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE"):
        monkeypatch.delenv(name)
    raw = await Raw.open(house.port, context(people.pki.folder / "root.pem", people.files("sunny")))
    counts: Counter[str] = Counter()

    async def stays(for_s: float, apart_s: int = 0) -> None:
        """Time goes on as here, so many seconds apart."""
        until = time.monotonic() + for_s
        while time.monotonic() < until:
            asked_at = time.time()
            told = int((await raw.get("/tm")).texts("currentTime")[0])
            assert asked_at - 2 < told - apart_s < time.time() + 2, told
            counts["requests"] += 1
            await asyncio.sleep(0.02)

    async def is_told() -> bool:
        """Whether the alarm of a jump stands."""
        return any(one["code"] == "clock_jump" for one in (await house.operate("GET", "/alarms"))["items"])

    try:
        await stays(2)
        for said, for_s in ((f"+{HOUR}", 2.0), (f"+{100 * DAY}", 4.0)):
            offset.write_text(f"{said}\n")
            await stays(for_s)
            offset.write_text("+0\n")
            while not await is_told():  # noqa: ASYNC110 - it is raised a moment later
                await asyncio.sleep(0.1)
            await stays(62)
            while await is_told():  # noqa: ASYNC110 - a minute has to pass
                await asyncio.sleep(0.1)
            counts["jumps"] += 1
        offset.write_text(f"-{HOUR}\n")
        await stays(55)
        assert await is_told()
        while await is_told():  # noqa: ASYNC110 - a minute has to pass
            await asyncio.sleep(0.5)
        await stays(5, -HOUR)
        counts["jumps"] += 1
    finally:
        await raw.close()
        await house.stop()
    played["a process"] = counts
