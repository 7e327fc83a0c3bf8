"""The pages of the desk in a real browser: what they show, and that nothing of them does harm."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe

from sep2.desk.app import PAGES
from tests.admin.test_looking import modelled
from tests.desk.conftest import PASSWORD, Room, Sight
from tests.server.meters import W, mirror, post, read, reading_type
from tests.server.world import NOW

FORMS = (
    "/desk/override?scope=connection&subject=NMI1&export=1&minutes=60&reason=overload",
    "/desk/control?subject=NMI1&export=1&minutes=60",
)
ADDRESSES = [page.path for page in PAGES if page.in_navigation]
ADDRESSES += ["/desk/client?name=sunny", "/desk/connection?id=NMI1", "/desk/why?id=NMI1", "/desk/search?q=NMI"]
ADDRESSES += ["/desk/envelopes", "/desk/network?feeder=street", "/desk/network?feeder=street&show=measured"]
ADDRESSES += [
    "/desk/change?form=connection-add",
    "/desk/change?form=client-remove&of=sunny&filled=true",
    "/desk/backstop?what=test&minutes=10",
    *FORMS,
]
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
COLOURS = {"runOnly": ["color-contrast"]}
"""What differs between light and dark."""
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}'
SHORT = '"><img src=x onerror=alert(3)>'
OVERRIDE = {
    "scope": "connection",
    "subject": "NMI1",
    "limits": {"export_w": 500},
    "duration": 7200,
    "reason": "overload",
}


async def measured(room: Room) -> None:
    """One hour of export at NMI1, posted by its client, and a gap before it."""
    sunny = await room.world.as_("sunny")
    await modelled(room.operator)
    path = await mirror(sunny, room.world.ids.lfdis["one"], types={"0B01": reading_type(W)})
    await post(sunny, path, "0B01", read("0C01", NOW - 7200, [(300, -1200)] * 6))
    await post(sunny, path, "0B01", read("0C02", NOW - 3600, [(300, -1400)] * 6))


async def test_who_is_not_signed_in_is_asked_to_be(room: Room) -> None:
    async with room.sight(name=None) as sight:
        await sight.go("/")
        assert "/desk/sign-in" in sight.page.url
        for address in ADDRESSES:
            assert "/desk/sign-in" in (await sight.page.request.get(room.base + address)).url, address
        violations = await Axe().run(sight.page, options=AXE)
        assert violations.violations_count == 0, violations.generate_report()
        assert not sight.wrong
    await room.operator.change("POST", "/operators", {"name": "Ada", "role": "operator", "password": PASSWORD})
    async with room.sight(name=None) as sight:
        await sight.go("/desk/alarms")
        await sight.page.fill("#name", "Ada")
        await sight.page.fill("#password", PASSWORD)
        await sight.page.press("#password", "Enter")
        await sight.page.wait_for_url("**/desk/alarms")
        assert "Ada (operator)" in await sight.text(".who")
        assert "TEST" in await sight.text(".frame")
        await sight.page.click("text=Sign out")
        await sight.page.wait_for_url("**/desk/sign-in")
        await sight.go("/desk")
        assert "/desk/sign-in" in sight.page.url
        assert not sight.wrong


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_every_page_is_accessible_and_fits(room: Room, scheme: str, width: int) -> None:
    await measured(room)
    await room.operator.change("POST", "/overrides", OVERRIDE)
    async with room.sight(color_scheme=scheme, viewport={"width": width, "height": 800}) as sight:
        for address in ADDRESSES:
            await sight.go(address)
            found = await Axe().run(sight.page, options=AXE if scheme == "light" else COLOURS)
            assert found.violations_count == 0, (address, found.generate_report())
            wide = await sight.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (address, wide)
        assert not sight.wrong


async def test_a_connection_shows_what_limits_it_what_was_measured_and_why(room: Room) -> None:
    await measured(room)
    await room.operator.change("POST", "/overrides", OVERRIDE)
    async with room.sight() as sight:
        await sight.go("/desk/connection?id=NMI1")
        assert await sight.page.locator("#chart canvas").count() == 1
        assert "export override limit" in await sight.text(".u-legend")
        why = await sight.text("#why")
        assert "Export at most 500 W: override of connection NMI1 (overload)" in why
        assert "12 means over five minutes" in await sight.text()
        await sight.page.focus("#moment")
        await sight.page.keyboard.press("End")
        assert "Export at most 1.5 kW: the contract or the utility's default" in await sight.text("#why")
        await sight.page.focus("h1 >> xpath=..")
        await sight.page.keyboard.press("t")
        assert not await sight.page.is_visible("#chart")
        await sight.page.keyboard.press("t")
        assert await sight.page.is_visible("#chart canvas")
        await sight.go(f"/desk/connection?id=NMI1&at={NOW + 7300}")
        assert "the utility's default" in await sight.text("#why")
        assert not sight.wrong


def made_of(link: str, html: str) -> tuple[str, frozenset[str]]:
    """The page of a link, with the kinds of elements in it and the attributes that scripts look for."""
    return link.partition("?")[0], frozenset(re.findall(r"<\w+|\btype=\"\w+\"|\bdata-[\w-]+(?==)", html))


async def test_stored_strings_do_no_harm(room: Room) -> None:
    await modelled(room.operator)
    api = room.operator
    await api.change("POST", "/clients", {"name": HOSTILE, "lfdi": "AB" * 20})
    await api.change(
        "POST", "/connections", {"connection_id": SHORT.replace(" ", "/"), "description": HOSTILE + "\u202egpj"}
    )
    await api.change("POST", "/devices", {"client": HOSTILE, "connection_id": SHORT.replace(" ", "/")})
    body = OVERRIDE | {"subject": "NMI2", "reason": "other", "note": HOSTILE}
    await api.change("POST", "/overrides", body)
    await api.ask("GET", "/clients", headers={"X-Operator": HOSTILE.encode("ascii", "replace").decode()})
    async with room.sight(user_agent=SHORT) as sight:
        links = set()
        for address in ADDRESSES:
            await sight.go(address)
            links |= set(
                await sight.page.eval_on_selector_all(
                    "main a[href]", "all => all.map(a => new URL(a.getAttribute('href'), location).href)"
                )
            )
        seen = set()
        for link in sorted(links):
            html = await (await sight.page.request.get(link)).text()
            kind = made_of(link, html)
            if "alert(" in html or kind not in seen:  # a page without a stored string is opened once of its kind
                await sight.go(link.removeprefix(room.base))
                seen.add(kind)
        assert len(links) > len(seen) > 10
        await sight.go("/desk/connections")
        shown = await sight.text()
        assert "\ufffdgpj" in shown
        assert "\u202e" not in shown
        await sight.go("/desk/clients")
        shown = await sight.text()
        assert "<script>alert(1)</script>" in shown
        assert "{{7*7}}" in shown
        assert not sight.wrong


REMEMBER = """
    window.said = [];
    const note = () => said.push(document.querySelector("#frame .live").textContent);
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true, characterData: true });
"""
"""Keeps all that the frame says of the stream, also what it says for a moment only."""


async def cut(room: Room) -> None:
    """Break every connection of the network to the desk, as it is now."""
    served = room.operator.http.server.runner.server
    assert served is not None
    for connection in served.connections:
        assert connection.transport is not None
        connection.transport.abort()


async def test_news_reach_a_page_that_stays_open(room: Room) -> None:
    async with room.sight() as sight:
        await sight.go("/desk")
        await sight.page.wait_for_selector("#frame .live:text-is('live')")
        await sight.page.wait_for_timeout(1200)
        await room.operator.change("POST", "/overrides", OVERRIDE)
        await sight.page.wait_for_selector("#live >> text=export ≤ 500 W")
        assert await sight.page.locator("h1").count() == 1
        assert await sight.page.locator("#live").count() == 1
        assert not sight.wrong

        await sight.page.evaluate(REMEMBER)
        await cut(room)
        for _ in range(600):
            # A predicate that waits in the page is evaluated there, which its Content-Security-Policy forbids.
            if await sight.page.evaluate("said.some((one) => one.startsWith('not live since'))"):
                break
            await sight.page.wait_for_timeout(100)
        else:
            raise AssertionError(await sight.page.evaluate("said"))
        await room.operator.change("POST", "/overrides/1/release", {})
        await sight.page.wait_for_selector("#frame .live:text-is('live')")
        await sight.page.wait_for_selector("#live >> text=export ≤ 500 W", state="hidden")
        assert all("ERR_" in one for one in sight.wrong), sight.wrong


async def act(sight: Sight, label: str) -> None:
    """Reach a link or a button by the keyboard alone, and press it."""
    for _ in range(60):
        await sight.page.keyboard.press("Tab")
        text = await sight.page.evaluate("document.activeElement.innerText || document.activeElement.id")
        if text == label:
            return
    raise AssertionError(f"{label} can not be reached")


async def test_override_and_release_by_keyboard_alone(room: Room) -> None:
    async with room.sight() as sight:
        keys = sight.page.keyboard
        await sight.go("/desk/connection?id=NMI1")
        await act(sight, "Override…")
        await keys.press("Enter")
        await sight.page.wait_for_url("**/desk/override?*")
        for field, value in (("export", "0.5"), ("minutes", "120"), ("reason", "o"), ("note", "T7 L2")):
            await act(sight, field) if field != "reason" else await sight.page.focus("#reason")
            await keys.type(value)
        await act(sight, "Show what it would do")
        await keys.press("Enter")
        await sight.page.wait_for_selector(".sheet")
        sheet = await sight.text(".sheet")
        assert "export ≤ 500 W" in sheet
        assert "1 connections, 1 devices" in sheet
        assert not (await room.operator.get("/overrides"))["items"], "a dry run has sent something"
        await act(sight, "Send")
        await keys.press("Enter")
        await sight.page.wait_for_url("**/desk/connection?id=NMI1")
        (sent,) = (await room.operator.get("/overrides"))["items"]
        assert sent["limits"] == {"export_w": 500}
        assert sent["operator"] == "local"
        await act(sight, f"Release {sent['id']}…")
        await keys.press("Enter")
        await sight.page.wait_for_selector(".sheet")
        await act(sight, "Release")
        await keys.press("Enter")
        await sight.page.wait_for_url("**/desk/connection?id=NMI1")
        assert not (await room.operator.get("/overrides"))["items"]
        assert not sight.wrong


async def test_a_world_that_changed_is_shown_again_before_it_is_sent(room: Room) -> None:
    async with room.sight() as sight:
        await sight.go("/desk/override?scope=group&subject=feeder&export=0.4&minutes=60&reason=overload")
        await room.operator.change("DELETE", "/groups/feeder/devices/" + room.world.ids.lfdis["three"])
        await sight.page.click("text=Send")
        await sight.page.wait_for_selector("text=The world has changed meanwhile")
        assert not (await room.operator.get("/overrides"))["items"]
        await sight.page.wait_for_selector("text=1 connections, 1 devices")
        await sight.page.click(".send")
        await sight.page.wait_for_url("**/desk/overrides")
        assert len((await room.operator.get("/overrides"))["items"]) == 1


async def test_a_control_is_sent_from_the_connection(room: Room) -> None:
    async with room.sight() as sight:
        await sight.go("/desk/control?subject=NMI1&export=0.7&minutes=60&reason=test")
        await sight.page.click(".send")
        await sight.page.wait_for_url("**/desk/connection?id=NMI1")
        assert "Export at most 700 W: schedule of connection NMI1 (test)" in await sight.text("#why")
        await sight.go("/desk/controls")
        await sight.page.click("main button[data-post]")
        await sight.page.wait_for_selector("#said:text('Done')")
        await sight.go("/desk/connection?id=NMI1")
        assert "no control is in force" in await sight.text("#why")
        assert not sight.wrong


async def test_what_is_refused_says_why(room: Room) -> None:
    async with room.sight() as sight:
        for query, said in (
            ("scope=connection&subject=NMI1&export=abc&minutes=60&reason=overload", "export: abc is not a number"),
            ("scope=connection&subject=NMI1&export=0.5&reason=overload", "minutes: say for how long"),
            ("scope=connection&subject=NMI1&export=0.5&minutes=60", "reason"),
            ("scope=connection&subject=nowhere&export=0.5&minutes=60&reason=test", "no connection of that id"),
            ("scope=planet&export=0.5&minutes=60&reason=test", "planet"),
        ):
            await sight.go(f"/desk/override?{query}")
            assert said in await sight.text("[role=alert]"), query
        sight.wrong.clear()
        await sight.go("/desk/connection?id=nowhere")
        assert "There is no connection of that id" in await sight.text()
        await sight.go("/desk/nothing")
        assert "There is no such page" in await sight.text()


async def test_a_viewer_reads_and_is_told_which_role_could_act(room: Room) -> None:
    await modelled(room.operator)
    await room.operator.change("POST", "/operators", {"name": "Vi", "role": "viewer", "password": PASSWORD})
    await room.operator.change("POST", "/overrides", OVERRIDE)
    async with room.sight(name="Vi") as sight:
        for address in ADDRESSES[:-2]:
            await sight.go(address)
            assert await sight.page.locator("main [data-post]").count() == 0, address
        await sight.go("/desk/overrides")
        assert "needs operator" in await sight.text()
        await sight.go(FORMS[0])
        assert "Your role may not do that" in await sight.text("[role=alert]")
        assert not sight.wrong
