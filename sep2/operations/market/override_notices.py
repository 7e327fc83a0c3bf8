"""Notices of overrides: sent in the transaction of the override, repeated while nobody answers, ended with it."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.operations.alarms import Wanted
from sep2.operations.issuing import limits_of
from sep2.operations.market import messages, parties, system_operators
from sep2.operations.market.messages import Telling
from sep2.rules.market.curtailment import Effect
from sep2.rules.market.ladder import Ladder, NoticeClass, Step, next_step, notices, sent_again
from sep2.rules.market.profile import OverrideRules
from sep2.store.connection import Connection
from sep2.store.market import overrides as stored
from sep2.store.market import register
from sep2.store.market.facts import AsOf

SILENT, REASON_DUE = "override_unanswered", "override_reason_due"
AT_ONCE = 200
"""Notices and overrides that one look takes up; the rest waits for the next."""


def rules_of(row: Row[Any]) -> OverrideRules:
    """The market's rules as they were when it was issued."""
    return msgspec.json.decode(row.rules, type=OverrideRules)


def effect_of(row: Row[Any]) -> Effect:
    """What an override does, as it was when it was sent, and to those who have joined since."""
    return msgspec.json.decode(row.effect, type=Effect)


async def announce(db: Connection, row: Row[Any], kind: NoticeClass, now: int) -> None:
    """Keep the notices of a new override, and send those that are due at once."""
    rules = rules_of(row)
    rows: list[dict[str, Any]] = []
    if "aggregator" in rules.notify:
        for n, wanted in enumerate(notices(kind, now, row.start, rules), 1):
            rows.append(_notice(row, row.party_id, n, wanted.at, answer_s=wanted.answer_by - wanted.at))
    if "iso" in rules.notify:
        isos = await system_operators.of_market(db, row.profile, now, is_test=row.is_test)
        rows += [_notice(row, number, 1, now, answer_s=0, must_answer=False) for number in isos]
    await stored.add_notices(db, rows)
    for one in await stored.notices(db, [row.id]):
        if one.due <= now:
            await _send(db, row, one, now)


def _notice(
    row: Row[Any], party_id: int, number: int, due: int, *, answer_s: int, must_answer: bool = True
) -> dict[str, Any]:
    said = {"market_override_id": row.id, "party_id": party_id, "rung": number, "must_answer": must_answer}
    return {**said, "due": due, "answer_s": answer_s, "next_at": due}


async def step(db: Connection, number: int, now: int) -> None:
    """Do what one notice asks for now: send it, send it again, or have a person call."""
    one = await stored.notice(db, number)
    if one is None or one.next_at is None or one.next_at > now:
        return
    row = await stored.by_number(db, one.market_override_id)
    assert row is not None  # overrides are never deleted
    if row.released is not None or row.end <= now or one.answered_at is not None:
        await stored.change_notice(db, number, next_at=None)
        return
    wanted = next_step(_ladder(one), rules_of(row))
    if wanted.step is Step.PHONE:
        await stored.change_notice(db, number, silent_at=now, next_at=None)
    else:
        await _send(db, row, one, now)


def _ladder(one: Row[Any]) -> Ladder:
    return Ladder(one.due, one.answer_s, one.sent, one.last_sent)


async def _send(db: Connection, row: Row[Any], one: Row[Any], now: int) -> None:
    ladder = sent_again(_ladder(one), now)
    answer_by = one.answer_by if one.sent else now + one.answer_s
    data = {
        **said_of(row, own=one.party_id == row.party_id),
        "notice": one.rung,
        "sent": ladder.sent,
        "answer_by": answer_by if one.must_answer else None,
    }
    await messages.tell(db, [Telling(one.party_id, "override_notice", row.aggregation_name, data)], now)
    next_at = next_step(ladder, rules_of(row)).at if one.must_answer else None
    said = {"sent": ladder.sent, "last_sent": now, "answer_by": answer_by, "next_at": next_at}
    await stored.change_notice(db, one.id, **said)


