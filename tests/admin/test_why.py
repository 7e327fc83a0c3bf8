"""Why a connection is limited at a moment; and limits that are most likely slips."""

from sep2.operations.schedules import Wanted, issue_schedules
from sep2.rules import binding
from sep2.rules.limits import Limits
from sep2.rules.timeline import Interval
from sep2.store import groups
from tests.admin.conftest import NOW, Operator


async def test_every_source_is_told_with_what_would_hold_otherwise(street: Operator) -> None:
    assert (await street.get("/connections/NMI1/why"))["modes"] == []
    await street.change("PUT", "/connections/NMI1", {"firm_export_w": 5000})
    (mode,) = (await street.get("/connections/NMI1/why"))["modes"]
    assert (mode["mode"], mode["value"], mode["source"]) == ("opModExpLimW", 5000, "contract")
    await street.change("PUT", "/groups/connection%20NMI1/default", {"limits": {"export_w": 4000}})
    control = {"limits": {"export_w": 3000}, "start": NOW + 3600, "duration": 3600}
    body = {"controls": [control], "reason": "feeder work", "anyway": True}
    await street.change("POST", "/connections/NMI1/controls", body)
    asked = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 0}, "start": NOW + 5400}
    await street.change("POST", "/overrides", asked | {"duration": 600, "reason": "overload", "note": "T7"})
    at = {name: str(NOW + seconds) for name, seconds in (("now", 0), ("later", 3700), ("then", 5500))}
    found = {name: await street.get("/connections/NMI1/why", at=moment) for name, moment in at.items()}
    (now,), (later,), (then,) = (found[name]["modes"] for name in ("now", "later", "then"))
    assert (now["source"], now["value"], now["group"]) == ("default", 4000, "connection NMI1")
    assert found["now"]["next_change"] == NOW + 3600
    assert (later["source"], later["value"], later["reason"]) == ("schedule", 3000, "feeder work")
    assert (then["source"], then["value"], then["until"]) == ("override", 0, NOW + 6000)
    assert (then["override"], then["operator"], then["reason"]) == (1, "local", "overload: T7")
    assert then["below"][0] == "the schedule of connection NMI1: 3000 W"
    assert then["below"][1] == "default of connection NMI1: 4000 W"


async def test_an_envelope_is_told_with_the_constraint_that_binds_it(street: Operator) -> None:
    async with street.house.db.write() as db:
        group = await groups.by_name(db, "connection NMI1")
        assert group is not None
        wanted = [Interval(NOW, NOW + 300, Limits(4000, 2100)), Interval(NOW + 300, NOW + 600, Limits(4000, 5000))]
        binds = {NOW: {"import": "capacity", "export": "over-voltage at node n12; phase b"}, NOW + 300: {}}
        follows = Wanted(group.id, wanted, reason_of=lambda start, _: binding.said(binds[start]))
        await issue_schedules(db, [follows], NOW, source="envelope")
    why = {one["mode"]: one for one in (await street.get("/connections/NMI1/why"))["modes"]}
    assert why["opModExpLimW"]["binding"] == "over-voltage at node n12, phase b"
    assert (why["opModImpLimW"]["binding"], why["opModImpLimW"]["reason"]) == ("capacity", "")
    later = (await street.get("/connections/NMI1/why", at=str(NOW + 400)))["modes"]
    assert {one["binding"] for one in later} == {""}
    # What is issued anew because of an override keeps its reason.
    asked = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 0}, "duration": 100, "reason": "test"}
    await street.change("POST", "/overrides", asked)
    street.advance(NOW + 150)
    why = {one["mode"]: one for one in (await street.get("/connections/NMI1/why"))["modes"]}
    assert (why["opModExpLimW"]["source"], why["opModExpLimW"]["binding"][:12]) == ("envelope", "over-voltage")


async def test_a_charger_beside_the_inverter_is_told_with_its_own_limits(street: Operator) -> None:
    """The inverter holds the connection's limits; the charger beside it has some of its own, and both are said."""
    new = {"lfdi": "D3" * 20, "name": "charger", "client": "Sunny", "connection_id": "NMI1", "holds_net_limit": False}
    await street.change("POST", "/devices", new)
    asked = {"scope": "connection", "subject": "NMI1", "limits": {"export_w": 1500}, "reason": "overload"}
    await street.change("POST", "/overrides", asked | {"duration": 1800})
    control = {"controls": [{"duration": 600, "limits": {"load_w": 1000}}], "reason": "peak"}
    await street.change("POST", "/devices/charger/controls", control)

    why = await street.get("/connections/NMI1/why")
    (own,), (charger,) = why["modes"], why["others"]
    assert (why["device"], own["mode"], own["value"]) == ("D1" * 20, "opModExpLimW", 1500)
    assert (charger["device"], charger["name"], why["other_devices"]) == ("D3" * 20, "charger", 1)
    (mode,) = charger["modes"]
    assert (mode["mode"], mode["value"], mode["source"]) == ("opModLoadLimW", 1000, "schedule")
    assert charger["next_change"] == NOW + 600

    limits = await street.get("/connections/NMI1/limits")
    assert {(one["direction"], one["watts"]) for one in limits["runs"]} == {("export", 1500)}
    (beside,) = limits["others"]
    assert [(one["direction"], one["watts"], one["end"]) for one in beside["runs"]] == [("load", 1000, NOW + 600)]

    await street.change("DELETE", "/devices/D1D1")
    why = await street.get("/connections/NMI1/why")
    assert (why["device"], why["modes"], len(why["others"])) == (None, [], 1)


async def test_a_connection_without_a_device_has_nobody_to_limit(street: Operator) -> None:
    await street.change("POST", "/connections", {"connection_id": "NMI9"})
    found = await street.get("/connections/NMI9/why")
    assert (found["device"], found["modes"]) == (None, [])


async def test_a_limit_far_beyond_the_house_and_a_control_for_a_year_are_refused(street: Operator) -> None:
    await street.change("PUT", "/connections/NMI1", {"firm_export_w": 5000})
    for control, code in (
        ({"limits": {"export_w": 5_000_000}, "duration": 3600}, "limit_beyond_rating"),
        ({"limits": {"export_w": 1500}, "duration": 400 * 86_400}, "control_too_long"),
        ({"limits": {"export_w": 1500}, "start": NOW + 400 * 86_400, "duration": 3600}, "control_too_long"),
    ):
        for path in ("/connections/NMI1/controls", "/devices/D1D1/controls", "/groups/connection%20NMI1/controls"):
            status, refused = await street.ask("POST", path, {"controls": [control]})
            assert (status, refused["code"]) == (409, code), (path, refused)
        done = await street.change("POST", "/connections/NMI1/controls", {"controls": [control], "anyway": True})
        assert len(done["created"]) == 1
