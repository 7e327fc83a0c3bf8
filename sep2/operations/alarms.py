"""Alarms: raised once for each code and subject, until the cause is gone or an operator clears them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
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
BACKUP_STALE = "backup_stale"
CONTROL_UNANSWERED = "control_unanswered"
DATABASE = "database"
DATABASE_RESTORED = "database_restored"
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
METERS_DISAGREE = "meters_disagree"
LOCAL_LOGIN = "local_login"
MODE_UNSUPPORTED = "mode_unsupported"
SET_MAX_W = "set_max_w"
SETTING_NOT_FOLLOWED = "setting_not_followed"
NO_SUCH_GROUP = "no_such_group"
NOTIFIER_STALLED = "notifier_stalled"
OPERATOR_LOGINS = "operator_logins"
OBEDIENCE_LOW = "obedience_low"
PLAN_ENDING = "plan_ending"
PROFILE_MISMATCH = "profile_mismatch"
READING_IMPLAUSIBLE = "reading_implausible"
READING_UNPROVEN = "reading_unproven"
ROUND_LATE = "round_late"
TOO_MANY_REQUESTS = "too_many_requests"
TLS_REFUSED = "tls_refused"
UNREGISTERED_LFDI = "unregistered_lfdi"
WORKER_DEAD = "worker_dead"


async def warn_of_inexpressible(
    db: Connection,
    groups: Sequence[int],
    limits: Limits,
    now: int,
    *,
    modes: Collection[str] = (),
    by_default: bool = False,
) -> None:
    """Tell operators which devices of some groups can not carry these limits and modes, or not as they are meant.

    There is one alarm for each client and mode, with the devices that it is about.
    """
    lacking: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    wanted = {*limits.modes(), *modes}
    for row in await devices.kinds_of_members(db, groups):
        found = reach.unsupported(row, wanted, by_default=by_default)
        if found:
            alike = await devices.members_of_kind(db, groups, row)
            for mode, why in found.items():
                lacking[row.client_lfdi, mode].update(dict.fromkeys(alike, why))
    for (client, mode), several in lacking.items():
        await _warn_of_mode(db, client, mode, several, now=now)
    if limits.export_w is not None or limits.gen_w is not None:
        await _warn_of_ratings(db, groups, now)


async def _warn_of_mode(db: Connection, client: str, mode: str, lacking: Mapping[str, str], *, now: int) -> None:
    """The alarm of a client and a mode, beside the devices that it is about already; lacking: why, by LFDI."""
    subject = f"{client} {mode}"
    known = await alarms.members_about(db, MODE_UNSUPPORTED, subject)
    names = list(dict.fromkeys([*lacking, *known]))
    whys = Counter(lacking.values())
    are = "is" if len(names) == 1 else "are"
    detail = f"{len(names)} of its devices {are} sent {mode}, and {'; '.join(whys)}"
    await alarms.raise_one(db, MODE_UNSUPPORTED, subject, detail, now=now, members=names, count=len(names))


async def _warn_of_ratings(db: Connection, groups: Sequence[int], now: int) -> None:
    doubtful: dict[str, dict[str, str]] = defaultdict(dict)
    for row in await devices.members_of(db, groups, profile=reach.CSIP):
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
