"""Live measurements and planned outages by the operator API: checked, idempotent, and never in the audit log."""

import json

import pytest

from gridmodel.meter_data.quantities import Quantity
from gridmodel.meter_data.reading import Window, net_import_w, read
from gridmodel.meter_data.store import Kind, MeasurementStore
from tests.admin.conftest import NOW, Operator

AT = NOW - NOW % 1800 - 3600
POWER = {"kind": "ami", "place": "NMI1", "quantity": "net_w", "start": AT, "duration_s": 1800, "value": 730.5}
HEAD = {"kind": "scada", "place": "head", "quantity": "v", "start": AT, "duration_s": 900, "value": 239.25}


@pytest.fixture
def store(street: Operator):
    return MeasurementStore(street.house.settings.measurements.folder)


async def test_values_are_taken_once_with_their_quality_and_stay_out_of_the_audit_log(street: Operator, store) -> None:
    body = {"measurements": [POWER, HEAD | {"quality": "suspect"}]}
    tried = await street.change("POST", "/measurements", body, dry_run="true")
    assert (tried["new"], store.days(Kind.AMI)) == (2, [])
    assert (await street.change("POST", "/measurements", body))["new"] == 2
    again = await street.change("POST", "/measurements", body)
    assert (again["new"], again["unchanged"]) == (0, 2)
    revised = await street.change("POST", "/measurements", {"measurements": [POWER | {"value": 800.0}]})
    assert (revised["new"], revised["revised"]) == (0, 1)
    window = Window(AT, AT + 1800, 1800)
    assert net_import_w(store, ["NMI1"], window).value.tolist() == [[800.0]]
    assert read(store, ["head"], Quantity.VOLTAGE, Window(AT, AT + 900, 900), kind=Kind.SCADA).quality.tolist() == [[3]]
    noted = json.dumps((await street.get("/audit", subject="/measurements"))["items"])
    assert "add_measurements" in noted
    assert "730.5" not in noted
    assert not (store.folder / "switched").exists()
    state = HEAD | {"quantity": "state", "place": "L2", "value": 0}
    await street.change("POST", "/measurements", {"measurements": [state]})
    assert (store.folder / "switched").exists(), "a round follows at once"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"value": 2e9}, "value: 2e+09 is not within 1e+09"),
        ({"quantity": "volts"}, "quantity: 'volts' is none of"),
        ({"start": NOW + 4000}, "is more than 300 s ahead"),
        ({"duration_s": 0}, "duration_s"),
        ({"kind": "dream"}, "kind"),
        ({"quality": "good"}, "quality"),
        ({"quantity": "v", "value": -1.0}, "is below 0"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_value_that_can_not_be_one_is_refused_by_its_place_and_field(
    street: Operator, store, change, named
) -> None:
    status, answer = await street.ask("POST", "/measurements", {"measurements": [HEAD, POWER | change]})
    assert status == 400
    assert named in answer["message"], answer
    assert store.days(Kind.SCADA) == []


async def test_outages_are_planned_listed_and_removed(street: Operator, store) -> None:
    entry = {"start": NOW, "end": NOW + 3600, "what": "connection:NMI1", "note": "pole"}
    assert await street.change("POST", "/x/envelope/outages", entry) == entry
    await street.change("POST", "/x/envelope/outages", entry | {"what": "", "start": NOW - 60})
    assert [one["what"] for one in (await street.get("/x/envelope/outages"))["items"]] == ["", "connection:NMI1"]
    status, answer = await street.ask("POST", "/x/envelope/outages", entry | {"what": "home:1"})
    assert (status, answer["code"]) == (400, "bad_calendar")
    status, answer = await street.ask("POST", "/x/envelope/outages", entry | {"end": NOW})
    assert (status, "end" in answer["message"]) == (400, True)
    gone = {"start": NOW, "end": NOW + 3600, "what": "connection:NMI1"}
    await street.change("DELETE", "/x/envelope/outages", gone)
    assert (await street.ask("DELETE", "/x/envelope/outages", gone))[0] == 404
    assert len((await street.get("/x/envelope/outages"))["items"]) == 1


async def test_stage_and_scopes_are_decided_by_the_api_and_refused_where_unknown(street: Operator, store) -> None:
    said = {"reason": "commissioning"}
    await street.change("POST", "/x/envelope/decide", said | {"stage": "advise"})
    await street.change("POST", "/x/envelope/decide", said | {"mode": "contract", "connection": "NMI1"})
    status = await street.get("/x/envelope/status")
    assert (status["stage"], status["mode"]) == ("advise", "active")
    assert status["scopes"] == [{"kind": "connection", "name": "NMI1", "mode": "contract"}]
    for asked, code in (
        ({"mode": "hold", "connection": "NOPE"}, "one_scope"),
        ({"mode": "hold", "connection": "NMI1", "group": "x"}, "one_scope"),
        ({"connection": "NMI1"}, "one_scope"),
        ({"approved": "1234"}, "not_waiting"),
    ):
        assert (await street.ask("POST", "/x/envelope/decide", said | asked))[1]["code"] == code, asked
    await street.change("POST", "/x/envelope/decide", said | {"mode": "active", "connection": "NMI1"})
    assert (await street.get("/x/envelope/status"))["scopes"] == []
