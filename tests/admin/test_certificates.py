"""The replacement of certificates through the operator API."""

from typing import Any

from sep2.operations.identities import used
from tests.admin.conftest import NOW, Operator

DAY_S = 86_400
PATH = "/clients/Sunny/replace-certificate"


async def states(operator: Operator) -> dict[str, str]:
    return {one["lfdi"][0]: one["state"] for one in (await operator.get("/clients/Sunny"))["certificates"]}


async def test_a_certificate_is_expected_current_retiring_and_gone(street: Operator) -> None:
    done = await street.change("POST", PATH, {"lfdi": "B" * 40, "overlap": DAY_S})
    assert (done["current"], done["other"], done["state"], done["until"]) == (
        "A" * 40,
        "B" * 40,
        "expected",
        NOW + DAY_S,
    )
    assert await states(street) == {"A": "current", "B": "expected"}
    status, refused = await street.ask("POST", "/clients/Sunny/finish-replacement", {})
    assert (status, refused["code"]) == (409, "certificate_unused")
    async with street.house.db.write() as db:
        assert await used(db, "B" * 40, NOW)
    assert await states(street) == {"B": "current", "A": "retiring"}
    assert (await street.get("/devices", client="Sunny"))["items"][0]["lfdi"] == "B" * 40
    done = await street.change("POST", "/clients/Sunny/finish-replacement", {})
    assert (done["current"], done["other"]) == ("B" * 40, "A" * 40)
    assert await states(street) == {"B": "current", "A": "gone"}
    assert (await street.ask("POST", "/clients/Sunny/finish-replacement", {}))[0] == 404


async def test_a_replacement_can_be_cancelled_until_it_is_used(street: Operator) -> None:
    await street.change("POST", PATH, {"lfdi": "B" * 40})
    status, refused = await street.ask("POST", PATH, {"lfdi": "C" * 40})
    assert (status, refused["code"]) == (409, "replacement_under_way")
    await street.change("POST", "/clients/Sunny/cancel-replacement")
    assert await states(street) == {"A": "current"}
    await street.change("POST", PATH, {"lfdi": "C" * 40}, dry_run="true")
    assert await states(street) == {"A": "current"}


async def test_an_lfdi_that_is_somebodys_takes_no_place(street: Operator) -> None:
    for lfdi in ("A" * 40, "D1" * 20, "D2" * 20):
        status, refused = await street.ask("POST", PATH, {"lfdi": lfdi})
        assert (status, refused["code"]) == (409, "lfdi_taken")
    await street.change("POST", PATH, {"lfdi": "B" * 40})
    status, refused = await street.ask("POST", "/clients", {"name": "Gale", "lfdi": "B" * 40})
    assert (status, refused["code"]) == (409, "client_taken")
    assert (await street.ask("POST", PATH, {"lfdi": "E" * 40, "overlap": 0}))[0] == 400


async def test_a_new_certificate_that_was_never_used_is_an_alarm(street: Operator) -> None:
    await street.change("POST", PATH, {"lfdi": "B" * 40, "overlap": 60})
    street.advance(NOW + 61)
    await street.house.sweep._forget_removed()
    assert await states(street) == {"B": "current", "A": "gone"}
    (alarm,) = await _unused(street)
    assert (alarm["subject"], alarm["name"]) == ("B" * 40, "Sunny")
    street.advance(NOW + 120)
    street.house.seen.asked("B" * 40, "agent")
    await street.house.seen.write()
    await street.house.causes.look()
    assert await _unused(street) == [], "it is heard of"


async def _unused(street: Operator) -> list[dict[str, Any]]:
    return [one for one in (await street.get("/alarms"))["items"] if one["code"] == "certificate_unused"]


async def test_what_is_heard_with_either_certificate_counts_for_the_client(street: Operator) -> None:
    await street.change("POST", PATH, {"lfdi": "B" * 40})
    seen = street.house.seen
    for lfdi in ("B" * 40, "A" * 40):
        seen.asked(lfdi, "agent")
    await seen.write()
    (row,) = [one for one in (await street.get("/contacts"))["items"] if one["client"] == "Sunny"]
    assert row["requests"] == 2
