"""Alarms for clients that write documents in the namespace of another edition than they are registered with."""

from sep2 import wire as w
from sep2.operations.alarms import PROFILE_MISMATCH, raise_alarm
from sep2.store import access
from sep2.store.database import Database

AGAIN_S = 3600
"""An alarm that was cleared is raised again after so long, if its cause goes on."""


class Dialects:
    """What clients were seen to write."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._raised: dict[str, int] = {}

    async def compare(self, lfdi: str, body: bytes, now: int) -> None:
        """Raise an alarm where a client's document is in another csipaus namespace than its profile's."""
        if b"csipaus.org" not in body or now < self._raised.get(lfdi, -AGAIN_S) + AGAIN_S:
            return
        async with self.db.read() as db:
            client = await access.caller(db, lfdi)
        other = w.other_csipaus(body, w.Profile(client.profile)) if client is not None else ""
        if client is None or not other:
            return
        self._raised[lfdi] = now
        async with self.db.write() as db:
            detail = f"it writes elements of {other} and is registered as {client.profile}"
            await raise_alarm(db, PROFILE_MISMATCH, lfdi, detail, now=now)
