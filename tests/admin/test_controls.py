"""Defaults and controls through the operator API."""

from sep2.operations import responses
from sep2.store import devices
from tests.admin.conftest import NOW, TOKEN, Operator

OWN = "/groups/connection%20NMI1"


async def issue(operator: Operator, *, limits: dict[str, int], start: int = NOW, duration: int = 600) -> str:
    body = {"controls": [{"start": start, "duration": duration, "limits": limits}]}
    mrid: str = (await operator.change("POST", f"{OWN}/controls", body))["created"][0]
    return mrid


async def test_a_default_is_replaced_whole(street: Operator) -> None:
    assert (await street.get(f"{OWN}/default"))["limits"] == {}
    await street.change("PUT", f"{OWN}/default", {"limits": {"import_w": 5000, "export_w": 1500}})
    await street.change("PUT", f"{OWN}/default", {"limits": {"export_w": 1600}})
    assert (await street.get(f"{OWN}/default"))["limits"] == {"export_w": 1600}


async def test_what_is_in_force_follows_the_clock(street: Operator) -> None:
    await street.change("PUT", f"{OWN}/default", {"limits": {"export_w": 1500}})
    mrid = await issue(street, limits={"export_w": 0}, start=NOW + 10, duration=60)

    async def in_force() -> tuple[str | None, dict[str, int]]:
        (own,) = (await street.get("/devices/D1D1"))["groups"]
        return own["control"], own["limits"]

    assert await in_force() == (None, {"export_w": 1500})
    street.advance(NOW + 10)
    assert await in_force() == (mrid, {"export_w": 0})
    street.advance(NOW + 70)
    assert await in_force() == (None, {"export_w": 1500})


async def test_a_control_without_a_start_starts_now(street: Operator) -> None:
    body = {"controls": [{"duration": 60, "limits": {"export_w": 1}}], "reason": "a test"}
    await street.change("POST", f"{OWN}/controls", body)
    shown = await street.get("/controls/latest")
    assert (shown["start"], shown["status"], shown["reason"]) == (NOW, 1, "a test")


async def test_the_same_again_is_kept_and_another_one_supersedes(street: Operator) -> None:
    first = await issue(street, limits={"export_w": 500}, start=NOW + 100)
    body = {"controls": [{"start": NOW + 100, "duration": 600, "limits": {"export_w": 500}}]}
    assert (await street.change("POST", f"{OWN}/controls", body))["kept"] == [first]
    body["controls"][0]["limits"] = {"export_w": 400}
    done = await street.change("POST", f"{OWN}/controls", body)
    assert done["superseded"] == [first]
    assert (await street.get(f"/controls/{first}"))["status"] == 4


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(street: Operator) -> None:
    before = await street.get("/status"), await street.get("/audit")
    body = {"controls": [{"duration": 60, "limits": {"export_w": 1}}]}
    done = await street.change("POST", f"{OWN}/controls", body, dry_run="true")
    assert len(done["created"]) == 1
    assert (await street.get("/controls"))["total"] == 0
    assert before == (await street.get("/status"), await street.get("/audit"))


async def test_a_cancelled_control_stays_listed_and_is_cancelled_once(street: Operator) -> None:
    mrid = await issue(street, limits={"export_w": 0})
    await street.change("POST", f"/controls/{mrid[:8]}/cancel", {"reason": "no longer needed"})
    (listed,) = (await street.get("/controls", group="connection NMI1"))["items"]
    assert (listed["status"], listed["reason"]) == (2, "no longer needed")
    status, refused = await street.ask("POST", f"/controls/{mrid}/cancel")
    assert (status, refused["code"]) == (409, "control_over")


async def test_controls_that_are_over_are_listed_only_when_asked_for(street: Operator) -> None:
    await issue(street, limits={"export_w": 0}, duration=60)
    street.advance(NOW + 60)
    assert (await street.get("/controls"))["total"] == 0
    (over,) = (await street.get("/controls", over="true"))["items"]
    assert over["over"] is True


