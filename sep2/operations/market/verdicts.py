"""What is found of plans: each step compared with what members can do, anew whenever that changes.

A verdict is never changed. One that is found later keeps what was said of steps that had begun by then.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row

from sep2 import __version__
from sep2.operations.alarms import Wanted
from sep2.operations.market import deliverables, messages
from sep2.operations.market.deliverables import Known
from sep2.operations.market.messages import Telling
from sep2.operations.market.plans import body_of, members_at, presence
from sep2.rules.market.deliverables import Deliverable, Share
from sep2.rules.market.deliverables import deliverables as summed
from sep2.rules.market.plans import Answer, Series, Verdict, state_of
from sep2.rules.market.plans import verdicts as compared
from sep2.rules.market.profile import MarketProfile
from sep2.rules.webhooks import Topic
from sep2.store import webhooks
from sep2.store.connection import Connection
from sep2.store.market import plans as stored
from sep2.store.market.series import packed, unpacked

VERDICT_LATE = "verdict_late"
TOO_LATE = "too_late_for_day_ahead"
CHECK_FAILED = "check_failed"


class VerdictBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict says of each step of each node, as it is stored: the states and causes by position."""

    nodes: list[str]
    starts: list[list[int]]
    states: list[list[str]]
    min_w: list[list[int | None]]
    max_w: list[list[int | None]]
    binding: list[list[str]]
    causes: list[list[str]]

    def steps(self) -> dict[tuple[str, int], Verdict]:
        """The verdict of each node and start."""
        found = {}
        columns = self.starts, self.states, self.min_w, self.max_w, self.binding, self.causes
        for node, *own in zip(self.nodes, *columns, strict=True):
            for start, state, low, high, binding, cause in zip(*own, strict=True):
                found[node, start] = Verdict(node, start, Answer(state), low, high, binding, cause)
        return found


class Question(NamedTuple):
    """A version of a plan, and all that its verdict depends on."""

    version: Row[Any]
    series: Sequence[Series]
    known: Known
    before: Mapping[tuple[str, int], Verdict]
    """what was said of its steps until now"""
    now: int


class Found(NamedTuple):
    """A verdict that is to be recorded."""

    steps: Sequence[Verdict]
    whole: Verdict
    detail: str
    run_ids: Sequence[str]
    inputs_sha256: str
    took_ms: int = 0


