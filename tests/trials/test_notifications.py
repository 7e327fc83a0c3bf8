"""100,000 subscriptions on one change, and a thousand receivers that say nothing."""

import pytest

from tests.server import conftest as server
from tests.server import crowd
from tests.server.process import House
from tests.trials.figures import record

people = server.people

NUMBER, SILENT, CHANGES = 100_000, 1000, 40
FEWER = 10_000


@pytest.fixture
async def house(people, database_url, tmp_path):
    made = House(tmp_path, people, database_url)
    yield made
    await made.stop()


def kind(house: House) -> str:
    return "SQLite" if house.url.startswith("sqlite") else "PostgreSQL"


async def test_a_hundred_thousand_subscriptions_on_one_change(house: House) -> None:
    took, reads = await crowd.tell_all(house, NUMBER, clients=10)
    record(
        f"One change, {NUMBER:,} subscriptions, on {kind(house)}",
        "Ten clients have ten thousand subscriptions each to what one change concerns. Each was told once. Another "
        "client read DeviceCapability meanwhile, 50 times a second at most.",
        [
            ("all told after", f"{took:.0f} s"),
            ("notifications a second", f"{NUMBER / took:.0f}"),
            ("slowest read beside it", f"{reads.slowest_ms:.0f} ms"),
            ("95 of 100 reads within", f"{reads.p95_ms:.0f} ms"),
        ],
    )


@pytest.mark.parametrize("clients", [1, 100])
async def test_ten_thousand_notifications(house: House, clients: int) -> None:
    took, reads = await crowd.tell_all(house, FEWER, clients=clients)
    record(
        f"{FEWER:,} notifications, receivers: {clients}, on {kind(house)}",
        f"Clients with {FEWER // clients:,} subscriptions each to what one change concerns, each with a receiver of "
        "its own. Each subscription was told once. Goal: within 20 s.",
        [
            ("all told after", f"{took:.1f} s"),
            ("slowest read beside it", f"{reads.slowest_ms:.0f} ms"),
            ("95 of 100 reads within", f"{reads.p95_ms:.0f} ms"),
        ],
    )


async def test_a_thousand_silent_receivers(house: House) -> None:
    took, reads = await crowd.tell_beside_silence(house, SILENT, changes=CHANGES, every_s=2.0)
    record(
        f"{SILENT:,} silent receivers, on {kind(house)}",
        f"The receivers of {SILENT:,} clients take connections and say nothing, with four subscriptions each. One more "
        f"client, whose receiver answers, is told of {CHANGES} changes, the first of them when nobody knows yet who "
        "answers.",
        [
            ("told of the first change after", f"{took[0]:.1f} s"),
            ("of the others after, at most", f"{1000 * max(took[1:]):.0f} ms"),
            ("slowest read beside it", f"{reads.slowest_ms:.0f} ms"),
            ("95 of 100 reads within", f"{reads.p95_ms:.0f} ms"),
        ],
    )