async def test_each_device_shows_when_it_answered_what(street: Operator) -> None:
    mrid = await issue(street, limits={"export_w": 0})
    async with street.house.db.write() as db:
        device = await devices.by_lfdi(db, "D1" * 20)
        assert device is not None
        for status in (1, 2, 2):
            await responses.answer(db, device.id, mrid=mrid, status=status, created=None, now=NOW + status)
    (reached,) = (await street.get("/controls/latest"))["devices"]
    assert reached["responses"] == {"1": NOW + 1, "2": NOW + 2}


async def test_an_operator_is_told_what_a_profile_can_not_carry(operator: Operator) -> None:
    await operator.change("POST", "/connections", {"connection_id": "NMI1"})
    await operator.change("POST", "/devices", {"lfdi": "D1" * 20, "connection_id": "NMI1", "profile": "csip"})
    await issue(operator, limits={"export_w": 0, "import_w": 0})
    (reached,) = (await operator.get("/controls/latest"))["devices"]
    assert reached["note"] == "profile csip can not carry the import limit"


async def test_what_a_device_is_not_told_is_not_shown_as_if_it_held(operator: Operator) -> None:
    lacking = "profile csip can not carry it"
    await operator.change("POST", "/connections", {"connection_id": "NMI1", "firm_import_w": 5000})
    await operator.change("POST", "/devices", {"lfdi": "D1" * 20, "connection_id": "NMI1", "profile": "csip"})
    (firm,) = (await operator.get("/devices/D1D1/default"))["modes"]
    assert (firm["name"], firm["unsupported"]) == ("opModImpLimW", lacking)
    await issue(operator, limits={"export_w": 0, "import_w": 0})
    for shown in (
        (await operator.get("/devices/D1D1"))["in_force"],
        (await operator.get("/connections/NMI1/why"))["modes"],
    ):
        assert {one["mode"]: one["unsupported"] for one in shown} == {"opModExpLimW": "", "opModImpLimW": lacking}
    (state,) = (await operator.get("/state"))["items"]
    assert (state["export_w"]["unsupported"], state["import_w"]["unsupported"]) == ("", lacking)
    course = await operator.get("/connections/NMI1/limits")
    assert course["not_done"] == {"import": lacking, "load": lacking}


async def test_more_controls_than_a_device_holds_are_refused(street: Operator) -> None:
    controls = [{"start": NOW + 60 * i, "duration": 60, "limits": {"export_w": i}} for i in range(25)]
    status, refused = await street.ask("POST", f"{OWN}/controls", {"controls": controls})
    assert (status, refused["code"]) == (409, "too_many_controls")
    assert (await street.get("/controls"))["total"] == 0


async def test_a_look_waits_for_news(street: Operator) -> None:
    mrid = await issue(street, limits={"export_w": 0})
    path = f"/controls/{mrid}"
    async with street.http.get(path, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        tag = answer.headers["ETag"]
    assert (await street.ask("GET", path, headers={"If-None-Match": tag}))[0] == 304
    street.advance(NOW + 600)
    status, shown = await street.ask("GET", path, headers={"If-None-Match": tag, "Prefer": "wait=30"})
    assert (status, shown["over"]) == (200, True)


async def test_a_text_that_no_document_can_hold_is_refused_before_clients_meet_it(street: Operator) -> None:
    control = {"duration": 60, "limits": {"export_w": 1}}
    for body in (
        {"controls": [control | {"description": "a\x01b"}]},
        {"controls": [control | {"description": "a\ufffe"}]},
        {"controls": [control], "reason": "b\x02"},
    ):
        status, answer = await street.ask("POST", f"{OWN}/controls", body)
        assert (status, answer["code"]) == (400, "bad_control"), answer
    mrid = await issue(street, limits={"export_w": 1})
    status, _ = await street.ask("POST", f"/controls/{mrid}/cancel", {"reason": "\x0b"})
    assert status == 400
    status, answer = await street.ask("POST", "/groups", {"name": "g", "primacy": 1, "description": "\x1f"})
    assert (status, answer["code"]) == (400, "bad_group")
