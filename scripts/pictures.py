"""Take the pictures of the desk that docs/ shows, from a demonstration that was left running.

It overrides a connection for two hours.

make demo ARGS="--stay --disobey 10"     and, with the link that it prints:
.venv/bin/python scripts/pictures.py LINK docs
"""

import asyncio
import os
import re
import shutil
import sys
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from PIL import Image
from playwright.async_api import Page, async_playwright

WIDTH, HEIGHT = 1280, 900
COLOURS = 256
"""They are enough for pages with few colours, and make small files."""
LIMIT = "export=0.5&minutes=120&reason=overload"
DRAWN_MS = 1500
"""Until charts are drawn and the first news has come."""


async def main(link: str, folder: Path) -> None:
    """Sign in once, and take each picture."""
    address = urlsplit(link)
    base = f"{address.scheme}://{address.netloc}"
    program = os.environ.get("SEP2_CHROMIUM") or shutil.which("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = await browser.new_page(color_scheme="light")
        await page.goto(link)
        transformer, connection = await names(page, base)
        await page.goto(f"{base}/desk/override?scope=connection&subject={quote(connection)}&{LIMIT}")
        await page.click(".send")
        await page.wait_for_url("**/desk/connection?id=*")
        for name, (path, height) in shown(transformer, connection).items():
            await page.set_viewport_size({"width": WIDTH, "height": height})
            await page.goto(base + path)
            await page.locator("#frame .live", has_text=re.compile("^live$")).wait_for()
            await page.wait_for_timeout(DRAWN_MS)
            picture = Image.open(BytesIO(await page.screenshot())).convert("RGB")
            small = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
            small.save(folder / f"desk-{name}.png", optimize=True)
        await browser.close()


async def names(page: Page, base: str) -> tuple[str, str]:
    """The transformer, and a connection that keeps its limits."""
    places = (await ask(page, f"{base}/places"))["items"]
    transformer = next(one["name"] for one in places if one["kind"] == "transformer")
    broken = (await ask(page, f"{base}/status"))["disobeying"]
    every = [one["connection_id"] for one in (await ask(page, f"{base}/connections"))["items"]]
    return transformer, next(one for one in every if one not in broken)


def shown(transformer: str, connection: str) -> dict[str, tuple[str, int]]:
    """The address of each picture, and its height."""
    return {
        "overview": ("/desk", HEIGHT),
        "network": (f"/desk/network?place={quote(transformer)}", 2200),
        "connection": (f"/desk/connection?id={quote(connection)}", HEIGHT),
        "override": (f"/desk/override?scope=place&subject={quote(transformer)}&{LIMIT}", HEIGHT),
        "alarms": ("/desk/alarms", HEIGHT),
    }


async def ask(page: Page, url: str) -> Any:
    """An answer of the operator API to who is signed in."""
    return await (await page.request.get(url)).json()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
