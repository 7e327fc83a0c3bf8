"""Alarms for clients that write documents in the namespace of another edition than they are registered with."""

from sep2 import wire as w
from sep2.operations.alarms import PROFILE_MISMATCH, raise_alarm
from sep2.store import access
from sep2.store.database import Database

AGAIN_S = 3600
"""An alarm that was cleared is raised again after so long, if its cause goes on."""
QUIET_S = 86_400
"""After so long without another one the alarm ends."""


class Dialects:
    """What clients were seen to write."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._raised: dict[str, int] = {}

    def is_due(self, lfdi: str, now: int) -> bool:
        """Whether what a client does is to be looked at: it was not found wanting within the last hour."""
        return now >= self._raised.get(lfdi, -AGAIN_S) + AGAIN_S

    def is_quiet(self, lfdi: str, began: int, now: int) -> bool:
        """Whether nothing was found for long enough, at a server that has looked since `began`."""
        return now - self._raised.get(lfdi, began) >= QUIET_S

    async def raise_for(self, lfdi: str, detail: str, now: int) -> None:
        """Raise the alarm of a client."""
        async with self.db.write() as db:
            await raise_alarm(db, PROFILE_MISMATCH, lfdi, detail, now=now)
        self._raised[lfdi] = now

    async def compare(self, lfdi: str, body: bytes, now: int, known: w.Profile | None = None) -> None:
        """Raise an alarm where a client's document is in another csipaus namespace than its profile's.

        known: the profile that the client had a moment ago; a document that is in its namespace is not looked at again.
        """
        if b"csipaus.org" not in body or not self.is_due(lfdi, now):
            return
        if known is not None and not w.other_csipaus(body, known):
            return
        async with self.db.read() as db:
            db.reads_anew = True
            client = await access.caller(db, lfdi)
        other = w.other_csipaus(body, w.Profile(client.profile)) if client is not None else ""
        if client is None or not other:
            return
        await self.raise_for(lfdi, f"it writes elements of {other} and is registered as {client.profile}", now)
