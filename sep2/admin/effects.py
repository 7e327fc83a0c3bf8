"""What an override does before it is sent: power now and then, its digest, and whether a second person has to agree."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.admin import types as t
from sep2.errors import Conflict
from sep2.operations import standing
from sep2.operations.alarms import MODE_UNSUPPORTED
from sep2.operations.override_answers import Sent, Told
from sep2.operations.places import Place
from sep2.operations.reach import not_as_meant
from sep2.operations.state_out import power_at
from sep2.rest.route import Request
from sep2.rules.limits import Limits
from sep2.rules.second_person import Act, Need, Policy
from sep2.store import override_progress, territory
from sep2.store import overrides as stored

DIRECTIONS = {"export": "export_w", "import": "import_w", "generation": "gen_w", "load": "load_w"}
BY_PEOPLE = ("override", "schedule", "operator", "backstop")
"""Sources that a person has said something by: what an engine's round changes is no change of the effect."""
MEASURED_MOST = 5000
"""Places of which it is summed what is measured."""
TOLERANCE = 0.1
"""By how much of the power an effect may differ from the one that was looked at."""


class EffectChanged(Conflict):
    """What it would do has changed since it was looked at; look at it again."""


def policy_of(rq: Request) -> Policy:
    """What one operator may do alone."""
    settings = rq.state.settings
    terms = settings.utility.approvals
    return Policy(terms.is_asked(settings.mode), terms.longest_alone_s, terms.largest_alone_w)


async def effects_of(rq: Request, sent: Sent) -> list[t.Effect]:
    """Power by direction: what could flow at the places that are told, what can with the limits, and what is measured.

    What is there is the rating that devices report or, where they report none, the contract. Where no device can be
    told a limit, nothing changes.
    """
    ids = [one.place.connection_id for one in sent.told if one.place.connection_id is not None]
    power = await power_at(rq.db, ids) if len(ids) <= MEASURED_MOST else {}
    found = []
    for direction, field in DIRECTIONS.items():
        bound = [(one.place, _then(one, field)) for one in sent.told if _least(one, field) is not None]
        if not bound:
            continue
        way = -1 if direction in ("export", "generation") else 1
        known = [
            (max(0.0, way * power[place.connection_id].watts), watts)
            for place, watts in bound
            if place.connection_id in power
        ]
        found.append(
            t.Effect(
                direction=direction,
                reach_now_w=sum(place.rating_w for place, _ in bound),
                reach_then_w=round(sum(min(place.rating_w, watts) for place, watts in bound)),
                connections=len(bound),
                measured=len(known),
                measured_now_w=round(sum(now for now, _ in known)),
                measured_then_w=round(sum(min(now, watts) for now, watts in known)),
                unrated=sum(not place.rating_w for place, _ in bound),
                untold=sum(watts == math.inf for _, watts in bound),
            )
        )
    return found


def _then(one: Told, field: str) -> float:
    """The limit in one direction that a place can not go beyond, in watts; none where nobody there is told it."""
    least = _least(one, field)
    said = Limits(**{field: least})
    return math.inf if least is None or not one.place.is_reached(said) else least


def _least(one: Told, field: str) -> int | None:
    said = [getattr(part.limits, field) for part in one.parts]
    known = [watts for watts in said if watts is not None]
    return min(known, default=None)


def notes_of(sent: Sent, modes: Iterable[str]) -> list[t.Note]:
    """What devices that are sent an override do not hold as it is meant, beside those that can not be told all of it.

    modes: those that it says beside its limits.
    """
    untold = {device.id for device, _ in sent.untold}
    said = {one.place.key: {*modes, *(mode for part in one.parts for mode in part.limits.modes())} for one in sent.told}
    return [
        t.Note(lfdi=device.lfdi, connection_id=device.connection_name, code=code, sentence=sentence)
        for one in sent.told
        for device in one.place.devices
        for code, sentence in not_as_meant(device, said[one.place.key])
        if code != MODE_UNSUPPORTED or device.id not in untold
    ]


