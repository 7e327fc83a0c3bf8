"""A utility's whole register in one import: ten thousand connections, each with a device, below two hundred places."""

from sep2.operations.clients import NewClient, register_client
from sep2.operations.import_plan import Terms
from sep2.operations.importing import take
from sep2.rules.cursor import Keyset
from sep2.store import listing_register, territory

MANY = 10_000
NOW = 1_800_000_000
PLACES = (
    ["place", "kind", "parent"],
    [["FD7", "feeder", ""], *([f"T{i}", "transformer", "FD7"] for i in range(MANY // 50))],
)
SITES = ["connection_id", "place", "firm_export_w"]


def sites(wrong: int | None = None) -> tuple[list[str], list[list[str]]]:
    return SITES, [[f"C{i}", f"T{i // 50}", "much" if i == wrong else "1500"] for i in range(MANY)]


async def test_ten_thousand_connections_and_devices_come_in_one_import(database) -> None:
    devices = (["device_id", "connection_id", "client"], [[f"pv{i}", f"C{i}", "Sunny"] for i in range(MANY)])
    async with database.write() as db:
        await register_client(db, NewClient("Sunny", "A" * 40, "aggregator"), NOW)
    async with database.write() as db:
        refused = await take(db, {"places": PLACES, "connections": sites(wrong=4998), "devices": devices}, NOW, Terms())
        assert (refused.applied, {wrong.code for wrong in refused.wrong}) == (
            False,
            {"bad_value", "unknown_connection"},
        )
        assert min(refused.wrong)[:4] == (5000, "connections", "firm_export_w", "bad_value")
        assert (await listing_register.connections(db, Keyset(1))).total == 0
    sheets = {"places": PLACES, "connections": sites(), "devices": devices}
    async with database.write() as db:
        done = await take(db, sheets, NOW, Terms())
        assert (done.applied, len(done.changes)) == (True, 2 * MANY + MANY // 50 + 1)
    async with database.write() as db:
        feeder = await territory.shown(db, "FD7")
        assert feeder is not None
        assert feeder.devices == MANY
        again = await take(db, sheets, NOW, Terms())
        assert (len(again.changes), again.unchanged) == (0, 2 * MANY + MANY // 50 + 1)
