"""Take the pictures of the desk that docs/ shows, from a demonstration that was left running.

make demo ARGS="--stay"     and, with the link that it prints:
.venv/bin/python scripts/pictures.py LINK docs
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from playwright.async_api import Page, async_playwright

SIZE = {"width": 1280, "height": 900}
DRAWN_MS = 1500
"""Until charts are drawn and the first news has come."""


async def main(link: str, folder: Path) -> None:
    """Sign in once, and take each picture."""
    address = urlsplit(link)
    base = f"{address.scheme}://{address.netloc}"
    program = os.environ.get("SEP2_CHROMIUM") or shutil.which("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = await browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]  # a TypedDict
        await page.goto(link)
        for name, path in (await paths(page, base)).items():
            await page.goto(base + path)
            await page.wait_for_timeout(DRAWN_MS)
            await page.screenshot(path=folder / f"desk-{name}.png")
        await browser.close()


async def paths(page: Page, base: str) -> dict[str, str]:
    """What is shown: the transformer, the connection that is held back most, an override of the transformer."""
    places = (await ask(page, f"{base}/places"))["items"]
    place = next(one["name"] for one in places if one["kind"] == "transformer")
    broken = (await ask(page, f"{base}/status"))["disobeying"]
    names = broken or [one["connection_id"] for one in (await ask(page, f"{base}/connections"))["items"]]
    override = f"scope=place&subject={quote(place)}&export=0.5&minutes=60&reason=overload"
    return {
        "overview": "/desk",
        "network": f"/desk/network?place={quote(place)}",
        "connection": f"/desk/connection?id={quote(names[0])}",
        "override": f"/desk/override?{override}",
        "alarms": "/desk/alarms",
    }


async def ask(page: Page, url: str) -> Any:
    """An answer of the operator API to who is signed in."""
    return await (await page.request.get(url)).json()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
