"""A client that asks again as soon as it is answered, on many connections, from a process of its own.

`python -m tests.crowd PORT CERTIFICATE KEY ROOT CONNECTIONS SECONDS FILE`: each connection sends what is in FILE, one
request, again and again; at the end one line of JSON says how many answers there were of each status.
"""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import cast

import uvloop

from certs.identity import Files
from tests.raw import context


class Connection(asyncio.Protocol):
    """One connection; it counts its answers by their status, and a connection that ended as `closed`."""

    def __init__(self, asked: bytes, counted: Counter[str]) -> None:
        self._asked = asked
        self._counted = counted
        self._read = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._transport.write(self._asked)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._read[:end]).lower()
            status = head[9:12].decode()
            _, found, size = head.partition(b"content-length:")
            whole = end + 4 + (int(size.split(maxsplit=1)[0]) if found and status != "204" else 0)
            if len(self._read) < whole:
                return
            del self._read[:whole]
            self._counted[status] += 1
            self._transport.write(self._asked)

    def connection_lost(self, exc: Exception | None) -> None:
        self._counted["closed"] += 1


async def crowd(port: int, files: Files, root: Path, *, connections: int, seconds: float, asked: bytes) -> Counter[str]:
    """How many answers of each status the connections got."""
    counted: Counter[str] = Counter()
    tls = context(root, files)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(asked, counted), "127.0.0.1", port, ssl=tls, server_hostname="")
    counted.clear()  # the first ones have asked for a while
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    await asyncio.sleep(seconds)
    return Counter(counted)


if __name__ == "__main__":
    _, port, certificate, key, root, connections, seconds, file = sys.argv
    answers = uvloop.run(
        crowd(
            int(port),
            Files(Path(certificate), Path(key)),
            Path(root),
            connections=int(connections),
            seconds=float(seconds),
            asked=Path(file).read_bytes(),
        )
    )
    sys.stdout.write(json.dumps(answers) + "\n")
