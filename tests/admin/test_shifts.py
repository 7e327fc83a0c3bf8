"""The shift log: what stands is handed over as it is, and taken over by somebody else."""

from tests.admin.conftest import NOW, Operator
from tests.admin.test_authority import override, person, strict


async def test_what_stands_is_handed_over_and_held_by_who_takes_it(street: Operator) -> None:
    strict(street)
    ada, bob = await person(street, "Ada"), await person(street, "Bob")
    sent = await street.change("POST", "/overrides", override(duration=3600), token=ada)
    await street.change("POST", "/overrides", override(subject="NMI2"), token=bob)
    await street.ask("POST", "/overrides", override(duration=6 * 3600), token=bob)
    await street.change("POST", "/groups", {"name": "first", "primacy": 1})
    (alarm,) = [one for one in (await street.get("/alarms"))["items"] if one["code"] == "group_order"]
    await street.change("POST", f"/alarms/{alarm['id']}/shelve", {"duration": 3600, "reason": "known"}, token=ada)
    note = await street.change("POST", "/shift/notes", {"note": "crew at T7"}, token=ada)
    assert (note["kind"], note["standing"]) == ("note", None)
    handed = await street.change("POST", "/shift/handovers", {"note": "watch FD7"}, token=ada)
    kept = handed["standing"]
    assert ([one["holder"] for one in kept["overrides"]], len(kept["approvals"])) == (["Bob", "Ada"], 1)
    assert [(one["code"], one["shelved_by"], one["shelved_because"]) for one in kept["shelved"]] == [
        ("group_order", "Ada", "known")
    ]
    path = f"/shift/handovers/{handed['id']}/take"
    assert (await street.ask("POST", path, {}, token=ada))[1]["code"] == "same_person"
    taken = await street.change("POST", path, {}, token=bob)
    assert (taken["taken_by"], taken["taken"]) == ("Bob", NOW)
    assert (await street.ask("POST", path, {}, token=bob))[1]["code"] == "handover_taken"
    # Bob holds what Ada did, and releases it alone; Ada does not any more.
    status, waits = await street.ask("POST", f"/overrides/{sent['id']}/release", {}, token=ada)
    assert (status, waits["why"]) == (202, "another person sent it")
    released = await street.change("POST", f"/overrides/{sent['id']}/release", {}, token=bob)
    assert (released["operator"], released["holder"]) == ("Ada", "Bob")
    log = (await street.get("/shift/log"))["items"]
    assert [(one["kind"], one["operator"], one["note"]) for one in log] == [
        ("handover", "Ada", "watch FD7"),
        ("note", "Ada", "crew at T7"),
    ]
    assert [one["holder"] for one in log[0]["standing"]["overrides"]] == ["Bob", "Ada"], "it is kept as it was"
    for wrong in ("1", "99", "x"):
        status, refused = await street.ask("POST", f"/shift/handovers/{wrong}/take", {}, token=bob)
        assert (status, refused["code"]) == (404, "unknown_handover")
