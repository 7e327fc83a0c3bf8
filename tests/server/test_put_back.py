"""A copy of the database is put back: clients carry on, and nothing is loosened before what was lost is entered."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from tests import postgres
from tests.raw import Raw, context, document
from tests.server.process import House
from tests.server.walk import walk
from tests.server.world import People

HOUR_S = 3600


@pytest.fixture
async def house(people: People, postgres_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """A server that was not started yet."""
    made = House(tmp_path, people, postgres_url)
    await made.settle(clock="system")
    yield made
    await made.stop()


async def test_a_copy_is_put_back_and_clients_carry_on(house: House, postgres_folder: Path, tmp_path: Path) -> None:
    """Of a copy from before an override, which holds devices to less than what the copy knows."""
    name = str(make_url(house.url).database)
    copy = tmp_path / "copy.dump"
    _run("pg_dump", "-h", postgres_folder, "-U", "sep2", "-Fc", "-f", copy, name)
    copied = int(time.time())
    await house.start()
    await _until_noted(house)
    now = int(time.time())
    await limited(house, now)
    raw = await sunny_at(house)
    before = await controls_of(raw)
    assert len(before) == 2
    await raw.close()
    assert await house.stop() == 0

    await _put_back(postgres_folder, name, copy)
    await house.start()
    raw = await sunny_at(house)
    await nothing_is_told_of_controls(house, raw)
    # It is said up to when the copy reaches, which is not when it was put back.
    reaches = (await house.operate("GET", "/restore"))["copied"]
    assert reaches is None or reaches <= copied < time.time() - 1
    await lost_controls_are_listed_by_the_answers(house, raw, before)
    await limited(house, now)  # entered again
    with pytest.raises(AssertionError, match="still_lost"):
        await house.operate("POST", "/restore/finish", {})
    assert not (await house.operate("POST", "/restore/finish", {"anyway": True}))["holds"]
    after = await controls_of(raw)
    assert len(after) == 2
    assert after.keys().isdisjoint(before), "an mRID was used twice"
    assert min(after.values()) > max(before.values()), "a creationTime was used twice"
    await raw.close()


async def limited(house: House, now: int) -> None:
    """An operator sends a control, and then an override that goes further."""
    control = {"start": now, "duration": HOUR_S, "limits": {"export_w": 4000}}
    await house.operate("POST", "/groups/feeder/controls", {"controls": [control], "anyway": True})
    terms = {"limits": {"export_w": 0}, "duration": HOUR_S, "reason": "test"}
    await house.operate("POST", "/overrides", {"scope": "connection", "subject": "NMI1", **terms})


async def controls_of(raw: Raw) -> dict[str, int]:
    """The creationTime of each control that sunny is told of, by mRID."""
    found = {}
    for path, reply in (await walk(raw)).items():
        if path.partition("?")[0].endswith("/derc"):
            for control in reply.all("DERControl"):
                found[control.findtext("{*}mRID") or ""] = int(control.findtext("{*}creationTime") or 0)
    return found


async def nothing_is_told_of_controls(house: House, raw: Raw) -> None:
    """They are to ask again later, and what they are asked for besides is answered."""
    device, feeder = house.ids.devices["one"], house.ids.groups["feeder"]
    for path in ("derc", "actderc", "dderc"):
        held = await raw.get(f"/edev/{device}/derp/{feeder}/{path}")
        assert (held.status, held.headers["retry-after"]) == (503, "60")
    assert (await raw.get(f"/edev/{device}")).status == 200
    assert (await house.operate("GET", "/restore"))["holds"]
    codes = [one["code"] for one in (await house.operate("GET", "/alarms"))["items"]]
    assert "database_restored" in codes


async def lost_controls_are_listed_by_the_answers(house: House, raw: Raw, lost: dict[str, int]) -> None:
    """The answers of a device to what it was told after the copy was taken are taken, those to nonsense are not."""
    path = f"/edev/{house.ids.devices['one']}/rsps/1/rsp"
    lfdi = house.ids.lfdis["one"]
    for mrid in lost:
        for status in (1, 2):
            said = f"<endDeviceLFDI>{lfdi}</endDeviceLFDI><status>{status}</status><subject>{mrid}</subject>"
            assert (await raw.post(path, document("DERControlResponse", said))).status == 204
    said = f"<endDeviceLFDI>{lfdi}</endDeviceLFDI><status>1</status><subject>{'0' * 32}</subject>"
    assert (await raw.post(path, document("DERControlResponse", said))).status == 400
    found = (await house.operate("GET", "/restore/lost"))["items"]
    assert {one["mrid"]: (one["device"], one["lfdi"], one["status"]) for one in found} == dict.fromkeys(
        lost, ("NMI1", lfdi, 2)
    )


async def sunny_at(house: House) -> Raw:
    return await Raw.open(house.port, context(house.people.pki.folder / "root.pem", house.people.files("sunny")))


async def _until_noted(house: House) -> None:
    """Wait until the server has noted how far its database has come."""
    while not (house.folder / "database.age").exists():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def _put_back(folder: Path, name: str, copy: Path) -> None:
    connection = await asyncpg.connect(postgres.address(folder, "postgres"))
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    _run("pg_restore", "-h", folder, "-U", "sep2", "-d", name, copy)


def _run(program: str, *arguments: Any) -> None:
    """A program of the PostgreSQL that the tests run."""
    command = [str(postgres.programs() / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