def floors_of(sent: Sent, asked: t.Limits) -> dict[str, int]:
    """Places where a rule guarantees more to controllable loads than was asked for, with that least limit."""
    said = [watts for watts in (asked.import_w, asked.load_w) if watts is not None]
    if not said:
        return {}
    return {one.place.name: one.place.least_load_w for one in sent.told if one.place.least_load_w > min(said)}


async def digest_of(rq: Request, row: Row[Any], sent: Sent, effects: Sequence[t.Effect]) -> str:
    """A digest of members, limits and what people have said there, and after a point the power that is held back."""
    beside = [one.id for one in await stored.beside(rq.db, row.id, rq.now, row.end)]
    values = {
        "asked": [row.scope, row.subject, row.kind, row.end - row.start, *row_limits(row), row.modes],
        "told": sorted(_place(one) for one in sent.told),
        "untold": sorted(device.lfdi for device, _ in sent.untold),
        "left out": sorted(place.name for place in sent.left_out),
        "beside": sorted(beside),
    }
    said = hashlib.sha256(msgspec.json.encode(values)).hexdigest()[:12].upper()
    return f"{said}.{held_back_w(effects)}"


def row_limits(row: Row[Any]) -> list[int | None]:
    """The limits of a stored override."""
    return [row.import_limit_w, row.export_limit_w, row.gen_limit_w, row.load_limit_w]


def _place(one: Told) -> list[Any]:
    devices = sorted(device.lfdi for device in one.place.devices)
    people = sorted(source for source in one.replaces if source.startswith((*BY_PEOPLE, "group")))
    return [one.place.name, devices, people, one.place.least_load_w]


def held_back_w(effects: Iterable[t.Effect]) -> int:
    """The most that is held back in any direction."""
    return max((one.reach_now_w - one.reach_then_w for one in effects), default=0)


def check_digest(seen: str, digest: str, reason: str) -> str:
    """Nothing where the effect is the one that was looked at; a sentence where it is not, and it is an emergency."""
    if not seen or is_same(seen, digest):
        return ""
    if reason == "emergency":
        return "Its effect is not the one that was looked at before."
    raise EffectChanged(f"digest: {seen[:40]} was looked at, and now it is {digest}")


def is_same(seen: str, digest: str) -> bool:
    """Whether two digests are of the same effect, with about the same power."""
    (one, _, before), (other, _, now) = seen.partition("."), digest.partition(".")
    if one != other or not before.isdigit() or not now.isdigit():
        return seen == digest
    return abs(int(before) - int(now)) <= TOLERANCE * max(int(before), int(now))


async def is_wide(rq: Request, scope: str, subject: str) -> bool:
    """Whether a scope is more than what one transformer feeds."""
    if scope in standing.NARROW:
        return False
    row = await territory.by_name(rq.db, subject) if scope == "place" else None
    return row is None or row.kind != "transformer"


async def act_of(rq: Request, row: Row[Any], sent: Sent, effects: Sequence[t.Effect], *, since: int) -> Act:
    """What is asked for, as the policy looks at it; since: when it began, where it goes on with an earlier one."""
    return Act(
        kind=row.kind,
        is_wide=await is_wide(rq, row.scope, row.subject),
        span_s=row.end - since,
        power_w=held_back_w(effects),
        reason=row.reason,
        protected=sent.named,
        loosens=[one.place.name for one in sent.told if one.loosens],
    )


async def settle(rq: Request, row: Row[Any], need: Need, review_by: int) -> tuple[str, str]:
    """Note who agreed, or until when somebody has to look; why a second person is needed before, and afterwards."""
    if need.before and rq.second:
        await override_progress.note(rq.db, row.id, second=rq.second)
    if need.after:
        await override_progress.note(rq.db, row.id, review_by=review_by)
    return ("" if rq.second else need.before), need.after


def left_out(places: Iterable[Place]) -> list[t.LeftOut]:
    """Protected connections that are not told."""
    return [t.LeftOut(connection_id=place.connection_name, protected=place.protected) for place in places]
