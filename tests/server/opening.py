"""A client that keeps every octet of a server's handshake, and `sep2 serve` in a process of its own."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.ports import free_port
from tests.server.process import SERVE, TOKEN

PATIENCE_S = 120


class Heard(NamedTuple):
    """What a server said until it closed the connection, or until the handshake was done."""

    octets: bytes
    done: bool
    closed: bool
    session: ssl.SSLSession | None = None

    @property
    def alert(self) -> int | None:
        """The number of the alert that it said in clear."""
        return next((body[1] for kind, body in records(self.octets) if kind == 21 and len(body) == 2), None)


def records(octets: bytes) -> list[tuple[int, bytes]]:
    """Kind and body of every record, in the clear or not."""
    found, at = [], 0
    while at + 5 <= len(octets):
        end = at + 5 + int.from_bytes(octets[at + 3 : at + 5], "big")
        found.append((octets[at], octets[at + 5 : end]))
        at = end
    return found


def knock(port: int, tls: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Heard:
    """One handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls.wrap_bio(incoming, outgoing, session=session)
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain:
        said = b""
        while True:
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                with suppress(OSError):
                    plain.sendall(outgoing.read())
                return Heard(said, False, _rest(plain) == b"")
            else:
                with suppress(ssl.SSLError):
                    client.unwrap()  # without it OpenSSL would not resume the session; the server hears nothing of it
                return Heard(said, True, False, client.session)
            plain.sendall(outgoing.read())
            more = plain.recv(65_536)
            said += more
            incoming.write(more)
            if not more:
                return Heard(said, False, True)


def say(port: int, octets: bytes) -> Heard:
    """What comes back for octets that are no handshake."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain:
        plain.sendall(octets)
        return Heard(_rest(plain), False, True)


def _rest(plain: socket.socket) -> bytes:
    """What is said until the server closes the connection."""
    said = b""
    while more := plain.recv(65_536):
        said += more
    return said


class Served(NamedTuple):
    """A server that `sep2 serve` runs."""

    port: int
    operator_port: int
    log: Path
    pid: int

    def lines(self, words: str, count: int = 1) -> list[str]:
        """The lines of its log that hold these words, once there are so many."""
        found: list[str] = []
        for _ in range(4000):
            found = [line for line in self.log.read_text().splitlines() if words in line]
            if len(found) >= count:
                break
            time.sleep(0.025)
        return found

    def reload(self) -> None:
        """Have it read its certificates again."""
        before = len(self.lines("read again", 0))
        os.kill(self.pid, signal.SIGHUP)
        assert self.lines("read again", before + 1)


@contextmanager
def served(folder: Path, pki: Path, url: str, *, authorities: str, more: str = "") -> Iterator[Served]:
    """`sep2 serve` in a folder; `authorities` is the list in `[tls]`, `more` is further text of `sep2.toml`."""
    port, operator_port = free_port(), free_port()
    (folder / "sep2.toml").write_text(
        f'[listen]\nport = {port}\n[operator]\nport = {operator_port}\n[database]\nurl = "{url}"\n'
        f'[tls]\ncertificate = "{pki}/server.pem"\nkey = "{pki}/server.key"\nauthorities = {authorities}\n{more}'
    )
    (folder / "operator.token").write_text(TOKEN)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, "-u", "-c", SERVE, "serve", str(folder)]
    log = folder / "log"
    with (
        log.open("wb") as err,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=err, env=environment) as process,
    ):
        try:
            assert process.stdout is not None
            assert b"Serving" in process.stdout.readline(), log.read_text()
            yield Served(port, operator_port, log, process.pid)
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)
