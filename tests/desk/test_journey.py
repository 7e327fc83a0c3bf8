"""From nothing to an overridden, obeying, compliant simulated inverter: by browser alone, and by command line alone."""

import asyncio
import re
from pathlib import Path

from aiohttp import ClientSession

from certs.identity import Files
from certs.pki import open_pki
from tests.cli.conftest import say, serving
from tests.desk.conftest import Room, Sight
from tests.desk.home import HOME_W, Home
from tests.ports import free_ports
from tests.server.world import NOW

EXPORT_W = 500
STEPS = 15
"""Of five minutes: until what was posted under the override is settled and judged."""


async def fill(sight: Sight, form: str, **said: str) -> None:
    """Fill a form of the register, look at what it would answer, and send it."""
    await sight.go(f"/desk/change?form={form}")
    for name, value in said.items():
        await sight.page.fill(f"#f-{name}", value)
    await sight.page.click("text=Show what it would do")
    await sight.page.wait_for_selector(".sheet")
    before = sight.page.url
    await sight.page.click(".send")
    await sight.page.wait_for_url(lambda url: url != before)


async def test_by_browser_alone(room: Room) -> None:
    people, world = room.world.people, room.world

    async def move(now: int) -> None:
        world.advance(now)
        await world.settle()

    async with room.sight() as sight:
        await fill(sight, "place-add", name="TX9")
        await fill(sight, "connection-add", connection_id="NMI77", description="corner house", place="TX9")
        await fill(sight, "client-add", name="Fresh", lfdi=people.lfdi("stranger"), connections="NMI77")
        assert "Client Fresh" in await sight.text("h1")
        address = f"https://127.0.0.1:{world.port}"
        async with Home(address, people.files("stranger"), people.pki, NOW) as home:
            await home.live(3, move)
            assert home.inverter.solar_w > HOME_W + EXPORT_W
            await sight.go("/desk/search?q=nmi77")
            await sight.page.click("main table a")
            await sight.page.wait_for_selector("text=Devices here")
            await sight.page.click("section[aria-labelledby=t5] a[href*='/desk/device']")
            device = sight.page.url.removeprefix(room.base)
            await sight.page.wait_for_selector("text=/Sign of \\d+…/")
            for number in range(await sight.page.locator("text=/Sign of \\d+…/").count()):
                await sight.go(device)
                await sight.page.click(f"text=/Sign of \\d+…/ >> nth={number}")
                await sight.page.select_option("#f-reading_sign", "as-posted")
                await sight.page.click("text=Show what it would do")
                await sight.page.click(".send")
                await sight.page.wait_for_url("**/desk")
            await sight.go("/desk/override?scope=connection&subject=NMI77&export=0.5&minutes=120&reason=overload")
            await sight.page.click(".send")
            await sight.page.wait_for_url("**/desk/connection?id=NMI77")
            await home.live(STEPS, move)
            assert home.inverter.solar_w == HOME_W + EXPORT_W
            await world.state.judge.once()
        await sight.go("/desk/connection?id=NMI77")
        assert "Export at most 500 W: override of connection NMI77 (overload)" in await sight.text("#why")
        assert await sight.page.locator("section[aria-labelledby=t6] >> text=started").count() == 1
        kept = await sight.text("section[aria-labelledby=t4]")
        assert re.search(r"export\s+100\.0 %", kept), kept
        await sight.go("/desk/reports?by=client")
        assert re.search(r"Fresh\s+\d+\.\d h", await sight.text()), await sight.text()
        assert not sight.wrong


async def test_by_command_line_alone(tmp_path: Path) -> None:
    folder = tmp_path / "utility"
    port, operator_port = free_ports(2)
    ports = "--port", str(port), "--operator-port", str(operator_port)
    assert (await asyncio.to_thread(say, "init", str(folder), *ports, "--clock", "paced")).status == 0
    env = {"SEP2_DIR": str(folder)}

    async def sep2(*words: str) -> str:
        done = await asyncio.to_thread(say, *words, env=env)
        assert done.status == 0, (words, done.out, done.err)
        return done.out

    token = (folder / "operator.token").read_text().strip()
    with serving(folder):
        async with ClientSession(
            f"http://127.0.0.1:{operator_port}", headers={"Authorization": f"Bearer {token}"}
        ) as http:

            async def status() -> dict[str, int]:
                async with http.get("/status") as answer:
                    found: dict[str, int] = await answer.json()
                    return found

            async def move(now: int) -> None:
                async with http.put("/clock", json={"now": now}) as answer:
                    assert answer.status == 200, await answer.text()
                while not (await status())["settled"]:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)

            await move(NOW)
            await sep2("place", "add", "TX9", "--kind", "transformer")
            await sep2("client", "add", "Fresh", "--issue", str(folder / "pki"), "--connection", "NMI77")
            await sep2("connection", "move", "NMI77", "--to", "TX9")
            files = Files.named(folder / "pki", "Fresh")
            async with Home(f"https://127.0.0.1:{port}", files, open_pki(folder / "pki"), NOW) as home:
                await home.live(3, move)
                for line in (await sep2("mirror", "list")).splitlines()[1:-1]:
                    await sep2("mirror", "set", line.split()[0], "--sign", "as-posted")
                limit = "--export", "500W", "--for", "2h", "--reason", "overload"
                await sep2("override", "send", "--connection", "NMI77", *limit)
                await home.live(STEPS, move)
                assert home.inverter.solar_w == HOME_W + EXPORT_W
            assert "override" in await sep2("why", "NMI77")
            assert re.search(r"^Fresh\s+\S+ h\s+100\.0 %", await sep2("report", "show", "--by", "client"), re.MULTILINE)
            assert "NMI77" in await sep2("find", "nmi")
            assert "send_override" in await sep2("audit", "list")
            assert "register_client" in await sep2("client", "history", "Fresh")
