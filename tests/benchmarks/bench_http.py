"""The server over mutual TLS.

What each request costs: an aggregator with 300 devices, ECDHE-ECDSA-AES128-CCM8, eight connections that ask again as
soon as they are answered; no two bodies that are written are equal. The server is `sep2 serve`, on SQLite and on
PostgreSQL. Each figure is milliseconds of processor time for one request, of the server's process and of the database's
processes together; *CPU ms* is that of the server's process alone. The reference is a bare aiohttp handler under uvloop
behind the same TLS in the same run, which reads what is sent and returns bytes of the same size. Goals: a read costs at
most three times the bare handler, a write twelve times, a connection with its first request one and a half times. A GET
is measured as clients poll: it was asked before. SEP2_BENCH_ONLY="PUT,POST" measures requests whose names begin so.
"""

import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import uvloop

from certs.pki import open_pki
from certs.tls import client_context
from sep2.settings import FILE
from sep2.store import migrate, open_database
from tests import postgres
from tests.benchmarks import processor, utility
from tests.benchmarks.load import Target, one, reconnecting, sent
from tests.benchmarks.table import Row
from tests.benchmarks.utility import Asked

COUNT, OF_BARE, WARM = 240, 1000, 40
"""Requests in a round, of ours and of the bare handler's, and before the first one."""
OF_CONNECTING = 40
ROUNDS = 3
SEP2 = "from sep2.cli import main; main()"
BARE = "bare aiohttp handler"


class Cost(NamedTuple):
    """Milliseconds of processor time: of a server's process, of the database's, and of the bare handler's."""

    server: float
    database: float
    bare: float


def rows() -> list[Row]:
    """The cost of every request on both databases."""
    with tempfile.TemporaryDirectory(prefix="sep2-bench-") as folder, postgres.running() as place:
        on_sqlite = _measured(Path(folder, "a"), "", lambda: 0.0)
        spent = partial(processor.of_postgres, processor.postmaster(place))
        on_postgres = _measured(Path(folder, "b"), postgres.address(place, "postgres"), spent)
    both = zip(on_sqlite, on_postgres, strict=True)
    return [row for one, other in both for row in (_row("SQLite", *one), _row("PostgreSQL", *other))]


def _row(where: str, asked: Asked, cost: Cost) -> Row:
    return Row(
        name=f"{asked.name}, {where}",
        ours=cost.server + cost.database,
        unit="ms CPU",
        reference_name=BARE,
        reference=cost.bare,
        better="less",
        cpu_ms=cost.server,
        goal=asked.most * cost.bare,
    )


def _measured(folder: Path, url: str, database: processor.Spent) -> list[tuple[Asked, Cost]]:
    folder.mkdir()
    port = _free_port()
    init = ("init", str(folder), "--port", str(port), "--operator-port", str(_free_port()))
    subprocess.run([sys.executable, "-c", SEP2, *init], check=True, capture_output=True)
    with (folder / FILE).open("a", encoding="utf-8") as settings:
        settings.write("\n[utility.requests_per_minute]\ndevice = 0\naggregator = 0\n")
    if url:
        text = (folder / FILE).read_text(encoding="utf-8")
        (folder / FILE).write_text(text.replace('url = "sqlite:///sep2.db"', f'url = "{url}"'), encoding="utf-8")
    return uvloop.run(_costs(folder, port, url or f"sqlite:///{folder / 'sep2.db'}", database))


async def _costs(folder: Path, port: int, url: str, database: processor.Spent) -> list[tuple[Asked, Cost]]:
    await migrate(url)
    stored = await open_database(url)
    try:
        files, requests = await utility.fill(stored, folder)
    finally:
        await stored.close()
    tls = client_context(files, open_pki(folder / "pki").trust())
    with _process("-c", SEP2, "serve", str(folder)) as pid:
        ours = Target(pid, port, tls)
        await _reached(ours)
        gets = [one for one in requests if one.method == "GET"]
        bodies = {asked.path: (await one(ours, asked.path)).partition(b"\r\n\r\n")[2] for asked in gets}
        with _bare(folder, bodies) as (bare_pid, bare_port):
            bare = Target(bare_pid, bare_port, tls)
            await _reached(bare)
            return [(asked, await _cost(ours, bare, asked, database)) for asked in requests if _is_wanted(asked)]


def _is_wanted(asked: Asked) -> bool:
    return asked.name.startswith(tuple(os.environ.get("SEP2_BENCH_ONLY", "").split(",")))


async def _cost(ours: Target, bare: Target, asked: Asked, database: processor.Spent) -> Cost:
    """Both servers in turn, several times, so that what else the machine does falls on both; the medians count."""
    each: list[Cost] = []
    for number in range(ROUNDS):
        before = database()
        server = await _of(ours, asked, number, COUNT)
        of_database = 1000 * (database() - before) / COUNT
        each.append(Cost(server, of_database, await _of(bare, asked, number, OF_BARE)))
    return Cost(*(statistics.median(column) for column in zip(*each, strict=True)))


async def _of(target: Target, asked: Asked, number: int, count: int) -> float:
    if asked.method == "CONNECT":
        return await reconnecting(target, asked.path, OF_CONNECTING)
    if number == 0:
        await sent(target, asked, range(WARM))
    begin = WARM + number * count
    return await sent(target, asked, range(begin, begin + count))


async def _reached(target: Target) -> None:
    """Wait until the server answers."""
    for _ in range(600):
        with contextlib.suppress(OSError):
            await one(target, "/dcap")
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the server does not answer")


@contextlib.contextmanager
def _bare(folder: Path, bodies: dict[str, bytes]) -> Iterator[tuple[int, int]]:
    words = []
    for number, (path, body) in enumerate(bodies.items()):
        file = folder / f"body{number}"
        file.write_bytes(body)
        words += [path, str(file)]
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
