"""The screens of a review: what is asked of an engine, and those that need no network model. Powers are W."""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.register import AggregationFacts, DerFacts
from sep2.rules.market.shares import Held, overlaps
from sep2.rules.told_times import told_span

NAMEPLATE_PART = 0.1
"""What a device reports of its rating may differ from the registered one by so much."""
TELEMETRY_COVERAGE = 0.9
BY_RULES = ("capability", "identity", "double_counting", "telemetry")
BY_ENGINE = ("mapping", "hosting_node", "hosting_feeder")
SCREENS = (*BY_RULES, *BY_ENGINE)


class Result(StrEnum):
    """What a screen says; whatever it could not look at is no pass."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenResult:
    """What one screen found of a DER, or of all of them where none is named."""

    screen: str
    result: Result
    der: str = ""
    cause: str = ""
    """a stable code, where it did not pass"""
    detail: str = ""
    binding: str = ""
    """the element of the network that limits it"""
    limit_w: int | None = None
    """up to which it would pass"""
    run_id: str = ""
    inputs_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerAsked:
    """A DER that a network model is asked about."""

    der: str
    connection: str
    max_gen_w: int
    max_load_w: int
    phases: str = ""
    share_ppm: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewAsked:
    """What an engine is asked: these DERs together at both extremes, beside what takes part already."""

    aggregation: str
    ders: tuple[DerAsked, ...]
    others: tuple[DerAsked, ...] = ()
    """the members of all active aggregations"""
    min_confidence: float = 0.0
    now: int = 0

    @property
    def sha256(self) -> str:
        """Of all that was asked, so that an answer can be found to be another one's."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class DerSeen:
    """A DER with what the server knows beside its registration."""

    facts: DerFacts
    reported_max_w: int | None = None
    """what its device reports as its rating (rtgMaxW); None: nothing"""
    same_serial: Collection[str] = ()
    """other DERs of that make and serial at another meter"""
    same_meter: Collection[str] = ()
    """other DERs at its meter under another account"""
    coverage: float | None = None
    """the part of the last 24 hours of which its power is known; None: nothing was ever sent"""
    sign_unproven: bool = False
    """whether nobody has confirmed in which direction its readings count"""
    has_device: bool = False
    """whether an EndDevice is registered for it"""


class Sale(NamedTuple):
    """What an aggregation sells, by whose rules, and all shares of its DERs, those of other aggregations too."""

    aggregation: AggregationFacts
    profile: MarketProfile
    held: Sequence[Held]


def no_engine(ders: Sequence[DerAsked], cause: str, detail: str) -> list[ScreenResult]:
    """What is said of the network where nothing could look at it."""
    return [
        ScreenResult(screen=screen, der=one.der, result=Result.CANNOT_TELL, cause=cause, detail=detail)
        for screen in BY_ENGINE
        for one in ders
    ]


def capability(der: str, seen: DerSeen) -> list[ScreenResult]:
    """Ratings within the interconnection agreement, and the device reports what was registered."""
    facts, found = seen.facts, []
    pairs = (
        ("max_gen_w", facts.max_gen_w, "export_agreement_w", facts.export_agreement_w),
        ("max_load_w", facts.max_load_w, "import_agreement_w", facts.import_agreement_w),
    )
    for name, watts, agreement, agreed in pairs:
        if watts > agreed:
            detail = f"{name} {watts} W is above {agreement} {agreed} W"
            found.append(replace(_fail("capability", der, "above_agreement", detail), limit_w=agreed))
    reported = seen.reported_max_w
    rating = max(facts.max_gen_w, facts.max_load_w)
    if reported is not None and abs(reported - rating) > NAMEPLATE_PART * rating:
        detail = f"its device reports {reported} W, registered are {rating} W"
        found.append(_fail("capability", der, "nameplate_differs", detail))
    return found or [_passed("capability", der)]


def identity(der: str, seen: DerSeen) -> list[ScreenResult]:
    """Device, meter and account are those of nobody else at that time."""
    found = []
    if seen.same_serial:
        found.append(_fail("identity", der, "serial_elsewhere", f"{len(seen.same_serial)} more of that serial"))
    if seen.same_meter:
        found.append(_fail("identity", der, "meter_other_account", f"{len(seen.same_meter)} more at that meter"))
    return found or [_passed("identity", der)]


def double_counting(der: str, facts: DerFacts, sale: Sale) -> list[ScreenResult]:
    """No second sale of the same share, and the rule for net metering holds."""
    profile = sale.profile
    found = [
        _fail(
            "double_counting",
            der,
            "shares",
            f"held by {', '.join(one.holders)} {told_span(one.start, one.end)}",
        )
        for one in overlaps((one for one in sale.held if one.der == der), profile.double.exclusive)
    ]
    rules = {service: getattr(profile.double.nem, service, "allow") for service in sale.aggregation.services}
    excluded = sorted(service for service, rule in rules.items() if rule == "exclude")
    if facts.nem and excluded:
        detail = f"net metering pays for it, and {profile.name} excludes {', '.join(excluded)} then"
        found.append(_fail("double_counting", der, "nem", detail))
    return found or [_passed("double_counting", der)]


def telemetry(der: str, seen: DerSeen) -> list[ScreenResult]:
    """A day of readings is there, as they were posted."""
    if not seen.has_device:
        detail = "no EndDevice is registered for it: nothing can be received"
        return [_fail("telemetry", der, "no_device", detail)]
    if seen.coverage is None:
        return [_fail("telemetry", der, "nothing_received", "no reading of its power has come")]
    if seen.coverage < TELEMETRY_COVERAGE:
        detail = f"{seen.coverage:.0%} of the last 24 h are known, {TELEMETRY_COVERAGE:.0%} are needed"
        return [_fail("telemetry", der, "coverage", detail)]
    if seen.sign_unproven:
        detail = "the sign of its readings is not proven: `sep2 reading sign` settles it"
        return [_fail("telemetry", der, "sign_unproven", detail)]
    return [_passed("telemetry", der, f"{seen.coverage:.0%} of the last 24 h are known")]


def _fail(screen: str, der: str, cause: str, detail: str) -> ScreenResult:
    return ScreenResult(screen=screen, der=der, result=Result.FAIL, cause=cause, detail=detail)


def _passed(screen: str, der: str, detail: str = "") -> ScreenResult:
    return ScreenResult(screen=screen, der=der, result=Result.PASS, detail=detail)
