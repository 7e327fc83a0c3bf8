"""One settled interval of a member: what was asked, what limits left, what came, what was lost to which cause.

Power in W of injection, means over the interval; energy in Wh. For a draw that was asked for all signs are mirrored.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sep2.rules.market.settle import Run, apportioned, lost

ENERGIES = ("breach_wh", "lost_override_wh", "lost_envelope_wh", "own_shortfall_wh")
OK, BREACH, UNKNOWN = "ok", "breach", "unknown"


class Facts(NamedTuple):
    """What is on record of a member's interval, its share of the DER already applied; None: not known, or no limit."""

    instructed_w: float | None
    available_w: float | None
    agreed_w: float | None
    envelope_w: float | None
    limit_w: float | None
    measured_w: float | None
    coverage: float
    state: str
    breach_wh: float
    override_mrid: str = ""


class Outcome(NamedTuple):
    """The interval in exact Wh; energies are None where nothing was asked or nothing is known."""

    want_w: float | None
    measured_wh: float | None
    breach_wh: float | None
    lost_override_wh: float | None
    lost_envelope_wh: float | None
    own_shortfall_wh: float | None


def outcome(facts: Facts, seconds: int) -> Outcome:
    """What became of an interval. What is not known is never ok and never filled in."""
    measured_wh = None if facts.measured_w is None else facts.measured_w * seconds / 3600
    breach_wh = None if facts.state == UNKNOWN else facts.breach_wh
    if facts.instructed_w is None:
        return Outcome(None, measured_wh, breach_wh, None, None, None)
    sign = -1 if facts.instructed_w < 0 else 1
    asked = abs(facts.instructed_w)
    able = asked if facts.available_w is None else facts.available_w
    agreed = asked if facts.agreed_w is None else facts.agreed_w
    want = min(asked, able, agreed)
    if facts.measured_w is None:
        return Outcome(sign * want, None, breach_wh, None, None, None)
    envelope = want if facts.envelope_w is None else facts.envelope_w
    limit = envelope if facts.limit_w is None else facts.limit_w
    found = lost(Run(asked, able, agreed, envelope, limit, sign * facts.measured_w), seconds)
    return Outcome(sign * want, measured_wh, breach_wh, found.override_wh, found.envelope_wh, found.own_shortfall_wh)


def whole(parts: Sequence[float | None]) -> tuple[int | None, list[int | None]]:
    """A sum in whole Wh and its parts that sum to it exactly; without a sum where a part is not known."""
    known = [part for part in parts if part is not None]
    if not known:
        return None, [None] * len(parts)
    total = round(sum(known))
    made = iter(apportioned(total, known))
    found = [None if part is None else next(made) for part in parts]
    return (total if len(known) == len(parts) else None), found


def state_of(states: Sequence[str]) -> str:
    """The state of several together: unknown where one is, else broken where one is."""
    return UNKNOWN if UNKNOWN in states or not states else BREACH if BREACH in states else OK
