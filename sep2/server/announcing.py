"""Alarms are announced: receivers are told once of each, what a cause explains is held back, and floods are summed up.

Of several servers on one database one announces. It looks at rows with news, so that who raises an alarm asks nobody.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from sep2.clock import Clock
from sep2.operations.alarm_names import Named, Subject, names
from sep2.operations.alarms import ALARM_FLOOD, clear_alarm, raise_alarm
from sep2.rules import alarming
from sep2.rules.alarm_kinds import ACT_NOW, CAUSES, KINDS, kind_of
from sep2.rules.alarming import Alarm, Step
from sep2.rules.days import LocalTime
from sep2.rules.webhooks import Said
from sep2.server.contacts import EVERYBODY
from sep2.store import alarm_states, alarms, webhooks
from sep2.store.connection import Connection
from sep2.store.database import Database
from sep2.terminal import shown

log = logging.getLogger("sep2.alarms")

AT_ONCE = 500
"""Alarms that are looked at in one transaction."""
MOST_TOLD = 200
"""Alarms that a digest names."""
LONGEST_LINE = 300
SUBJECT = "alarms"
SUMMED = frozenset({Step.RAISED, Step.CLEARED, Step.BOTH})


class Announcer:
    """Decides what is done about each alarm, and puts what is to be told into the receivers' queues."""

    def __init__(self, db: Database, clock: Clock, local: LocalTime) -> None:
        self._db = db
        self._clock = clock
        self._local = local
        self._digested = 0
        self._counted = -alarming.DIGEST_S

    async def once(self) -> None:
        """Announce what is due now."""
        now = self._clock.now()
        async with self._db.read() as db:
            is_due = await alarm_states.any_due(db, now)
        if is_due or abs(now - self._counted) >= alarming.DIGEST_S:
            self._counted = now
            await self._look_for_flood(now)
        if not is_due:
            return
        async with self._db.write() as db:
            await self._announce(db, now)

    async def _look_for_flood(self, now: int) -> None:
        async with self._db.read() as db:
            raised = await alarm_states.raised_since(db, now - alarming.FLOOD_S)
            stands = await alarms.stands(db, ALARM_FLOOD, SUBJECT)
        is_flood = alarming.is_flood(raised, stands=stands)
        if is_flood == stands:
            return
        async with self._db.write() as db:
            if is_flood:
                self._digested = now
                detail = f"{raised} alarms within {alarming.FLOOD_S // 60} min"
                await raise_alarm(db, ALARM_FLOOD, SUBJECT, detail, now=now)
            else:
                await clear_alarm(db, ALARM_FLOOD, SUBJECT, now)

    async def _announce(self, db: Connection, now: int) -> None:
        rows = await alarm_states.due(db, now, AT_ONCE)
        named = await names(db, rows)
        suppressed = await _look_for_causes(db, rows, named, now)
        steps = {row.id: alarming.next_step(_of(row, now, row.id in suppressed), now) for row in rows}
        held = await self._held_by_flood(db, rows, steps, now)
        messages = _messages([row for row in rows if row.id not in held], steps, named)
        if held and now - self._digested >= alarming.DIGEST_S:
            self._digested = now
            summed = [row for row in rows if row.id in held]
            messages.append(_digest(summed, steps, named, now))
            held = frozenset()
        await webhooks.tell(db, messages, now, minute=self._local.minute_of_day(now))
        await _settle(db, [row for row in rows if row.id not in held], steps, now)

    async def _held_by_flood(
        self, db: Connection, rows: Sequence[Row[Any]], steps: Mapping[int, Step], now: int
    ) -> frozenset[int]:
        """Those that are told in a digest only, because there are more alarms than anybody reads."""
        if not await alarms.stands(db, ALARM_FLOOD, SUBJECT):
            return frozenset()
        alone = {*CAUSES, ALARM_FLOOD}
        return frozenset(
            row.id for row in rows if steps[row.id] in SUMMED and row.priority != ACT_NOW and row.code not in alone
        )


def _of(row: Row[Any], now: int, is_suppressed: bool) -> Alarm:
    """What is known of an alarm; one whose shelving is over counts as not announced yet."""
    returns = row.shelved_until is not None and row.shelved_until <= now and row.cleared is None
    return Alarm(
        priority=row.priority,
        raised=row.raised,
        cleared=row.cleared,
        announced=None if returns and row.acknowledged is None else row.announced,
        acknowledged=row.acknowledged,
        escalated=row.escalated,
        shelved_until=row.shelved_until,
        again=row.again,
        is_suppressed=is_suppressed,
    )


async def _look_for_causes(
    db: Connection, rows: Sequence[Row[Any]], named: Mapping[Subject, Named], now: int
) -> set[int]:
    """Those of the alarms that another one explains; what they are under is noted."""
    gone = await alarm_states.gone(db, sorted({row.under for row in rows if row.under is not None}), now)
    found = {row.id for row in rows if row.under is not None and row.under not in gone}
    open_ = [row for row in rows if row.id not in found and row.cleared is None]
    if codes := sorted({code for row in open_ for code in kind_of(row.code).under}):
        causes = await alarm_states.causes(db, codes)
        for row in open_:
            cause = _cause_of(row, named[row.code, row.subject], causes)
            if cause is not None or row.under is not None:
                await alarm_states.change(db, row.id, under=cause)
            if cause is not None:
                found.add(row.id)
    await _put_below(db, [row for row in rows if row.code in CAUSES and row.cleared is None and row.id not in found])
    return found


