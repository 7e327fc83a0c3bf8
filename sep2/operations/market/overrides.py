"""Overrides of aggregations: sent as overrides of the desk together with their notices, answered, accounted for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations import overrides as desk
from sep2.operations.market import aggregations, curtailments, override_notices
from sep2.operations.override_answers import Sent
from sep2.operations.overrides import NewOverride, OverrideReachesNobody, Terms
from sep2.rules.limits import Limits
from sep2.rules.market.curtailment import Effect
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.ladder import NoticeClass, is_late
from sep2.rules.market.profile import MarketProfile, OverrideRules
from sep2.rules.market.profiles import fingerprint, read_profile
from sep2.rules.row_numbers import row_number
from sep2.rules.told_times import told, told_length
from sep2.rules.webhooks import Topic
from sep2.store import webhooks
from sep2.store.connection import Connection
from sep2.store.market import overrides as stored
from sep2.store.market.facts import Written

SCOPE = "aggregation"
NETWORK_REASONS = ("overload", "voltage")
MOST_ANSWERS = 200
NACK = "nack"
OPEN, DECIDED = "open", "decided"


class UnknownMarketOverride(NotFound):
    """There is no override of an aggregation of that number."""


class ReasonGiven(Conflict):
    """No reason is asked for, or it was given already."""


class NobodyToCall(Conflict):
    """No notice of this override waits for a call."""


class NoOpenDispute(NotFound):
    """There is no open dispute of that number about this override."""


class TooManyAnswers(Conflict):
    """So many answers to one override are enough."""


class ReleaseWithoutReason(BadValue):
    """Parties are told why an override of their aggregation is released; give a reason."""


class NewMarketOverride(NamedTuple):
    """An override of an aggregation; `said` is it as the desk takes it, its limits those of all members together."""

    said: NewOverride
    notice: NoticeClass
    binding: str = ""
    fairness_note: str = ""
    ders: Sequence[str] = ()
    """only these members; empty: all"""
    node: str = ""
    """only members at a node of the system operator, or below a place of the network; empty: all"""


class MarketSent(NamedTuple):
    """What was sent: as the desk sees it, what it does to the aggregation, and why a second person has to agree."""

    sent: Sent
    number: int
    effect: Effect
    needs_second: str


async def send(
    db: Connection, row: Row[Any], new: NewMarketOverride, terms: Terms, *, own: Path | None, written: Written
) -> MarketSent:
    """Send an override to the members of an aggregation: controls, notices and messages, all or nothing of it.

    own: the folder of the utility's market profiles.
    """
    if row.status not in aggregations.TAKES_PART:
        raise aggregations.WrongStatus(f"{row.name} is {row.status}; it is overridden while it takes part")
    await db.in_turn()
    profile, now = read_profile(row.profile, own), written.now
    end = desk.checked(new.said, now, terms)
    span = max(now, new.said.start), end
    refuse(_faults(new, profile.override, now))
    to = await curtailments.reached(db, row, span, only=new.ders, node=new.node)
    if not to.at:
        raise OverrideReachesNobody(f"{row.name}: no member has a device")
    alike = await curtailments.alike_elsewhere(db, new.binding, to.names | set(to.silent), now)
    if alike and not new.fairness_note.strip():
        bound = f"why {alike} other DERs at {new.binding} are not curtailed as well"
        refuse([Fault("fairness_note", "non_discrimination_note", "", bound)])
    is_emergency = new.notice is NoticeClass.EMERGENCY
    share = curtailments.shared(to.at, new.said.limits, keeps_contracts=not is_emergency)
    sent = await desk.send(db, _desks(row, new, to.devices, share.shares), now, terms)
    effect = await curtailments.effect(db, row, to, sent.told, share=share, span=span, now=now)
    effect = msgspec.structs.replace(effect, alike=alike, like_for_like=effect.like_for_like and not alike)
    number = await _add(db, row, new, sent.id, profile=profile, effect=effect, now=now)
    await override_notices.announce(db, await _by_number(db, number), new.notice, now)
    return MarketSent(sent, number, effect, _why_second(new.notice, profile))


def _faults(new: NewMarketOverride, rules: OverrideRules, now: int) -> list[Fault]:
    found = []
    if new.notice is NoticeClass.PLANNED and rules.planned and new.said.start - now < rules.planned[-1]:
        lead = rules.planned[-1]
        bound = f"{told(now + lead)} or later: what is planned is announced {told_length(lead)} ahead"
        found.append(Fault("start", "too_soon_for_planned", told(new.said.start), bound))
    if new.said.reason in NETWORK_REASONS and not new.binding.strip() and new.notice is not NoticeClass.EMERGENCY:
        found.append(Fault("binding", "missing", "", f"the element of the network that the {new.said.reason} is at"))
    return found


def _desks(row: Row[Any], new: NewMarketOverride, devices: Sequence[int], shares: Mapping[str, Limits]) -> NewOverride:
    said = {name: getattr(new.said, name) for name in NewOverride.__dataclass_fields__}
    said["is_rehearsal"] = bool(row.is_test)
    return NewOverride(
        **{**said, "scope": SCOPE, "subject": row.name, "subject_id": row.id, "devices": devices, "shares": shares}
    )


def _why_second(notice: NoticeClass, profile: MarketProfile) -> str:
    if str(notice) not in profile.override.two_person:
        return ""
    return f"the market {profile.name} has a second person agree to overrides that are {notice}"


async def _add(
    db: Connection,
    row: Row[Any],
    new: NewMarketOverride,
    override_id: int,
    *,
    profile: MarketProfile,
    effect: Effect,
    now: int,
) -> int:
    is_emergency = new.notice is NoticeClass.EMERGENCY
    return await stored.add(
        db,
        override_id=override_id,
        aggregation_id=row.id,
        notice_class=str(new.notice),
        profile=profile.name,
        profile_sha256=fingerprint(profile),
        rules=msgspec.json.encode(profile.override).decode(),
        binding=new.binding,
        fairness_note=new.fairness_note,
        ders=msgspec.json.encode(list(new.ders)).decode(),
        node=new.node,
        effect=msgspec.json.encode(effect).decode(),
        reason_due=now + profile.override.reason_due_s if is_emergency else None,
    )


async def find(db: Connection, number: str) -> Row[Any]:
    """The override of an aggregation by its number on the desk, or the `latest`."""
    latest = number == "latest"
    row = await stored.latest(db) if latest else await stored.of_override(db, row_number(number))
    if row is None:
        raise UnknownMarketOverride(number[:40])
    return row


async def _by_number(db: Connection, number: int) -> Row[Any]:
    row = await stored.by_number(db, number)
    assert row is not None  # overrides are never deleted
    return row


def over_at(row: Row[Any]) -> int:
    """When it was over, or will be."""
    return int(min(row.end, row.end if row.released is None else row.released))


class Answer(NamedTuple):
    """What a party says of an override: ack, nack or partial, what it expects to do, and its revised plan."""

    answer: str
    expected_w: int | None = None
    revised_plan: str = ""
    note: str = ""


async def answer(db: Connection, row: Row[Any], party_id: int, said: Answer, *, now: int) -> int:
    """The number of a party's answer; it stops reminders, and lifts nothing: a nack opens a dispute."""
    await stored.locked(db, row.id)
    if await stored.count_answers(db, row.id) >= MOST_ANSWERS:
        raise TooManyAnswers(f"{MOST_ANSWERS} for override {row.override_id}")
    row = await find(db, str(row.override_id))
    mine = [one for one in await stored.notices(db, [row.id]) if one.party_id == party_id]
    answer_by = max((one.answer_by for one in mine if one.answer_by is not None), default=None)
    number: int = await stored.add_answer(
        db,
        market_override_id=row.id,
        party_id=party_id,
        **said._asdict(),
        is_late=is_late(now, answer_by, over_at(row)),
        recorded_at=now,
        dispute=OPEN if said.answer == NACK else "",
    )
    await stored.answered(db, row.id, party_id, now)
    news = {"override": row.override_id, **said._asdict()}
    await webhooks.tell(db, [webhooks.Message(Topic.MARKET, "override_answer", row.aggregation_name, news)], now)
    return number


