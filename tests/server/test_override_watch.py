"""What becomes of overrides and requests by time alone."""

from typing import Any

from tests.admin.conftest import *  # noqa: F403 — an operator, and a street
from tests.admin.conftest import NOW, Operator
from tests.admin.test_authority import in_force, override, strict
from tests.admin.test_looking import modelled


async def alarms(operator: Operator) -> dict[str, tuple[int, str]]:
    found: list[dict[str, Any]] = (await operator.get("/alarms"))["items"]
    codes = ("approval_waiting", "override_unreviewed", "disconnect_overdue", "override_ending")
    return {one["code"]: (one["priority"], one["subject"]) for one in found if one["code"] in codes}


async def test_a_disconnect_is_held_on_until_it_is_released_and_is_an_alarm_beyond_its_end(street: Operator) -> None:
    asked = override(limits={}, modes={"opModConnect": False}, duration=3600)
    sent = await street.change("POST", "/overrides", asked)
    assert "does not end by itself" in sent["warning"]
    for at in range(NOW + 900, NOW + 12_000, 900):
        street.advance(at)
        await street.house.override_watch.once()
        assert await in_force(street) == {"opModConnect": (False, "override")}, at - NOW
        standing = await alarms(street)
        assert standing == ({} if at < sent["end"] else {"disconnect_overdue": (1, f"override {sent['id']}")})
    await street.change("POST", f"/overrides/{sent['id']}/release", {})
    await street.house.override_watch.once()
    assert await in_force(street) == {}
    assert await alarms(street) == {}


async def test_a_limit_ends_by_time(street: Operator) -> None:
    await street.change("POST", "/overrides", override(duration=3600))
    street.advance(NOW + 3000)
    await street.house.override_watch.once()
    street.advance(NOW + 3601)
    assert await in_force(street) == {}


async def test_who_waits_and_what_nobody_has_looked_at_are_alarms_until_they_are_decided(street: Operator) -> None:
    strict(street)
    _, waits = await street.ask("POST", "/overrides", override(duration=6 * 3600))
    await street.change("POST", "/overrides", override(subject="NMI2", duration=6 * 3600, reason="emergency"))
    await street.house.override_watch.once()
    assert await alarms(street) == {}
    street.advance(NOW + 600)
    await street.house.override_watch.once()
    assert await alarms(street) == {"approval_waiting": (2, f"request {waits['approval']}")}
    street.advance(NOW + 1800)
    await street.house.override_watch.once()
    assert await alarms(street) == {}
    street.advance(NOW + 5 * 86_400)
    await street.house.override_watch.once()
    assert set(await alarms(street)) == {"override_unreviewed"}


async def test_the_report_of_a_drill_is_kept_once_it_is_over(street: Operator) -> None:
    sent = await street.change("POST", "/backstops/test", {"share": 100})
    path = f"/overrides/{sent['id']}/progress"
    assert (await street.get(path))["kept"] is False
    street.advance(NOW + 600 + 901)
    await street.house.override_watch.once()
    kept = await street.get(path)
    assert (kept["kept"], kept["state"], kept["devices"], kept["unanswered"]) == (True, "ended", 2, 2)


async def test_an_override_that_ends_while_its_feeder_is_expected_beyond_its_limits_is_an_alarm(
    street: Operator,
) -> None:
    await modelled(street)
    sent = await street.change("POST", "/overrides", override(duration=1500))
    await street.change("POST", "/overrides", override(subject="NMI2", duration=1500, reason="market"))
    street.advance(NOW + 599)
    await street.house.override_watch.once()
    assert await alarms(street) == {}
    street.advance(NOW + 600)
    await street.house.override_watch.once()
    assert await alarms(street) == {"override_ending": (2, f"override {sent['id']}")}
    (one,) = (await street.get("/alarms", code="override_ending"))["items"]
    assert "street is expected to have 104% of the rating of transformer T7" in one["detail"]
    await modelled(street, loading=900)
    await street.house.override_watch.once()
    assert await alarms(street) == {}, "a newer run expects no such thing"
    await modelled(street)
    await street.house.override_watch.once()
    await street.change("POST", f"/overrides/{sent['id']}/extend", {"duration": 7200})
    street.advance(NOW + 1501)
    await street.house.override_watch.once()
    assert await alarms(street) == {}