def _cause_of(row: Row[Any], named: Named, causes: Sequence[Row[Any]]) -> int | None:
    """The alarm that explains one, if there is one."""
    under = kind_of(row.code).under
    return next(
        (one.id for one in causes if one.code in under and one.id != row.id and _covers(one, row.subject, named)), None
    )


def _covers(cause: Any, subject: str, named: Named) -> bool:
    """Whether a cause is about everything, about the same, or about the client of it."""
    is_wide = kind_of(cause.code).subject == "server" or cause.subject == EVERYBODY
    return is_wide or cause.subject in (subject, named.client)


async def _put_below(db: Connection, causes: Sequence[Row[Any]]) -> None:
    """Have what stands already stand under causes that were raised after it."""
    for cause in causes:
        codes = [code for code, kind in KINDS.items() if cause.code in kind.under]
        rows = await alarm_states.below(db, codes)
        named = await names(db, rows)
        below = [row.id for row in rows if _covers(cause, row.subject, named[row.code, row.subject])]
        await alarm_states.settle(db, [number for number in below if number != cause.id], {"under": cause.id})


def _messages(
    rows: Sequence[Row[Any]], steps: Mapping[int, Step], named: Mapping[Subject, Named]
) -> list[webhooks.Message]:
    """What is told of each alarm, in the order in which it happened."""
    told = [(row, step) for row in rows for step in _told(steps[row.id])]
    told.sort(key=lambda one: (one[0].cleared, 1) if one[1] is Step.CLEARED else (one[0].raised, 0))
    return [_message(step, row, named[row.code, row.subject]) for row, step in told]


def _told(step: Step) -> tuple[Step, ...]:
    """What receivers are told for a step, in this order."""
    if step is Step.BOTH:
        return Step.RAISED, Step.CLEARED
    return (step,) if step in (Step.RAISED, Step.CLEARED, Step.ESCALATED) else ()


def _message(step: Step, row: Row[Any], named: Named) -> webhooks.Message:
    said = Said(
        row.priority,
        frozenset({row.code}),
        is_escalation=step is Step.ESCALATED,
        was_escalated=step is Step.CLEARED and row.escalated is not None,
    )
    return webhooks.Message("alarms", str(step), row.subject, _data(row, named, over=step is Step.CLEARED), said)


def _data(row: Row[Any], named: Named, *, over: bool) -> dict[str, Any]:
    kind = kind_of(row.code)
    found = {name: getattr(row, name) for name in ("id", "code", "subject", "detail", "priority", "count", "raised")}
    found |= {"name": named.name, "again": row.again, "meaning": kind.meaning, "do": kind.do}
    return found | ({"cleared": row.cleared} if over else {})


def _digest(
    rows: Sequence[Row[Any]], steps: Mapping[int, Step], named: Mapping[Subject, Named], now: int
) -> webhooks.Message:
    """One message for many alarms: how many of each code, and the first of them."""
    raised = [row for row in rows if steps[row.id] is not Step.CLEARED]
    over = [row.id for row in rows if steps[row.id] is not Step.RAISED]
    data = {
        "at": now,
        "raised": len(raised),
        "cleared": len(over),
        "codes": dict(Counter(row.code for row in raised).most_common()),
        "alarms": [_data(row, named[row.code, row.subject], over=False) for row in raised[:MOST_TOLD]],
        "over": over[:MOST_TOLD],
    }
    said = Said(min(row.priority for row in rows), frozenset(row.code for row in rows))
    return webhooks.Message("alarms", "digest", SUBJECT, data, said)


async def _settle(db: Connection, rows: Sequence[Row[Any]], steps: Mapping[int, Step], now: int) -> None:
    """Note what was done about each."""
    done: dict[Step, list[int]] = defaultdict(list)
    for row in rows:
        done[steps[row.id]].append(row.id)
        if steps[row.id] is Step.RAISED:
            about = shown(f"{row.subject}: {row.detail}", LONGEST_LINE)
            log.info("alarm %d, %s, priority %d: %s", row.id, row.code, row.priority, about)
    unshelved = [row.id for row in rows if row.shelved_until is not None and row.shelved_until <= now]
    await alarm_states.settle(db, unshelved, {"shelved_until": None})
    looked: dict[str, Any] = {"news": False}
    for step, change in (
        (Step.NOTHING, looked),
        (Step.CLEARED, looked),
        (Step.BOTH, looked | {"announced": now}),
        (Step.RAISED, looked | {"announced": now}),
        (Step.ESCALATED, looked | {"escalated": now}),
    ):
        await alarm_states.settle(db, done[step], change)