def said_of(row: Row[Any], *, own: bool) -> dict[str, Any]:
    """An override as parties are told of it; own: to the aggregator, with its DERs."""
    effect = effect_of(row)
    found = {
        "override": row.override_id,
        "aggregation": row.aggregation_name,
        "class": row.notice_class,
        "start": row.start,
        "end": row.end,
        "reason": row.reason,
        "limits": {name: watts for name, watts in limits_of(row)._asdict().items() if watts is not None},
        "fraction_ppm": effect.fraction_ppm,
        "penalty_excused": rules_of(row).penalty_excused,
    }
    if not own:
        return found
    told = ("der", "connection", "export_after_w", "import_after_w", "lost_wh")
    return found | {
        "note": row.note,
        "binding": row.binding,
        "ders": [{name: getattr(one, name) for name in told} for one in effect.ders],
        "not_reached": effect.not_reached,
        "plans": [msgspec.to_builtins(one) for one in effect.plans],
        "lost_wh": effect.lost_wh,
    }


async def tell_all(
    db: Connection, row: Row[Any], kind: str, data: Mapping[str, Any], *, now: int, only: int | None = None
) -> None:
    """Tell the parties that were told of an override something more of it; only: one of them."""
    head = {"override": row.override_id, "aggregation": row.aggregation_name}
    to = [one for one in await stored.answering_parties(db, row.id) if only in (None, one)]
    await messages.tell(db, [Telling(one, kind, row.aggregation_name, {**head, **data}) for one in to], now)


async def tell_more(
    db: Connection, row: Row[Any], kind: str, data: Mapping[str, Any], *, without: Collection[str], now: int
) -> None:
    """Tell the aggregator and the system operators of its market; these without what names DERs."""
    head = {"override": row.override_id, "aggregation": row.aggregation_name}
    bare = {name: said for name, said in data.items() if name not in without}
    isos = await system_operators.of_market(db, row.profile, now, is_test=row.is_test)
    told = [(row.party_id, data), *((number, bare) for number in isos if "iso" in rules_of(row).notify)]
    tellings = [Telling(number, kind, row.aggregation_name, {**head, **said}) for number, said in told]
    await messages.tell(db, tellings, now)


async def tell_over(db: Connection, row: Row[Any], reason: str, now: int) -> None:
    """Tell parties that an override is over: released for a reason, or ended (none); no notice of it is sent more."""
    await stored.locked(db, row.id)
    fresh = await stored.by_number(db, row.id)
    if fresh is None or fresh.over_told is not None:
        return
    kind = "override_released" if reason or fresh.released is not None else "override_ended"
    await tell_all(db, fresh, kind, {"at": min(now, fresh.end), "reason": reason}, now=now)
    await stored.stop_notices(db, fresh.id)
    await stored.change(db, fresh.id, over_told=now)


async def alarms(db: Connection, now: int) -> dict[str, dict[str, Wanted]]:
    """The alarms that overrides of aggregations deserve, by code and subject."""
    silent: dict[str, Wanted] = {}
    for one in await stored.silent(db, now):
        party = await register.entry(db, "party", one.party_id, AsOf(now))
        said = "" if party is None else _whom(party)
        detail = f"{one.party_name} has not answered {one.sent} notices of it; call{said}"
        silent.setdefault(f"override {one.override_id}", Wanted(detail))
    due = {
        f"override {row.override_id}": Wanted(f"{row.aggregation_name}: the reason of the emergency was due by now")
        for row in await stored.unreasoned(db, now)
    }
    return {SILENT: silent, REASON_DUE: due}


def _whom(party: Row[Any]) -> str:
    """Whom to call of a party: first who is there day and night."""
    contacts = sorted(parties.said_of(party).contacts, key=lambda one: not one.is_24x7)
    found = [f"{one.name} {one.phone}" for one in contacts if one.phone]
    return f" {found[0]}" if found else ""