def stamp(known: Known) -> str:
    """The digest of what a verdict depends on: members with ratings and agreements, and which limits are published."""
    said = [
        [_share(one.share), one.iso_node, [place.name for place in one.places]]
        for one in sorted(known.members, key=lambda one: (one.share.der, one.share.start))
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _share(share: Share) -> list[object]:
    run = None if share.published is None else share.published.run
    which = None if run is None else [run.run_id, run.starts[0], share.unknown]
    said = [share.der, share.ppm, share.gen, share.load, share.start, share.end, share.cause, which]
    return [*said, share.overrides] if share.overrides else said


async def look(db: Connection, version: Row[Any], now: int, *, with_limits: bool = True) -> Known:
    """What is known of the members that a version of a plan is about."""
    span = version.start, version.end
    return await deliverables.look(db, version.aggregation_id, span, now, with_limits=with_limits, with_overrides=True)


async def question(db: Connection, version: Row[Any], now: int) -> Question:
    """All that a verdict on a version depends on."""
    before: Mapping[tuple[str, int], Verdict] = {}
    if version.verdict_id is not None:
        before = unpacked(await stored.verdict_body(db, version.verdict_id), VerdictBody).steps()
    return Question(version, await body_of(db, version.id), await look(db, version, now), before, now)


def answer(asked: Question) -> Found:
    """The verdict: it computes, and asks nobody."""
    step_s, inputs = asked.version.step_s, stamp(asked.known)
    if asked.version.is_late:
        steps = [Verdict(one.node, at, Answer.CANNOT_TELL, cause=TOO_LATE) for one in asked.series for at in one.starts]
        return Found(steps, state_of(steps), "it came after the market's time for plans of that day", (), inputs)
    steps = []
    groups = members_at((one.node for one in asked.series), asked.known.members)
    for one in asked.series:
        members = groups[one.node]
        spans = [(start, start + step_s) for start in one.starts]
        known: Sequence[Deliverable] = summed(one.node, [each.share for each in members], spans)
        until = presence(members).until if members else one.starts[0]
        steps += [_kept(asked, found) for found in compared(one, step_s, known, until)]
    whole = state_of(steps)
    return Found(steps, whole, asked.known.details.get(whole.cause, ""), asked.known.run_ids, inputs)


def _kept(asked: Question, found: Verdict) -> Verdict:
    """What was said before of a step that has begun; a run of now says nothing of it any more."""
    return asked.before.get((found.node, found.start), found) if found.start < asked.now else found


def failed(asked: Question, wrong: Exception) -> Found:
    """What is said where the check itself failed."""
    steps = [Verdict(one.node, at, Answer.CANNOT_TELL, cause=CHECK_FAILED) for one in asked.series for at in one.starts]
    return Found(steps, state_of(steps), f"{type(wrong).__name__}: {wrong}"[:300], (), stamp(asked.known))


async def record(db: Connection, version: Row[Any], found: Found, profile: MarketProfile, *, now: int) -> None:
    """Keep a verdict, and tell receivers of the topic `market` where it says something else than the one before."""
    whole = found.whole
    is_turn = version.verdict_state == Answer.OK and whole.state is Answer.LIMIT
    is_too_late = is_turn and whole.start - now < profile.intraday.offer_change_before_s
    await stored.add_verdict(
        db,
        version.id,
        now,
        state=str(whole.state),
        cause=whole.cause,
        detail=found.detail,
        run_ids=json.dumps(sorted(found.run_ids)),
        inputs_sha256=found.inputs_sha256,
        server_version=__version__[:40],
        took_ms=found.took_ms,
        body=packed(_body(found.steps)),
        is_too_late=is_too_late,
    )
    if (version.verdict_state, version.verdict_cause) != (whole.state, whole.cause):
        await _tell(db, version, whole, is_too_late=is_too_late, now=now)


def _body(steps: Sequence[Verdict]) -> VerdictBody:
    of: dict[str, list[Verdict]] = {}
    for one in steps:
        of.setdefault(one.node, []).append(one)
    nodes = list(of)
    return VerdictBody(
        nodes=nodes,
        starts=[[one.start for one in of[node]] for node in nodes],
        states=[[str(one.state) for one in of[node]] for node in nodes],
        min_w=[[_whole(one.min_w) for one in of[node]] for node in nodes],
        max_w=[[_whole(one.max_w) for one in of[node]] for node in nodes],
        binding=[[one.binding for one in of[node]] for node in nodes],
        causes=[[one.cause for one in of[node]] for node in nodes],
    )


def _whole(watts: float | None) -> int | None:
    return None if watts is None else int(watts)


async def _tell(db: Connection, version: Row[Any], whole: Verdict, *, is_too_late: bool, now: int) -> None:
    told = {
        "plan": version.market_plan_id,
        "name": version.name,
        "version": version.version,
        "aggregation": version.aggregation_name,
        "state": str(whole.state),
        "cause": whole.cause,
        "node": whole.node,
        "start": whole.start,
        "min_w": whole.min_w,
        "max_w": whole.max_w,
        "binding": whole.binding,
        "is_too_late": is_too_late,
    }
    await webhooks.tell(db, [webhooks.Message(Topic.MARKET, "plan_verdict", version.aggregation_name, told)], now)
    await messages.tell(db, [Telling(version.party_id, "plan_verdict", version.aggregation_name, told)], now)


async def alarms(db: Connection, now: int) -> dict[str, Wanted]:
    """The alarms about verdicts that are overdue, by aggregation."""
    found: dict[str, Wanted] = {}
    for row in await stored.unanswered(db, now):
        said = f"{row.name} version {row.version}: no verdict {now - row.recorded_at} s after it came"
        found.setdefault(row.aggregation_name, Wanted(said))
    return found
