"""Requests of a small and of a large utility.

What a request costs where 100, 10,000 and 100,000 devices are registered, in milliseconds of the processor's time of
the server, on SQLite: one aggregator at first, then twenty that share the devices, and six controls ahead of each
device. The requests go round a hundred devices of one aggregator, and nothing is kept from one to the next: each answer
is made anew. Goal: at most a fifth more for the largest utility than for the smallest.
SEP2_BENCH_SIZES=100,1000 measures others, SEP2_BENCH_ONLY="GET" requests whose names begin so.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import uvloop
from sqlalchemy import bindparam, select, update

from certs.pki import open_pki
from certs.tls import client_context
from sep2 import wire as w
from sep2.operations.mirrors import NewMirror, NewSeries, Poster, put_mirror
from sep2.resources import TABLE
from sep2.settings import FILE
from sep2.store import Connection, Database, migrate, open_database
from sep2.store.tables import client, control, end_device, member
from tests.benchmarks.bench_http import COUNT, ROUNDS, SEP2, WARM, _free_port, _process, _reached
from tests.benchmarks.load import Target, sent
from tests.benchmarks.seed import Size, fill
from tests.benchmarks.table import Row
from tests.benchmarks.utility import PERIOD_S, PROFILE
from tests.benchmarks.utility import Asked as Same

AROUND = 100
"""Devices that are asked about, one after the other."""
MORE = 1.2


class _Device(NamedTuple):
    id: int
    lfdi: str
    program: int
    control: str
    mirror: int


class _Asked(NamedTuple):
    """A request about a device, which may differ with its number."""

    name: str
    method: str
    path: Callable[[_Device], str]
    body: Callable[[_Device, int], bytes] | None = None


def rows() -> list[Row]:
    """What each request costs at each size, and how much more at the largest than at the smallest."""
    sizes = [int(one) for one in os.environ.get("SEP2_BENCH_SIZES", "100,10000,100000").split(",")]
    with tempfile.TemporaryDirectory(prefix="sep2-bench-") as folder:
        found = {size: _measured(Path(folder, f"of{size}"), size) for size in sizes}
    first, last = found[sizes[0]], found[sizes[-1]]
    each = [
        Row(name=f"{name}, {size:,} devices", ours=found[size][name], unit="ms CPU", better="less")
        for name in first
        for size in sizes
    ]
    more = [
        Row(
            name=f"{name}: the largest to the smallest",
            ours=last[name] / first[name],
            unit="×",
            better="less",
            goal=MORE,
        )
        for name in first
    ]
    return each + more


def _measured(folder: Path, size: int) -> dict[str, float]:
    folder.mkdir()
    port = _free_port()
    init = ("init", str(folder), "--port", str(port), "--operator-port", str(_free_port()))
    subprocess.run([sys.executable, "-c", SEP2, *init], check=True, capture_output=True)
    with (folder / FILE).open("a", encoding="utf-8") as settings:
        settings.write("\n[utility.requests_per_minute]\ndevice = 0\naggregator = 0\n")
        settings.write("\n[limits]\nkept_answers_bytes = 0\n")
    return uvloop.run(_costs(folder, port, size))


async def _costs(folder: Path, port: int, size: int) -> dict[str, float]:
    url = f"sqlite:///{folder / 'sep2.db'}"
    await migrate(url)
    pki = open_pki(folder / "pki")
    identity = pki.issuer.issue_device("bench")
    stored = await open_database(url)
    try:
        devices = await _filled(stored, size, identity.lfdi, int(time.time()))
    finally:
        await stored.close()
    files = pki.save(identity, "bench")
    with _process("-c", SEP2, "serve", str(folder)) as pid:
        target = Target(pid, port, client_context(files, pki.trust()))
        await _reached(target)
        asked = [one for one in _requests(int(time.time())) if one.name.startswith(_wanted())]
        return {one.name: await _cost(target, one, devices) for one in asked}


def _wanted() -> tuple[str, ...]:
    return tuple(os.environ.get("SEP2_BENCH_ONLY", "").split(","))


async def _cost(target: Target, asked: _Asked, devices: list[_Device]) -> float:
    """The least of some rounds: what else the machine does only ever adds to it."""
    found = []
    for number in range(ROUNDS):
        requests = [
            Same(asked.name, asked.path(one), asked.method, _said(asked, one))
            for one in (devices[k % len(devices)] for k in range(COUNT))
        ]
        if number == 0:
            await sent(target, requests[0], range(WARM))
        first = WARM + number * COUNT
        found.append(await sent(target, requests, range(first, first + COUNT)))
    return min(found)


def _said(asked: _Asked, device: _Device) -> Callable[[int], bytes] | None:
    body = asked.body
    return None if body is None else lambda n: body(device, n)


async def _filled(database: Database, size: int, lfdi: str, now: int) -> list[_Device]:
    """A hundred devices of the first client, whose certificate is ours from now on."""
    clients = 1 if size < 5000 else 20
    alike = Size(size, clients, max(1, size // 50), max(1, size // 1000), days=1, alarms=0, standing=0, changes=0)
    await fill(database, alike, now)
    async with database.write() as db:
        await db.run(update(client).where(client.c.id == 1).values(lfdi=lfdi))
        of_client = select(end_device.c.id, end_device.c.lfdi).where(end_device.c.client_id == 1)
        found = await db.all(of_client.order_by(end_device.c.id).limit(AROUND))
        return [await _device(db, row.id, row.lfdi, now) for row in found]


_AHEAD = (
    select(control.c.device_group_id, control.c.mrid)
    .join(member, member.c.device_group_id == control.c.device_group_id)
    .where(member.c.end_device_id == bindparam("device_id"))
    .limit(1)
)


async def _device(db: Connection, number: int, lfdi: str, now: int) -> _Device:
    ahead = await db.one(_AHEAD, device_id=number)
    assert ahead is not None
    kind = w.ReadingType(uom=38, intervalLength=PERIOD_S)
    mrid = f"{number:032X}"
    series = NewSeries(mrid=mrid, reading_type=w.encode(kind, PROFILE), interval_s=PERIOD_S, uom=38)
    new = NewMirror(
        poster=Poster(1, PERIOD_S), end_device_id=number, mrid=mrid, description="", version=None, role_flags=3,
        service_kind=0, status=1, series=[series],
    )  # fmt: skip
    mirror, _ = await put_mirror(db, new, now)
    return _Device(number, lfdi, ahead.device_group_id, ahead.mrid, mirror)


def _requests(now: int) -> list[_Asked]:
    def at(name: str, query: str = "") -> Callable[[_Device], str]:
        def path(one: _Device) -> str:
            ids = {"edev": one.id, "der": 1, "rsps": 1, "derp": one.program, "fsa": one.program, "mup": one.mirror}
            return TABLE.href(name, ids) + query

        return path

    def status(_: _Device, n: int) -> bytes:
        return w.encode(w.DERStatus(readingTime=now + n), PROFILE)

    def reading(one: _Device, n: int) -> bytes:
        span = w.DateTimeInterval(duration=PERIOD_S, start=now // PERIOD_S * PERIOD_S - 86_400 * 365 + n * PERIOD_S)
        said = w.Reading(localID=w.HexBinary(0, 2), timePeriod=span, value=n)
        return w.encode(w.MirrorMeterReading(mRID=w.HexBinary(f"{one.id:032X}"), Reading=said), PROFILE)

    def answer(one: _Device, n: int) -> bytes:
        said = w.DERControlResponse(
            createdDateTime=now + n, endDeviceLFDI=w.HexBinary(one.lfdi), status=1, subject=w.HexBinary(one.control)
        )
        return w.encode(said, PROFILE)

    gets = (
        "EndDevice",
        "FunctionSetAssignmentsList",
        "DERProgramList",
        "DefaultDERControl",
        "DERControlList",
        "DERList",
    )
    return [
        _Asked("GET /dcap", "GET", lambda _: "/dcap"),
        _Asked("GET EndDeviceList, 10", "GET", lambda _: "/edev?l=10"),
        _Asked("GET EndDeviceList, 100", "GET", lambda _: "/edev?l=100"),
        *(_Asked(f"GET {name}", "GET", at(name, "?l=10" if name.endswith("List") else "")) for name in gets),
        _Asked("PUT DERStatus", "PUT", at("DERStatus"), status),
        _Asked("POST 1 reading", "POST", at("MirrorUsagePoint"), reading),
        _Asked("POST response", "POST", at("ResponseList"), answer),
    ]
