"""Times that were typed, resolved with the server's time and the utility's zone."""

from sep2.admin import types as t
from sep2.cli.api import Api
from sep2.cli.units import When
from sep2.rules import typed_times


def resolved(server: Api, said: When, *, after: int | None = None) -> int | None:
    """Epoch seconds; None is the server's now, which only the server knows at the moment it matters.

    after: a time of day is the next one after that, instead of after now.
    """
    if said.at is not None:
        return said.at
    if said.local is not None:
        return typed_times.read(said.local, now_of(server) if after is None else after, server.zone)
    return now_of(server) + said.ahead if said.ahead else None


def now_of(server: Api) -> int:
    """The time that the server tells."""
    return server.get("/status", t.Status).now
