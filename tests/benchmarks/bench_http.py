"""The server over mutual TLS.

A client of 2030.5 with a certificate of its own and ECDHE-ECDSA-AES128-CCM8. The server is `sep2 serve` with SQLite;
the reference is a bare aiohttp handler under uvloop, behind the same TLS, that returns bytes of the same size: what is
left between the two is ours. Eight connections ask again as soon as they are answered; server and load share the
machine.
"""

import asyncio
import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop

from certs.identity import Files
from certs.pki import open_pki
from certs.tls import client_context
from sep2 import wire as w
from sep2.operations.clients import NewClient, register_client
from sep2.operations.connections import NewConnection, add_connection
from sep2.operations.controls import NewControl, issue_controls
from sep2.operations.devices import NewDevice, add_device
from sep2.rules.limits import Limits
from sep2.settings import FILE
from sep2.store import groups, open_database
from tests.benchmarks.load import Load, Target, kept_alive, one, reconnecting
from tests.benchmarks.table import Row

CONTROLS = 100
ROUNDS = 3
SECONDS = 3.0
SEP2 = "from sep2.cli import main; main()"
BARE = "bare aiohttp handler"
Measure = Callable[[Target, str, float], Awaitable[Load]]


def rows() -> list[Row]:
    """Requests per second and their cost, for a small answer, a large one, and a new connection each."""
    with tempfile.TemporaryDirectory(prefix="sep2-bench-") as folder:
        port, operator_port = _free_port(), _free_port()
        init = ("init", folder, "--port", str(port), "--operator-port", str(operator_port))
        subprocess.run([sys.executable, "-c", SEP2, *init], check=True, capture_output=True)
        with (Path(folder) / FILE).open("a", encoding="utf-8") as settings:
            settings.write("\n[utility.requests_per_minute]\ndevice = 0\n")
        return uvloop.run(_rows(Path(folder), port))


async def _rows(folder: Path, port: int) -> list[Row]:
    files = await _fill(folder)
    tls = client_context(files, open_pki(folder / "pki").trust())
    with _process("-c", SEP2, "serve", str(folder)) as pid:
        ours = Target(pid, port, tls)
        await _reached(ours)
        controls = await _list_of_controls(ours)
        bodies = {path: (await one(ours, path)).partition(b"\r\n\r\n")[2] for path in ("/dcap", controls)}
        with _bare(folder, bodies) as (bare_pid, bare_port):
            bare = Target(bare_pid, bare_port, tls)
            await _reached(bare)
            small, large = (f"{len(body):,} bytes" for body in bodies.values())
            return [
                *await _compared(ours, bare, f"GET /dcap, {small}", "/dcap", kept_alive),
                *await _compared(ours, bare, f"GET DERControlList, {CONTROLS} controls, {large}", controls, kept_alive),
                *await _compared(ours, bare, "connect, GET /dcap, close", "/dcap", reconnecting),
            ]


async def _compared(ours: Target, bare: Target, name: str, path: str, measure: Measure) -> list[Row]:
    """Both servers in turn, several times, so that what else the machine does falls on both; the medians count."""
    mine, theirs = [], []
    for _ in range(ROUNDS):
        mine.append(await measure(ours, path, SECONDS))
        theirs.append(await measure(bare, path, SECONDS))
    (per_s, cpu_ms), (bare_per_s, bare_cpu_ms) = _median(mine), _median(theirs)
    rate = Row(name=name, ours=per_s, unit="per second", reference_name=BARE, reference=bare_per_s, cpu_ms=cpu_ms)
    cost = Row(name=name, ours=cpu_ms, unit="ms CPU", reference_name=BARE, reference=bare_cpu_ms, better="less")
    return [rate, cost]


def _median(loads: list[Load]) -> tuple[float, float]:
    return statistics.median(load.per_s for load in loads), statistics.median(load.cpu_ms for load in loads)


async def _fill(folder: Path) -> Files:
    """One device and its controls in a server's folder; the device's certificate."""
    pki = open_pki(folder / "pki")
    identity = pki.issuer.issue_device("bench")
    now = int(time.time())
    database = await open_database(f"sqlite:///{folder / 'sep2.db'}")
    try:
        async with database.write() as db:
            client = await register_client(db, NewClient("bench", identity.lfdi, "device"), now)
            place = await add_connection(db, NewConnection("NMI1"), now)
            await add_device(db, NewDevice(identity.lfdi, client, "NMI1"), now)
            group = await groups.of_connection(db, place)
            assert group is not None
            limits = [Limits(import_w=7000 + number, export_w=1500 + number) for number in range(CONTROLS)]
            # All in the future, and for long: none begins or ends while it is measured.
            new = [
                NewControl(start=now + 86_400 + number * 300, duration=300, limits=both)
                for number, both in enumerate(limits)
            ]
            await issue_controls(db, group.id, new, now, most_ahead=CONTROLS)
    finally:
        await database.close()
    return pki.save(identity, "bench")


async def _list_of_controls(target: Target) -> str:
    """The way of a client from /dcap to the list of controls, asking for all of them."""
    devices = await _get(target, "/dcap", w.DeviceCapability, "EndDeviceListLink")
    sets = await _get(target, devices, w.EndDeviceList, "EndDevice", "FunctionSetAssignmentsListLink")
    programs = await _get(target, sets, w.FunctionSetAssignmentsList, "FunctionSetAssignments", "DERProgramListLink")
    controls = await _get(target, programs, w.DERProgramList, "DERProgram", "DERControlListLink")
    return f"{controls}?l={CONTROLS}"


async def _get(target: Target, path: str, kind: type, *steps: str) -> str:
    """The href behind a link of a resource, or of the first item of a list."""
    found: Any = w.decode((await one(target, path)).partition(b"\r\n\r\n")[2], kind, profile=w.Profile.CSIP_AUS_1_2)
    for step in steps:
        found = getattr(found, step)
        found = found[0] if isinstance(found, list | tuple) else found
    return str(found.href)


async def _reached(target: Target) -> None:
    """Wait until the server answers."""
    for _ in range(200):
        with contextlib.suppress(OSError):
            await one(target, "/dcap")
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("the server does not answer")


@contextlib.contextmanager
def _bare(folder: Path, bodies: dict[str, bytes]) -> Iterator[tuple[int, int]]:
    words = []
    for number, (path, body) in enumerate(bodies.items()):
        file = folder / f"body{number}"
        file.write_bytes(body)
        words += [path.partition("?")[0], str(file)]
    port = _free_port()
    with _process("-m", "tests.benchmarks.bare", str(port), str(folder / "pki"), *words) as pid:
        yield pid, port


@contextlib.contextmanager
def _process(*words: str) -> Iterator[int]:
    """A Python process that runs while the block does; its pid."""
    with subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
