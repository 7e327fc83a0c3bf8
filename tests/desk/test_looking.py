"""Pages that look over everything, in a real browser: network, calendar, search, reports, and what extensions bring."""

import csv
from pathlib import Path

import pytest

from sep2.desk import panels
from sep2.desk.door import Visit
from sep2.desk.render import Renderer
from sep2.extension import Extension, Page, Panel
from tests.admin.test_looking import STEP_S, placed
from tests.desk.conftest import Room
from tests.desk.test_pages import OVERRIDE, measured
from tests.server.world import NOW


async def test_a_feeder_is_drawn_and_every_moment_of_it_can_be_shown(room: Room) -> None:
    await measured(room)
    await placed(room.operator)
    async with room.sight() as sight:
        await sight.go("/desk/network")
        await sight.page.click("main table a:has-text('FD7')")
        assert "104.0 %" in await sight.text("section[aria-labelledby=n3]")
        await sight.go("/desk/network?place=TX1")
        assert await sight.page.locator("#course canvas").count() == 2
        assert await sight.page.locator("svg.one-line .wire.over").count() == 0
        await sight.page.click("a:text('highest loading')")
        await sight.page.wait_for_url("**at=*")
        assert await sight.page.locator("svg.one-line .wire.over").count() == 1
        assert "◆ T7 104 %" in await sight.page.inner_html("svg.one-line")
        await sight.page.click("text=Measured now")
        await sight.page.wait_for_url("**show=measured")
        assert "power at 1" in await sight.text()
        assert await sight.page.locator("svg.one-line .mark-unknown").count() == 2
        await sight.page.click("svg.one-line a[aria-label^=NMI1]")
        await sight.page.wait_for_url("**/desk/connection?id=NMI1")
        await sight.go(f"/desk/network?feeder=street&at={NOW + STEP_S}")
        await sight.page.keyboard.press("t")
        assert not await sight.page.is_visible("#course")
        assert await sight.page.is_visible("text=The worst of each step in the next 24 h")
        assert "104" in await sight.text("section[aria-labelledby=n7] td.over")
        assert not sight.wrong


async def test_a_connection_of_two_devices_shows_the_limits_of_both(room: Room) -> None:
    new = {"name": "charger", "client": "sunny", "connection_id": "NMI1", "holds_net_limit": False}
    await room.operator.change("POST", "/devices", new)
    await room.operator.change("POST", "/overrides", OVERRIDE)
    control = {"controls": [{"duration": 600, "limits": {"load_w": 1000}}], "reason": "peak"}
    await room.operator.change("POST", "/devices/charger/controls", control)
    async with room.sight() as sight:
        await sight.go("/desk/connection?id=NMI1")
        why = await sight.text("#why")
        assert "Device charger: Load at most 1 kW" in why
        assert "Export at most" in why
        assert "charger" in await sight.text("#chart-table table:has-text('of its own part')")
        slider = sight.page.locator("#moment")
        await slider.evaluate(f"one => {{ one.value = {NOW + 900}; one.dispatchEvent(new Event('input')); }}")
        later = await sight.text("#why")
        assert "Export at most" in later
        assert "Load at most" not in later
        await slider.evaluate(f"one => {{ one.value = {NOW + 300}; one.dispatchEvent(new Event('input')); }}")
        assert "Device charger: Load at most 1 kW" in await sight.text("#why")
        assert not sight.wrong


async def test_the_calendar_and_the_search_lead_to_what_they_name(room: Room) -> None:
    await room.operator.change("POST", "/overrides", OVERRIDE)
    control = {"controls": [{"duration": 1800, "limits": {"export_w": 900}}], "reason": "noon"}
    await room.operator.change("POST", "/connections/NMI2/controls", control)
    async with room.sight() as sight:
        await sight.go("/desk/controls")
        assert await sight.page.locator("svg.calendar .bar").count() == 2
        await sight.page.click("main table a:has-text('schedule of connection NMI2')")
        assert "noon" in await sight.text(".sheet")
        await sight.page.click("text=Week")
        await sight.page.wait_for_url("**week=true*")
        assert await sight.page.locator("svg.calendar .bar").count() == 2
        await sight.page.focus("h1 >> xpath=..")
        await sight.page.keyboard.press("/")
        await sight.page.keyboard.type("nmi")
        await sight.page.keyboard.press("Enter")
        await sight.page.wait_for_url("**/desk/search?q=nmi")
        assert await sight.page.locator("main tbody tr").count() == 5
        await sight.go("/desk/search?q=%3Cb%3E")
        assert "Nothing begins so" in await sight.text()
        assert not sight.wrong


async def test_a_report_is_saved_as_csv(room: Room, tmp_path: Path) -> None:
    await measured(room)
    room.world.advance(NOW + 3600)
    await room.state.judge.once()
    room.world.advance(NOW + 7200)
    await room.state.judge.once()
    async with room.sight(accept_downloads=True) as sight:
        await sight.go("/desk/reports?by=client")
        assert "sunny" in await sight.text()
        async with sight.page.expect_download() as saving:
            await sight.page.click("button:text('CSV')")
        saved = await saving.value
        await saved.save_as(tmp_path / "report.csv")
        rows = list(csv.DictReader((tmp_path / "report.csv").read_text().splitlines()))
        assert {row["name"] for row in rows} >= {"sunny", "gale"}
        assert {row["coverage_percent"] for row in rows} == {"0.0"}, "nothing is proven, so nothing counts as kept"
        assert rows[0]["period_start"].endswith(("+10:30", "+09:30"))
        await sight.go("/desk/reports?by=client&from=yesterday")
        assert "write dates such as" in await sight.text("[role=alert]")
        sight.wrong.clear()


async def show_late(visit: object, about: str) -> dict[str, object]:
    """A panel of an extension that breaks."""
    raise ZeroDivisionError(about)


def test_a_panel_stands_only_where_there_is_a_slot() -> None:
    with pytest.raises(KeyError):
        panels.Panels(None, [Extension("x", panels=(Panel("cellar", "X", "a:b", "x.html"),))])  # type: ignore[arg-type]
    (page,) = panels.pages_of([Extension("x", pages=(Page("x", "X", "a:b", "x.html"),))])
    assert (page.path, page.template) == ("/desk/x", "x/x.html")


async def test_a_panel_that_fails_is_a_box_with_its_name() -> None:
    class Silent(Renderer):
        """Renders nothing: a panel that fails never comes so far."""

        def __init__(self) -> None: ...

    broken = Panel("connection", "Broken", f"{__name__}:show_late", "why.html")
    missing = Panel("connection", "Missing", "tests.nowhere:show", "why.html")
    found = await panels.Panels(Silent(), [Extension("x", panels=(broken, missing))]).of(
        "connection", Visit.__new__(Visit), "NMI1"
    )
    assert [(one.title, str(one.content)) for one in found] == [("Broken", ""), ("Missing", "")]
    assert found[0].fault == "It failed: ZeroDivisionError."
    assert "tests.nowhere" in found[1].fault
