"""Alarms of what is owed or cannot be: controls that nobody answers, and power that cannot be there."""

from collections import defaultdict

from sep2.operations.alarms import READING_IMPLAUSIBLE, Wanted
from sep2.store import alarms, implausible, unanswered
from sep2.store.connection import Connection

ENDED_S = 86_400
"""How long after its end a control that was not answered is an alarm."""
MARGIN_S, LEAST_ENDED_S = 60, 600
MOST = 5000
"""Answers that are owed, or devices, that are looked at in one round."""
QUIET_S = 86_400
LOOKED_BACK_S = 1200
_SAID = {"received": "that they have it", "started": "that they have begun it", "ended": "how it ended"}


async def unanswered_controls(db: Connection, now: int, poll_rate_s: int) -> dict[str, Wanted]:
    """The alarms of controls that devices owe an answer to; those of one override are one."""
    rows = await unanswered.unanswered(
        db,
        now,
        ended_since=now - ENDED_S,
        known_after_s=poll_rate_s + 2 * MARGIN_S,
        ended_after_s=max(2 * poll_rate_s, LEAST_ENDED_S),
        most=MOST,
    )
    first: dict[int | str, str] = {}
    stages: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        subject = first.setdefault(row.override_id or row.mrid, row.mrid)
        stages[subject].setdefault(row.lfdi, row.stage)
    of_override = {mrid: key for key, mrid in first.items() if isinstance(key, int)}
    return {mrid: _wanted(several, of_override.get(mrid)) for mrid, several in stages.items()}


def _wanted(stages: dict[str, str], override_id: int | None) -> Wanted:
    counts = [(_SAID[name], sum(stage == name for stage in stages.values())) for name in _SAID]
    said = "; ".join(f"{_devices(count, 'has', 'have')} not said {what}" for what, count in counts if count)
    return Wanted(said if override_id is None else f"override {override_id}: {said}", members=sorted(stages))


class Implausible:
    """Which devices post power that cannot be there; each until a day has passed without."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, int]] | None = None
        """By client, when each device posted so last."""

    async def wanted(self, db: Connection, now: int) -> dict[str, Wanted]:
        """The alarms that have to stand, by client."""
        if self._seen is None:
            self._seen = await self._from_before(db, now)
        for client, lfdi, _ in await implausible.beyond_ratings(db, now - LOOKED_BACK_S, MOST):
            self._seen.setdefault(client, {})[lfdi] = now
        current = {client: [lfdi for lfdi, at in of.items() if now - at < QUIET_S] for client, of in self._seen.items()}
        self._seen = {client: {lfdi: self._seen[client][lfdi] for lfdi in of} for client, of in current.items() if of}
        return {client: Wanted(_said(len(of)), members=sorted(of)) for client, of in self._seen.items()}

    async def _from_before(self, db: Connection, now: int) -> dict[str, dict[str, int]]:
        """What stood when the server started: its day begins anew."""
        rows = await alarms.standing_of(db, READING_IMPLAUSIBLE)
        return {
            row.subject: dict.fromkeys(await alarms.members_about(db, READING_IMPLAUSIBLE, row.subject), now)
            for row in rows
        }


def _said(count: int) -> str:
    return f"{_devices(count, 'posts', 'post')} power beyond twice what is there by ratings and contracts"


def _devices(count: int, does: str, do: str) -> str:
    return f"1 device {does}" if count == 1 else f"{count} devices {do}"
