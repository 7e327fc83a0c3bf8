"""What is stored of a connection's customer is erased on request, and the rest is whole; on both databases."""

import pytest

from sep2.operations.mirrors import NewMirror, NewReading, NewSeries, NewSet, Poster, put_mirror
from sep2.rules.metering import Span
from sep2.store import clients, devices
from tests.admin.conftest import NOW, Operator
from tests.admin.test_authority import person, strict

MEANT = {"description": "Mrs Jones, 3 Elm Street, meter 4711"}


async def _metered(street: Operator, lfdi: str, meter: str) -> None:
    """Two readings of a meter of the device, an hour ago."""
    readings = [NewReading(span=Span(NOW - 3600 + at, 300), value=1) for at in (0, 300)]
    series = NewSeries(mrid="0B", reading_type=b"<ReadingType/>", description=meter, sets=[])
    series.sets.append(NewSet(mrid="0C", span=Span(NOW - 3600, 600), readings=readings))
    async with street.house.db.write() as db:
        device = await devices.by_lfdi(db, lfdi)
        assert device is not None
        owner = await clients.one(db, device.client_id)
        assert owner is not None
        mirror = NewMirror(
            **{"poster": Poster(owner.id, 300), "end_device_id": device.id, "mrid": "0A", "description": meter},
            **{"version": None, "role_flags": 3, "service_kind": 0, "status": 1},
            series=[series],
        )
        await put_mirror(db, mirror, NOW - 3600)


@pytest.fixture
async def lived_in(street: Operator) -> Operator:
    """A street with a customer's name at NMI1, and readings there and at NMI2."""
    await street.change("PUT", "/connections/NMI1", MEANT)
    await street.change("POST", "/connections/NMI1/exemptions", {"start": NOW, "duration": 60, "reason": "Mrs Jones"})
    for lfdi, meter in (("D1" * 20, "meter 4711"), ("D2" * 20, "meter 12")):
        await _metered(street, lfdi, meter)
    return street


async def test_an_erased_customer_is_nowhere_and_the_audit_chain_is_whole(lived_in: Operator) -> None:
    done = await lived_in.change("POST", "/connections/NMI1/erase", {})
    assert (done["readings"], done["audit_details"], done["needs_second"]) == (2, 3, "")
    assert (await lived_in.get("/connections/NMI1"))["description"] == done["label"]
    assert done["label"].startswith("erased-")
    texts = [await lived_in.get(path) for path in ("/connections", "/mirrors", "/exemptions", "/audit")]
    assert not [word for word in ("Jones", "4711", "Elm") for text in texts if word in str(text)]
    assert (await lived_in.get("/readings", connection="NMI1"))["items"] == []
    assert len((await lived_in.get("/readings", connection="NMI2"))["items"]) == 2, "others keep theirs"
    assert (await lived_in.get("/devices/D1D1"))["connection_id"] == "NMI1"
    assert (await lived_in.get("/audit/verify"))["whole"] is True
    again = await lived_in.change("POST", "/connections/NMI1/erase", {})
    assert (again["readings"], again["audit_details"]) == (0, 1), "of the erasure before"


async def test_a_dry_run_erases_nothing(lived_in: Operator) -> None:
    done = await lived_in.change("POST", "/connections/NMI1/erase", {}, dry_run="true")
    assert done["readings"] == 2
    assert (await lived_in.get("/connections/NMI1"))["description"] == MEANT["description"]
    assert len((await lived_in.get("/readings", connection="NMI1"))["items"]) == 2


async def test_extensions_erase_what_they_keep(lived_in: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def erase(settings: object, connection_id: str) -> int:
        asked.append(connection_id)
        raise OSError("the disk is full")

    monkeypatch.setattr("envelope.operation.measurement_upkeep.erase_connection", erase)
    await lived_in.change("POST", "/connections/nmi1/erase", {})
    assert asked == ["NMI1"], "by its id as it is registered; and one that fails stops nothing"


async def test_erasing_needs_an_engineer_and_in_production_a_second_one(lived_in: Operator) -> None:
    strict(lived_in)
    ada, bo = [await person(lived_in, name, "engineer") for name in ("Ada", "Bo")]
    cy = await person(lived_in, "Cy")
    status, _ = await lived_in.ask("POST", "/connections/NMI1/erase", {}, token=cy)
    assert status == 403
    status, waits = await lived_in.ask("POST", "/connections/NMI1/erase", {}, token=ada)
    assert (status, waits["why"]) == (202, "what is erased is gone for good")
    assert len((await lived_in.get("/readings", connection="NMI1"))["items"]) == 2
    for token, answered in ((ada, 403), (cy, 403), (bo, 200)):
        status, _ = await lived_in.ask("POST", "/approvals/latest/approve", {"digest": ""}, token=token)
        assert status == answered
    assert (await lived_in.get("/readings", connection="NMI1"))["items"] == []
    assert (await lived_in.get("/audit/verify"))["whole"] is True
