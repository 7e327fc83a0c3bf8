"""Alarms: raised once for each code and subject, until the cause is gone or an operator clears them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from sep2.rules import reach
from sep2.rules.alarm_kinds import priority_of
from sep2.rules.limits import Limits
from sep2.rules.ratings import rating
from sep2.store import alarms, devices
from sep2.store.connection import Connection

ALARM_FLOOD = "alarm_flood"
ALARM_UNDELIVERABLE = "alarm_undeliverable"
AUDIT_BROKEN = "audit_broken"
CERTIFICATE_EXPIRING = "certificate_expiring"
CERTIFICATE_UNUSED = "certificate_unused"
CLAIM_REFUSED = "claim_refused"
CLIENT_CLOCK = "client_clock"
CLIENT_SILENT = "client_silent"
CLOCK_JUMP = "clock_jump"
CONTROL_REJECTED = "control_rejected"
CONTROL_TOO_SHORT = "control_too_short"
DATABASE = "database"
DEFAULT_IN_FORCE = "default_in_force"
DELIVERY_DEAD = "delivery_dead"
DELIVERY_FAILING = "delivery_failing"
DER_EVENT = "der_event"
DEVICE_MOVED = "device_moved"
DEVICE_SILENT = "device_silent"
DISK_LOW = "disk_low"
ENGINE_ABSENT = "engine_absent"
GROUP_ORDER = "group_order"
LIMIT_BREACH = "limit_breach"
MASS_SILENCE = "mass_silence"
LOCAL_LOGIN = "local_login"
MODE_UNSUPPORTED = "mode_unsupported"
SET_MAX_W = "set_max_w"
NO_SUCH_GROUP = "no_such_group"
NOTIFIER_STALLED = "notifier_stalled"
OPERATOR_LOGINS = "operator_logins"
OBEDIENCE_LOW = "obedience_low"
PLAN_ENDING = "plan_ending"
PROFILE_MISMATCH = "profile_mismatch"
READING_UNPROVEN = "reading_unproven"
ROUND_LATE = "round_late"
TOO_MANY_REQUESTS = "too_many_requests"
TLS_REFUSED = "tls_refused"
UNREGISTERED_LFDI = "unregistered_lfdi"
WORKER_DEAD = "worker_dead"


async def warn_of_inexpressible(
    db: Connection, group_id: int, limits: Limits, now: int, *, modes: Collection[str] = (), by_default: bool = False
) -> None:
    """Tell operators which devices of a group can not carry these limits and modes, or not as they are meant."""
    lacking = Counter[tuple[str, str, str]]()
    for row in await devices.kinds_of_member(db, group_id):
        wanted = {*limits.modes(), *modes}
        found = reach.unsupported(row, wanted, by_default=by_default)
        lacking.update({(row.client_lfdi, mode, why): row.devices for mode, why in found.items()})
    for (client, mode, why), count in lacking.items():
        detail = f"{count} of its devices {'is' if count == 1 else 'are'} sent {mode}, and {why}"
        await alarms.raise_one(db, MODE_UNSUPPORTED, f"{client} {mode}", detail, now=now, count=count)
    if limits.export_w is not None or limits.gen_w is not None:
        await _warn_of_ratings(db, group_id, now)


async def _warn_of_ratings(db: Connection, group_id: int, now: int) -> None:
    doubtful: dict[str, dict[str, str]] = defaultdict(dict)
    for row in await devices.members(db, group_id, profile=reach.CSIP):
        if (doubt := rating(row).doubt) and not reach.only_draws(row):
            doubtful[row.client_lfdi][row.lfdi] = doubt
    for client, doubts in doubtful.items():
        detail = f"a limit is sent in percent of setMaxW, and {next(iter(doubts.values()))}"
        await alarms.add_members(db, SET_MAX_W, client, list(doubts), detail=detail, now=now)


async def raise_alarm(
    db: Connection, code: str, subject: str, detail: str, *, now: int, priority: int | None = None
) -> None:
    """Raise an alarm; one that stands already is not raised again. priority: where it is not that of its kind."""
    await alarms.raise_one(db, code, subject, detail, now=now, priority=priority)


async def clear_alarm(db: Connection, code: str, subject: str, now: int) -> None:
    """The cause is gone."""
    await alarms.clear(db, code, subject, now)


class Wanted(NamedTuple):
    """What an alarm that has to stand says, and its priority where it is not that of its kind."""

    detail: str
    priority: int | None = None
    members: Collection[str] = ()
    """Names of what it is about, where that is several."""


async def differs(db: Connection, code: str, wanted: Mapping[str, Wanted]) -> bool:
    """Whether other alarms of a code stand than these, or say something else."""
    standing = {row.subject: (row.detail, row.priority) for row in await alarms.standing_of(db, code)}
    return standing != {subject: (one.detail, _priority(code, one)) for subject, one in wanted.items()}


async def set_alarms(db: Connection, code: str, wanted: Mapping[str, Wanted], now: int) -> None:
    """Have exactly these alarms of a code stand, by their subjects; what stands and reads the same is left alone."""
    standing = {row.subject: (row.detail, row.priority) for row in await alarms.standing_of(db, code)}
    for subject, one in wanted.items():
        if standing.get(subject) != (one.detail, _priority(code, one)):
            members = one.members or None
            await alarms.raise_one(db, code, subject, one.detail, now=now, priority=one.priority, members=members)
    for subject in standing.keys() - wanted.keys():
        await alarms.clear(db, code, subject, now)


def _priority(code: str, wanted: Wanted) -> int:
    return priority_of(code) if wanted.priority is None else wanted.priority
