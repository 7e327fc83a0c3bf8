"""Ports of this machine that belong to one test process until it ends, also while its server is down."""

import errno
import fcntl
import random
import socket
import tempfile
from pathlib import Path
from typing import TextIO

LOWEST, HIGHEST = 15_000, 32_000
"""Below the ports that Linux gives to whoever asks for any, so that no connection takes one in between."""
_held: list[TextIO] = []


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on and that no other test process has taken."""
    found: list[int] = []
    while len(found) < number:
        port = random.randrange(LOWEST, HIGHEST)
        if _is_taken_by_us(port) and _nobody_listens(port):
            found.append(port)
    return found


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


def _is_taken_by_us(port: int) -> bool:
    """Whether this process alone has the port's lock file from now until it ends."""
    folder = Path(tempfile.gettempdir()) / "sep2-test-ports"
    folder.mkdir(exist_ok=True)
    file = (folder / str(port)).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        file.close()
        if problem.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    _held.append(file)
    return True


def _nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
