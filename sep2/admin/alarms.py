"""Alarms: what stands, what it means and what to do; acknowledged, shelved and cleared by operators."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sep2.admin import types as t
from sep2.errors import BadRequest
from sep2.operations import alarm_answers
from sep2.operations.alarm_answers import Who
from sep2.operations.alarm_names import Named, member_names, names
from sep2.operations.alarms import ALARM_FLOOD
from sep2.rest.route import Request, listed, page
from sep2.rules.alarm_kinds import KINDS, kind_of
from sep2.rules.roles import ENGINEER
from sep2.rules.row_numbers import row_number
from sep2.rules.told_times import told
from sep2.store import alarm_states, alarms

DAY_S, SPAN_S = 86_400, 600
OFTEN = 10
MANY, FIGURES_LAST_S = 5000, 60.0
"""Figures of so many alarms are counted anew every minute."""


async def list_alarms(rq: Request, asked: t.AlarmQuery) -> t.Listed[t.Alarm]:
    """Alarms, the most urgent first, of these the latest."""
    state = "all" if asked.cleared else asked.state
    found = await alarm_states.listed(rq.db, page(asked), state=state, now=rq.now, code=asked.code, under=asked.under)
    return listed(found, await _shown(rq, found.rows))


async def count_alarms(rq: Request, asked: t.Nothing) -> t.AlarmCounts:
    """How many alarms stand, by priority."""
    found = await alarm_states.by_priority(rq.db, rq.now)
    return t.AlarmCounts(
        priority_1=found[1][0],
        priority_2=found[2][0],
        priority_3=found[3][0],
        new=sum(new for _, new in found.values()),
        is_flood=await alarms.stands(rq.db, ALARM_FLOOD, "alarms"),
    )


async def show_alarm(rq: Request, asked: t.Nothing) -> t.AlarmShown:
    """One alarm, what it is about, when it is raised and cleared, and what to do."""
    row = await alarm_answers.find(rq.db, row_number(rq.ids["alarm"]))
    (one,) = await _shown(rq, [row])
    kind = kind_of(row.code)
    members = await member_names(rq.db, await alarms.members_of(rq.db, row.id))
    said = {name: getattr(one, name) for name in t.Alarm.__struct_fields__}
    return t.AlarmShown(**said, raised_when=kind.raised, cleared_when=kind.cleared, members=members)


async def acknowledge_alarm(rq: Request, asked: t.Acknowledge) -> t.Done:
    """Somebody sees to it: it stays in the list, and is not escalated."""
    row = await alarm_answers.acknowledge(rq.db, row_number(rq.ids["alarm"]), _who(rq), note=asked.note, now=rq.now)
    return t.Done(message=f"alarm {row.id} ({row.code}) is acknowledged by {rq.operator}")


async def acknowledge_alarms(rq: Request, asked: t.AcknowledgeMany) -> t.Done:
    """Somebody sees to all of them."""
    for number in asked.alarms:
        await alarm_answers.acknowledge(rq.db, number, _who(rq), note=asked.note, now=rq.now)
    return t.Done(message=f"{len(asked.alarms)} alarms are acknowledged by {rq.operator}")


async def shelve_alarm(rq: Request, asked: t.Shelve) -> t.Done:
    """It is put off: not in the list and not announced until then, and back by itself if its cause still stands."""
    if (asked.until is None) is (asked.duration is None):
        raise BadRequest("until: say either until or duration")
    until = asked.until if asked.duration is None else rq.now + asked.duration
    assert until is not None
    row = await alarm_answers.shelve(
        rq.db, row_number(rq.ids["alarm"]), _who(rq), until, reason=asked.reason, now=rq.now
    )
    return t.Done(message=f"alarm {row.id} ({row.code}) is shelved until {told(until)}")


async def unshelve_alarm(rq: Request, asked: t.Nothing) -> t.Done:
    """It is in the list again."""
    row = await alarm_answers.unshelve(rq.db, row_number(rq.ids["alarm"]), rq.now)
    return t.Done(message=f"alarm {row.id} ({row.code}) is in the list again")


async def clear_alarm(rq: Request, asked: t.Nothing) -> t.Done:
    """An alarm that tells of something that has happened is dealt with; others clear by themselves."""
    row = await alarm_answers.clear(rq.db, row_number(rq.ids["alarm"]), rq.now)
    return t.Done(message=f"alarm {row.id} ({row.code}) is cleared")


async def list_alarm_kinds(rq: Request, asked: t.Nothing) -> list[t.AlarmKind]:
    """The catalogue: every kind of alarm, its cause, and what to do."""
    return [
        t.AlarmKind(code=code, **{**kind._asdict(), "under": list(kind.under)}) for code, kind in sorted(KINDS.items())
    ]


async def show_alarm_figures(rq: Request, asked: t.AlarmFiguresQuery) -> t.AlarmFigures:
    """How many alarms there are and were, and which came most often."""

    async def find() -> t.AlarmFigures:
        return await _figures(rq, asked.days)

    return await rq.state.kept.answer(
        ("alarms", asked.days), rq.now, find, is_large=lambda found: found.raised > MANY, lasts_s=FIGURES_LAST_S
    )


async def _figures(rq: Request, days: int) -> t.AlarmFigures:
    since = rq.now - days * DAY_S
    counts, found = await alarm_states.counts(rq.db, rq.now), await alarm_states.figures(rq.db, since, rq.now)
    fresh = await alarm_states.by_priority(rq.db, rq.now)
    often = await alarm_states.frequent(rq.db, since, OFTEN)
    named = await names(rq.db, often)
    return t.AlarmFigures(
        **counts,
        new=sum(new for _, new in fresh.values()),
        stale=found.stale,
        is_flood=await alarms.stands(rq.db, ALARM_FLOOD, "alarms"),
        days=days,
        raised=found.raised,
        announced=found.announced,
        announced_in_10_min=round(found.announced * SPAN_S / (days * DAY_S), 2),
        busiest_10_min=await alarm_states.busiest(rq.db, since, SPAN_S),
        often=[t.Often(code=row.code, name=named[row.code, row.subject].name, times=int(row.n)) for row in often],
    )


async def _shown(rq: Request, rows: Sequence[Row[Any]]) -> list[t.Alarm]:
    named = await names(rq.db, rows)
    explains = await alarm_states.counts_explained(rq.db, [row.id for row in rows])
    return [_alarm(row, named[row.code, row.subject], explains.get(row.id, 0), rq.now) for row in rows]


_STORED = ("id", "code", "priority", "subject", "detail", "count", "under", "again", "raised", "cleared")
_ANSWERS = ("acknowledged", "acknowledged_by", "note", "shelved_until", "shelved_by", "shelved_because")


def _alarm(row: Row[Any], named: Named, explains: int, now: int) -> t.Alarm:
    kind = kind_of(row.code)
    return t.Alarm(
        **{name: getattr(row, name) for name in (*_STORED, *_ANSWERS)},
        state=_state(row, now),
        name=named.name,
        kind=named.kind,
        key=named.id,
        client=named.client,
        explains=explains,
        meaning=kind.meaning,
        do=kind.do,
        by_hand=kind.by_hand,
    )


def _state(row: Row[Any], now: int) -> str:
    if row.cleared is not None:
        return "gone" if row.acknowledged is None and row.announced is not None else "cleared"
    if row.shelved_until is not None and row.shelved_until > now:
        return "shelved"
    if row.under is not None:
        return "suppressed"
    return "new" if row.acknowledged is None else "acknowledged"


def _who(rq: Request) -> Who:
    return Who(rq.operator, is_engineer=rq.caller.role >= ENGINEER)
