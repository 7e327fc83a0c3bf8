"""Imports and exports of the register through the operator API."""

from typing import Any

from tests.admin.conftest import Operator

SITES = ["connection_id", "place", "firm_import_w", "firm_export_w"]
DEVICES = ["device_id", "connection_id", "client"]


def sheet(columns: list[str], *rows: list[str]) -> dict[str, Any]:
    return {"columns": columns, "rows": list(rows)}


PLACES = sheet(["place", "kind", "parent"], ["T7", "transformer", "FD7"], ["FD7", "feeder", ""])
FEEDER = {
    "places": PLACES,
    "connections": sheet(SITES, ["C1", "T7", "", "1500"], ["C2", "T7", "5000", "1500"], ["C3", "", "", ""]),
    "devices": sheet(
        DEVICES, ["pv1", "C1", "Sunny"], ["pv2", "C2", "sunny"], ["ev2", "C2", "A" * 40], ["loose", "", "Sunny"]
    ),
}


async def exported(operator: Operator) -> dict[str, Any]:
    found = {}
    for noun in ("clients", "places", "connections", "devices"):
        answer = await operator.get(f"/export/{noun}", limit="500")
        found[noun] = {"columns": answer["columns"], "rows": answer["rows"]}
    return found


async def test_a_feeder_is_imported_at_once_as_if_by_hand(street: Operator) -> None:
    done = await street.change("POST", "/import", FEEDER)
    assert (done["applied"], done["added"], done["wrong"]) == (True, 9, 0), done
    assert (await street.get("/places/FD7"))["devices"] == 3
    pv1 = await street.get("/devices/pv1")
    assert (pv1["connection_id"], pv1["holds_net_limit"], pv1["client"]) == ("C1", True, "Sunny")
    assert [one["group"] for one in pv1["groups"]] == ["connection C1", "transformer T7", "feeder FD7"]
    assert [(one["mode"], one["value"]) for one in pv1["in_force"]] == [("opModExpLimW", 1500)]
    # The second device at a connection has a part of its limits.
    ev2 = await street.get("/devices/ev2")
    assert (ev2["holds_net_limit"], ev2["group"]) == (False, f"device {ev2['lfdi']}")
    assert (await street.get("/devices/loose"))["connection_id"] is None
    limits = {"controls": [{"limits": {"export_w": 0}, "duration": 600}], "anyway": True}
    assert (await street.change("POST", "/connections/C1/controls", limits))["devices"] == 1


async def test_an_export_imported_again_changes_nothing(street: Operator) -> None:
    await street.change("POST", "/import", FEEDER)
    before = await exported(street)
    done = await street.change("POST", "/import", before)
    assert (done["added"], done["changed"], done["removed"], done["wrong"]) == (0, 0, 0, 0), done
    assert done["unchanged"] == sum(len(one["rows"]) for one in before.values())
    assert await exported(street) == before


async def test_the_same_import_twice_adds_nothing(street: Operator) -> None:
    await street.change("POST", "/import", FEEDER)
    done = await street.change("POST", "/import", FEEDER)
    assert (done["added"], done["changed"], done["unchanged"]) == (0, 0, 9), done


async def test_rows_change_what_they_say_and_nothing_else(street: Operator) -> None:
    await street.change("POST", "/import", FEEDER)
    await street.change("POST", "/clients", {"name": "Gale", "lfdi": "B" * 40})
    body = {
        "connections": sheet(SITES, ["C1", "FD7", "", "2000"]),
        "devices": sheet(DEVICES, ["pv1", "", "Gale"], ["loose", "C3", ""]),
    }
    dry = await street.change("POST", "/import", body, dry_run="true")
    assert dry["changes"][0] == {
        "line": 2,
        "sheet": "connections",
        "action": "set",
        "name": "C1",
        "fields": {"place": ["T7", "FD7"], "firm_export_w": [1500, 2000]},
    }
    assert (await street.get("/connections/C1"))["firm_export_w"] == 1500
    assert (await street.change("POST", "/import", body))["changed"] == 3
    site = await street.get("/connections/C1")
    assert (site["place"], site["firm_export_w"], site["firm_import_w"]) == ("FD7", 2000, None)
    pv1 = await street.get("/devices/pv1")
    assert (pv1["client"], pv1["connection_id"]) == ("Gale", "C1")
    assert "transformer T7" not in [one["group"] for one in pv1["groups"]]
    assert (await street.get("/devices/loose"))["connection_id"] == "C3"


async def test_rows_remove_what_they_name(street: Operator) -> None:
    await street.change("POST", "/import", FEEDER)
    body = {
        "connections": sheet(["action", "connection_id"], ["remove", "C1"]),
        "devices": sheet(["action", "device_id"], ["remove", "pv1"]),
    }
    assert (await street.change("POST", "/import", body))["removed"] == 2
    assert (await street.ask("GET", "/connections/C1"))[0] == 404
    assert (await street.ask("GET", "/devices/pv1"))[0] == 404


