"""The worker processes of a server as their parent notes them, in a file of the server's folder."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

FILE = "workers.json"


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A process that serves clients beside others on the same port (`sep2 serve --workers`)."""

    number: int
    pid: int
    """0 while there is none."""
    state: str
    """serving; starting; ending: it answers what is under way, and another one of its number takes new clients."""
    since: int
    """When it was started, epoch seconds of the machine."""
    starts: int
    """How many processes of this number the parent has started."""


def note(file: Path, workers: Sequence[Worker]) -> None:
    """Write who there is; whoever reads meanwhile sees what was before."""
    fresh = file.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(workers))
    fresh.replace(file)


def noted(file: Path) -> list[Worker]:
    """Who there is; nobody where there is no such file."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Worker])
    except (OSError, msgspec.DecodeError):
        return []
