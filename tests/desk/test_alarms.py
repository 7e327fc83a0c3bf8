"""The pages of alarms in a real browser: what stands, what to do, acknowledged and shelved with a click."""

from axe_playwright_python.async_playwright import Axe

from sep2.store import alarms
from tests.desk.conftest import Room
from tests.desk.test_pages import AXE, HOSTILE


async def test_a_certificate_that_knocks_is_registered_from_its_alarm(room: Room) -> None:
    world = room.world
    for _ in range(3):
        raw = await world.as_("stranger")
        assert (await raw.get("/dcap")).status == 404
    await world.state.knocks.once()
    async with room.sight() as sight:
        await sight.go("/desk/alarms")
        await sight.page.click("table a >> text=/certificate/ >> nth=0")
        await sight.page.click("text=Register it as an aggregator")
        await sight.page.fill("#f-name", "Newcomer")
        await sight.page.click("text=Show what it would do")
        await sight.page.click(".send")
        await sight.page.wait_for_selector("h1 >> text=Client Newcomer")
        await world.state.knocks.once()
        await sight.go("/desk/alarms")
        assert world.people.lfdi("stranger") not in await sight.text()
        assert not sight.wrong
    assert (await (await world.as_("stranger")).get("/dcap")).status == 200


async def test_an_alarm_is_acknowledged_with_a_note_and_shelved_with_a_reason(room: Room) -> None:
    async with room.world.state.db.write() as db:
        number = await alarms.raise_one(db, "client_silent", "sunny", HOSTILE, now=room.world.clock.now())
        await alarms.raise_one(db, "local_login", HOSTILE, "by password", now=room.world.clock.now())
    async with room.sight() as sight:
        await sight.go("/desk/alarms")
        assert "a client that has to poll or to post does neither" in await sight.text("table")
        await sight.page.click(f'a[href="/desk/alarm?id={number}"] >> nth=0')
        assert "Call the client's desk" in await sight.text()
        violations = await Axe().run(sight.page, options=AXE)
        assert violations.violations_count == 0, violations.generate_report()
        await sight.page.fill("#note", "Ada is on it")
        await sight.page.click("text=Acknowledge >> nth=0")
        await sight.page.wait_for_url("**/desk/alarms")
        assert "sees to it" in await sight.text("table")
        await sight.go(f"/desk/alarm?id={number}")
        assert "Ada is on it" in await sight.text()
        await sight.page.select_option("#duration", "7200")
        await sight.page.fill("#reason", "a crew is there")
        await sight.page.press("#reason", "Enter")
        await sight.page.wait_for_url("**/desk/alarms")
        assert "a client that has to poll" not in await sight.text("table")
        await sight.go("/desk/alarms?state=shelved")
        await sight.page.click(f"text=Unshelve {number}")
        await sight.page.wait_for_function("document.getElementById('said').textContent.includes('in the list again')")
        await sight.go("/desk/alarms")
        await sight.page.click("text=/Acknowledge all/")
        await sight.page.wait_for_function("document.getElementById('said').textContent.includes('acknowledged by')")
        assert not sight.wrong
    async with room.world.state.db.read() as db:
        assert all(row.acknowledged for row in await alarms.standing(db))