WRONG = (
    ("connections", SITES, ["C1", "", "", "1.5kW"], "firm_export_w", "bad_value"),
    ("connections", SITES, ["C 1", "", "", ""], "connection_id", "bad_value"),
    ("connections", SITES, ["C1", "nowhere", "", ""], "place", "unknown_place"),
    ("connections", SITES, ["C1", "", ""], "", "wrong_length"),
    ("connections", SITES, ["", "", "", ""], "connection_id", "missing_value"),
    ("connections", ["connection_id", "colour"], ["C1", "red"], "colour", "unknown_column"),
    ("connections", ["connection_id", "connection_id"], ["C1", "C1"], "connection_id", "double_column"),
    ("connections", ["action", "connection_id"], ["set", "C9"], "connection_id", "unknown"),
    ("connections", ["action", "connection_id"], ["add", "nmi1"], "connection_id", "taken"),
    ("connections", ["action", "connection_id"], ["drop", "C9"], "action", "bad_action"),
    ("devices", DEVICES, ["pv1", "C9", "Sunny"], "connection_id", "unknown_connection"),
    ("devices", DEVICES, ["pv1", "", "Moony"], "client", "unknown_client"),
    ("devices", ["device_id"], ["pv1"], "client", "missing_value"),
    ("devices", ["lfdi", "client"], ["D3", "Sunny"], "lfdi", "bad_value"),
    (
        "devices",
        ["device_id", "connection_id", "client", "control_point"],
        ["pv1", "NMI1", "Sunny", "site"],
        "connection_id",
        "connection_taken",
    ),
    ("places", ["place", "kind", "parent"], ["T7", "transformer", "nowhere"], "parent", "unknown_place"),
    ("places", ["place", "kind"], ["T7", "tower"], "kind", "bad_value"),
    ("clients", ["name", "lfdi"], ["Gale", "A" * 40], "lfdi", "taken"),
    ("clients", ["name"], ["Gale"], "lfdi", "missing_value"),
    ("clients", ["name", "lfdi"], ["Sunny", "B" * 40], "lfdi", "fixed"),
)


async def test_a_row_that_is_wrong_is_told_with_its_column(street: Operator) -> None:
    for name, columns, row, field, code in WRONG:
        done = await street.change("POST", "/import", {name: sheet(columns, row)})
        assert (done["applied"], done["wrong"]) == (False, 1), done
        (wrong,) = done["errors"]
        assert (wrong["field"], wrong["code"]) == (field, code), wrong


async def test_one_wrong_row_of_many_keeps_all_from_being_changed(operator: Operator) -> None:
    rows = [[f"C{number}", "", "", "x" if number == 500 else "1500"] for number in range(1000)]
    body = {"connections": sheet(SITES, *rows)}
    done = await operator.change("POST", "/import", body)
    assert (done["applied"], done["wrong"]) == (False, 1)
    (wrong,) = done["errors"]
    assert (wrong["line"], wrong["field"], wrong["code"]) == (502, "firm_export_w", "bad_value")
    assert (await operator.get("/connections"))["total"] == 0
    done = await operator.change("POST", "/import", body | {"partial": True})
    assert (done["applied"], done["added"], done["wrong"]) == (True, 999, 1)
    assert (await operator.get("/connections"))["total"] == 999


async def test_a_device_that_comes_while_a_control_holds_is_told_of_it(street: Operator) -> None:
    control = {"controls": [{"limits": {"export_w": 0}, "duration": 600}], "anyway": True}
    await street.change("POST", "/connections", {"connection_id": "C1"})
    await street.change("POST", "/connections/C1/controls", control)
    await street.change("POST", "/import", {"devices": sheet(DEVICES, ["pv1", "C1", "Sunny"])})
    assert [one["value"] for one in (await street.get("/devices/pv1"))["in_force"]] == [0]


async def test_transformers_that_only_connections_name_become_places(operator: Operator) -> None:
    columns = ["connection_id", "node", "phases", "transformer_id"]
    done = await operator.change("POST", "/import", {"connections": sheet(columns, ["C1", "n1", "a", "TX1"])})
    assert done["ignored"] == {"connections": ["node", "phases"]}
    assert (await operator.get("/connections/C1"))["place"] == "TX1"
    assert (await operator.get("/places/TX1"))["kind"] == "transformer"


async def test_the_least_limit_of_controllable_loads_is_imported_exported_and_kept(street: Operator) -> None:
    columns = ["lfdi", "connection_id", "floor", "controllable_loads"]
    rows = [["D1" * 20, "", "de-14a", "2"], ["E5" * 20, "", "de-14a", ""], ["E6" * 20, "", "", ""]]
    sheet = {"devices": {"columns": columns, "rows": rows}, "client": "Sunny"}
    done = await street.change("POST", "/import", sheet)
    assert (done["applied"], done["added"], done["changed"]) == (True, 2, 1)
    found = {one: (await street.get(f"/devices/{one * 20}"))["least_load_w"] for one in ("D1", "E5", "E6")}
    assert found == {"D1": 7560, "E5": 4200, "E6": None}
    exported = await street.get("/export/devices")
    again = {"devices": {"columns": exported["columns"], "rows": exported["rows"]}}
    assert (await street.change("POST", "/import", again))["changed"] == 0
    for bad, code in ((["D1" * 20, "", "nowhere", ""], "unknown_floor"), (["E6" * 20, "", "", "3"], "missing_value")):
        wrong = await street.change("POST", "/import", {"devices": {"columns": columns, "rows": [bad]}})
        assert ([one["code"] for one in wrong["errors"]], wrong["applied"]) == ([code], False)