async def give_reason(db: Connection, row: Row[Any], reason: str, written: Written) -> None:
    """Say why there was an emergency; who was told of it is told that too."""
    await stored.locked(db, row.id)
    row = await find(db, str(row.override_id))
    if row.reason_due is None or row.reason_at is not None:
        raise ReasonGiven(str(row.override_id))
    await stored.change(db, row.id, reason_at=written.now, reason_text=reason, reason_by=written.by)
    await override_notices.tell_all(db, row, "override_reason", {"reason_text": reason}, now=written.now)


async def note_call(db: Connection, row: Row[Any], note: str, written: Written) -> None:
    """Note that somebody has called about the notices that nobody answered."""
    said = {"called_at": written.now, "called_by": written.by, "called_note": note}
    if not await stored.called(db, row.id, **said):
        raise NobodyToCall(str(row.override_id))


async def close_dispute(db: Connection, row: Row[Any], number: int, outcome: str, *, written: Written) -> None:
    """Keep what became of a dispute that a nack opened; its party is told."""
    await stored.locked(db, row.id)
    found = [one for one in await stored.answers(db, [row.id]) if one.id == number and one.dispute == OPEN]
    if not found:
        raise NoOpenDispute(str(number))
    said = {"dispute": DECIDED, "outcome": outcome, "closed_at": written.now, "closed_by": written.by}
    await stored.close_dispute(db, number, **said)
    news = {"answer": number, "outcome": outcome}
    await override_notices.tell_all(db, row, "override_dispute_closed", news, now=written.now, only=found[0].party_id)


async def follow_release(db: Connection, override_id: int, reason: str, now: int) -> None:
    """Have who was told of an override be told that it is released; nothing where it is none of an aggregation."""
    row = await stored.of_override(db, override_id)
    if row is None:
        return
    if not reason.strip():
        raise ReleaseWithoutReason(f"override {override_id} is of aggregation {row.aggregation_name}")
    await override_notices.tell_over(db, row, reason, now)
