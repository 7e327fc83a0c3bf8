"""The desk of a server whose clients speak, and a browser that looks at it."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import Browser, Page, async_playwright

from sep2.admin.app import ACCESS
from sep2.desk.app import make
from sep2.server.app import State
from tests.admin.conftest import TOKEN, Operator
from tests.server.conftest import *  # noqa: F403 — the same people and database
from tests.server.conftest import Settled
from tests.server.world import People, World, serving

QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-features=SpareRendererForSitePerProcess,Translate,OptimizationHints,MediaRouter",
    "--mute-audio",
)
"""Words of a browser that does nothing but show the pages of the tests: 4 s of processor time less."""
PASSWORD = "correct horse battery"


def chromium() -> str:
    """The browser's program; without one its tests are skipped, but not in CI."""
    named = os.environ.get("SEP2_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        assert "CI" not in os.environ, "Chromium is missing: scripts/chromium.sh"
        pytest.skip("Chromium is missing: scripts/chromium.sh")
    return found


class Sight:
    """A page, and everything that went wrong with it: violations, errors, requests that leave the machine."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.wrong: list[str] = []
        page.set_default_timeout(120_000)  # of what is waited for, ms: a busy machine shows it late
        page.on("console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))
        page.on("request", lambda asked: None if asked.url.startswith(base) else self.wrong.append(asked.url))

    async def go(self, path: str) -> None:
        answer = await self.page.goto(self.base + path)
        assert answer is not None

    async def text(self, selector: str = "main") -> str:
        return await self.page.inner_text(selector)


class Room:
    """A server, its operator by the API, and a browser."""

    def __init__(self, world: World, operator: Operator, base: str, browser: Browser) -> None:
        self.world, self.operator, self.base, self.browser = world, operator, base, browser

    @property
    def state(self) -> State:
        return self.world.state

    @asynccontextmanager
    async def sight(self, *, name: str | None = "local", **context: Any) -> AsyncIterator[Sight]:
        """A page of somebody who is signed in by a link, or of nobody."""
        mine = await self.browser.new_context(**context)
        try:
            sight = Sight(await mine.new_page(), self.base)
            if name is not None:
                link = self.operator.http.app[ACCESS].link(name)  # type: ignore[union-attr]
                await sight.go(f"/desk/open?link={link}")
            yield sight
        finally:
            await mine.close()


@pytest.fixture(scope="session")
def browser_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the one browser of all tests is reached."""
    profile = tmp_path_factory.mktemp("chromium")
    program = [chromium(), *QUIET, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    with (profile / "log").open("w") as log:
        browser = subprocess.Popen(program, stderr=log, stdout=log)
    try:
        for _ in range(2400):
            if (found := re.search(r"ws://\S+", (profile / "log").read_text())) is not None:
                break
            assert browser.poll() is None, (profile / "log").read_text()
            time.sleep(0.05)
        assert found is not None, "the browser does not start"
        yield found[0]
    finally:
        browser.terminate()
        browser.wait(120)


@pytest.fixture
async def room(people: People, on_sqlite: Settled, tmp_path: Path, browser_address: str) -> AsyncIterator[Room]:
    token = tmp_path / "operator.token"
    token.write_text(TOKEN)
    operator = {"token_file": str(token)}
    async with (
        serving(
            people, on_sqlite.url, ids=on_sqlite.ids, operator=operator, utility={"zone": "Australia/Adelaide"}
        ) as world,
        TestClient(TestServer(make(world.state))) as http,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.connect_over_cdp(browser_address)
        yield Room(world, Operator(http, world.state), str(http.make_url("/")).rstrip("/"), browser)
        await browser.close()
