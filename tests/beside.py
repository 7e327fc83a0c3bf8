"""A server in a process of its own, a client that asks too much, and what others get beside it."""

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from sep2.operations.devices import NewDevice, add_device
from sep2.rules.identifiers import managed_lfdi
from sep2.store import open_database
from tests.raw import Raw, context, document, request
from tests.server.process import TOKEN, House
from tests.server.test_refusals import mirror
from tests.server.world import NOW, People

NO_PACE = "[utility.requests_per_minute]\naggregator = 0\ndevice = 0\n"


@dataclass
class Beside:
    """Seconds that each GET of another client, and each control of an operator, took."""

    gets: list[float] = field(default_factory=list)
    controls: list[float] = field(default_factory=list)

    def said(self) -> str:
        """The figures, in milliseconds."""
        return (
            f"GET of another client: median {_ms(statistics.median(self.gets))}, p95 {_ms(_p95(self.gets))}, slowest "
            f"{_ms(max(self.gets))} of {len(self.gets)}; operator's control: p95 {_ms(_p95(self.controls))}, slowest "
            f"{_ms(max(self.controls))} of {len(self.controls)}"
        )


class Utility(NamedTuple):
    """A running server and the requests that sunny can ask too much with."""

    house: House
    root: Path
    mirror: str

    async def as_(self, name: str) -> Raw:
        """A new connection of somebody."""
        return await Raw.open(self.house.port, context(self.root, self.house.people.files(name)))


@contextlib.asynccontextmanager
async def served(folder: Path, people: People, url: str, *, devices: int = 0, more: str = "") -> AsyncIterator[Utility]:
    """A server whose client sunny has so many devices and one mirror; `more` are further lines of its settings."""
    house = House(folder, people, url)
    await house.settle(clock="system")
    with (folder / "sep2.toml").open("a", encoding="utf-8") as settings:
        settings.write(more)
    database = await open_database(url)
    async with database.write() as db:
        for _ in range(devices):
            await add_device(db, NewDevice(managed_lfdi(32473), house.ids.clients["sunny"], None), NOW)
    await database.close()
    await house.start()
    try:
        root = people.pki.folder / "root.pem"
        sunny = await Raw.open(house.port, context(root, people.files("sunny")))
        place = (await sunny.post("/mup", mirror(house.ids.lfdis["one"], "0A"))).location
        await sunny.close()
        yield Utility(house, root, place)
    finally:
        await house.stop()


def large_body() -> bytes:
    """Close to a MiB of readings."""
    start = int(time.time()) - 40_000
    each = (
        f"<Reading><timePeriod><duration>1</duration><start>{start + number}</start></timePeriod>"
        f"<value>{number}</value></Reading>"
        for number in range(9_300)
    )
    period = f"<timePeriod><duration>9300</duration><start>{start}</start></timePeriod>"
    return document(
        "MirrorMeterReading",
        f"<mRID>0A</mRID><MirrorReadingSet><mRID>0B</mRID>{period}{''.join(each)}</MirrorReadingSet>"
        "<ReadingType><uom>38</uom></ReadingType>",
    ).encode()


def floods(utility: Utility) -> dict[str, tuple[int, bytes]]:
    """Ways to ask too much: connections, and what each of them sends again as soon as it is answered."""
    status = document("DERStatus", f"<readingTime>{NOW}</readingTime>").encode()
    edev = utility.house.ids.devices["one"]
    return {
        "forty connections, GET /dcap": (40, request("GET", "/dcap")),
        "forty connections, pages of 255 EndDevices": (40, request("GET", "/edev?l=255")),
        "forty connections, PUT DERStatus": (40, request("PUT", f"/edev/{edev}/der/1/ders", status)),
        "eight connections, bodies of 1 MiB": (8, request("POST", utility.mirror, large_body())),
        "eight connections, 1 MiB that is refused": (8, request("POST", utility.mirror, b"<a>" + b"<b/>" * 250_000)),
    }


async def flooded(utility: Utility, connections: int, asked: bytes, seconds: float) -> tuple[Beside, dict[str, int]]:
    """What others got while sunny asked too much, and how many answers of each status sunny got."""
    file = utility.house.folder / "asked"
    file.write_bytes(asked)
    crowd = await _process(utility, "tests.crowd", str(connections), str(seconds + 1), str(file))
    assert crowd.stdout is not None
    assert await crowd.stdout.readline() == b"connected\n"
    until = time.monotonic() + seconds
    beside = await measured(utility, lambda: time.monotonic() >= until)
    answers = json.loads(await crowd.stdout.readline())
    await crowd.wait()
    return beside, answers


async def fuzzed(utility: Utility, connections: int, many: int, seed: int) -> tuple[Beside, dict[str, int]]:
    """What others got while sunny sent so many spoiled bodies, and how many answers of each status sunny got."""
    ids = utility.house.ids
    said = (str(ids.devices["one"]), str(ids.groups["feeder"]), ids.lfdis["one"])
    fuzz = await _process(utility, "tests.fuzz", str(connections), str(many), str(seed), *said)
    assert fuzz.stdout is not None
    line = asyncio.create_task(fuzz.stdout.readline())
    beside = await measured(utility, line.done)
    assert await fuzz.wait() == 0, f"seed {seed}"
    return beside, json.loads(await line)


async def measured(utility: Utility, is_over: Callable[[], bool]) -> Beside:
    """What gale's GETs and an operator's controls take, until it is over."""
    beside = Beside()

    async def get() -> None:
        gale = await utility.as_("gale")
        while not is_over():
            began = time.perf_counter()
            assert (await gale.get("/dcap")).status == 200
            beside.gets.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)
        await gale.close()

    async def control() -> None:
        first = (int(time.time()) // 3600 + 2) * 3600  # the same controls again and again, whoever measures
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
            url = f"http://127.0.0.1:{utility.house.operator_port}/groups/feeder/controls"
            while not is_over():
                number = len(beside.controls)
                start = first + 3600 * (number % 20)
                new: dict[str, Any] = {"start": start, "duration": 60, "limits": {"export_w": 1000 + number}}
                began = time.perf_counter()
                async with session.post(url, json={"controls": [new]}) as answer:
                    assert answer.status == 200, await answer.text()
                beside.controls.append(time.perf_counter() - began)
                await asyncio.sleep(0.3)

    await asyncio.gather(get(), control())
    return beside


async def _process(utility: Utility, module: str, *words: str) -> asyncio.subprocess.Process:
    files = utility.house.people.files("sunny")
    reach = (str(utility.house.port), str(files.chain), str(files.key), str(utility.root))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *reach, *words, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
