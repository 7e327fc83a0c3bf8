"""How often clients are to poll and to post."""

from sep2.errors import BadValue
from sep2.operations.mirrors import UnknownMirror
from sep2.store import marks, mirrors, outbox
from sep2.store.connection import Connection

POLL_RATE = "poll_rate:"


class BadRate(BadValue):
    """A rate is 1..4294967295 seconds."""


async def set_poll_rate(db: Connection, resource: str, seconds: int, now: int) -> None:
    """Have clients poll a resource that often; its subscribers are told, unless it was set to that before."""
    del now
    _check("pollRate", seconds)
    if await marks.value(db, f"{POLL_RATE}{resource}") == str(seconds):
        return
    await marks.put(db, f"{POLL_RATE}{resource}", str(seconds))
    await outbox.changed(db, resource)


async def set_post_rate(db: Connection, mirror_id: int, seconds: int, now: int) -> None:
    """Have a client post readings of a usage point that often."""
    _check("postRate", seconds)
    if not await mirrors.update_one(db, mirror_id, post_rate=seconds, changed=now):
        raise UnknownMirror(str(mirror_id))


def _check(name: str, seconds: int) -> None:
    if not 1 <= seconds <= 2**32 - 1:
        raise BadRate(f"{name}: {seconds}")
