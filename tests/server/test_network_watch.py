"""Alarms of the network: limits that a run expects to be passed, and voltages that meters measure beyond theirs."""

from pathlib import Path

from tests.admin.conftest import *  # noqa: F403 — an operator, and a street
from tests.admin.conftest import Operator
from tests.admin.test_looking import STEP_S, modelled
from tests.server.conftest import Settled
from tests.server.meters import V, mirror, post, read, reading_type
from tests.server.operator import operating
from tests.server.world import NOW, People

CODES = ("overload_forecast", "voltage_forecast", "voltage_breach")


async def alarms(operator: Operator) -> dict[str, tuple[int, str]]:
    found = (await operator.get("/alarms"))["items"]
    return {one["code"]: (one["priority"], one["detail"]) for one in found if one["code"] in CODES}


async def test_a_rating_or_a_voltage_that_a_run_expects_to_be_passed_is_an_alarm_until_none_does(
    street: Operator,
) -> None:
    async def look(run: str, **more: int) -> dict[str, tuple[int, str]]:
        await modelled(street, run=run, **more)
        await street.house.network_watch.forecasts()
        return await alarms(street)

    assert await look("A1") == {}, "one step is no alarm"
    ((code, (priority, detail)),) = (await look("A2", busy=2)).items()
    assert (code, priority) == ("overload_forecast", 2)
    assert detail.startswith("104% of the rating of transformer T7 is expected, at 20")
    assert detail.endswith("in 2 steps")
    ((code, (priority, detail)),) = (await look("A3", loading=1000, high=10_600)).items()
    assert (code, priority) == ("voltage_forecast", 2)
    assert "106.0% of nominal is expected at bus" in detail
    assert await look("A4", loading=1000) == {}, "a newer run expects no such thing"
    assert await look("A5", busy=2) != {}
    street.advance(NOW + 3 * STEP_S)
    await street.house.network_watch.forecasts()
    assert await alarms(street) == {}, "the time has passed"


async def test_voltages_beyond_their_limits_twice_in_a_row_are_an_alarm_until_they_are_inside(
    people: People, on_sqlite: Settled, tmp_path: Path
) -> None:
    async with operating(people, on_sqlite, tmp_path) as (world, operator):
        await modelled(operator)
        sunny, at = await world.as_("sunny"), NOW
        path = await mirror(sunny, world.ids.lfdis["one"], types={"0B01": reading_type(V)})

        async def measure(volts: int) -> dict[str, tuple[int, str]]:
            nonlocal at
            await post(sunny, path, "0B01", read(f"{at:08X}", at, [(300, volts)]))
            at += 300
            world.advance(at)
            await operator.house.network_watch.voltages()
            return await alarms(operator)

        assert await measure(256) == {}
        await operator.house.network_watch.voltages()
        assert await alarms(operator) == {}, "the same reading counts once"
        assert await measure(250) == {}
        assert await measure(256) == {}
        standing = await measure(257)
        assert standing == {"voltage_breach": (3, "NMI1 257.0 V (216.0 to 252.7 V)")}
        assert (await measure(252))["voltage_breach"][0] == 3, "that is not half a percent inside"
        assert [bool(await measure(240)) for _ in range(3)] == [True, True, False]
        assert await measure(210) == {}
        assert "NMI1 211.0 V" in (await measure(211))["voltage_breach"][1]
