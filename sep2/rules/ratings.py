"""What a percentage of setMaxW is of: the rating that a device reports, as far as it is plausible (CSIP)."""

from typing import NamedTuple, Protocol

from sep2.rules.limits import LARGEST_W, PERCENT_100

HIGHEST_OF_NAMEPLATE = 1.05
LOWEST_OF_NAMEPLATE = 0.1
LARGEST_CHANGE = 0.1
"""Share by which a reported setMaxW may differ from what was agreed."""


class Reported(Protocol):
    """What is stored of a device, in watts; None: not reported, or less than a watt."""

    @property
    def set_max_w(self) -> int | None: ...  # noqa: D102
    @property
    def nameplate_w(self) -> int | None: ...  # noqa: D102
    @property
    def agreed_max_w(self) -> int | None: ...  # noqa: D102
    @property
    def agreed_nameplate_w(self) -> int | None: ...  # noqa: D102


class Rating(NamedTuple):
    """The watts that percentages are of, None where nothing is known; and what is doubtful about them, if anything."""

    watts: int | None
    doubt: str = ""


def whole_watts(value: int, multiplier: int) -> int | None:
    """Whole watts of an ActivePower, at most what the database holds; None below one watt: that is no rating."""
    if value <= 0:
        return None
    # Powers of ten beyond what Int16 reaches need no exact arithmetic.
    exact = value * 10 ** min(multiplier, 20) if multiplier >= 0 else value // 10 ** min(-multiplier, 20)
    return min(exact, LARGEST_W) or None


def rating(reported: Reported) -> Rating:
    """The rating that a device's percentages are of.

    While setMaxW is doubtful and no operator has agreed to it, it is the larger of setMaxW and the nameplate: of a
    larger rating the same limit is a smaller percentage.
    """
    said, nameplate = reported.set_max_w, reported.nameplate_w
    if said is None:
        return Rating(nameplate, "it has not reported a setMaxW")
    doubt = doubt_of(reported)
    if not doubt:
        return Rating(said)
    known = nameplate if nameplate is not None else reported.agreed_max_w
    return Rating(max(said, known or 0), doubt)


def doubt_of(reported: Reported) -> str:
    """What is not plausible about a reported setMaxW; empty if nothing is, or if an operator agreed to it."""
    said, nameplate, agreed = reported.set_max_w, reported.nameplate_w, reported.agreed_max_w
    if said is None:
        return ""
    if agreed is not None and abs(said - agreed) > LARGEST_CHANGE * agreed:
        return f"its setMaxW changed from {agreed} W to {said} W"
    if reported.agreed_nameplate_w is not None and reported.agreed_nameplate_w == (nameplate or 0):
        return ""
    if nameplate is not None and said > HIGHEST_OF_NAMEPLATE * nameplate:
        return f"its setMaxW of {said} W is above its rtgMaxW of {nameplate} W"
    if nameplate is not None and said < LOWEST_OF_NAMEPLATE * nameplate:
        return f"its setMaxW of {said} W is far below its rtgMaxW of {nameplate} W"
    return ""


def percent_of(limit_w: int, rating_w: int | None) -> int:
    """Hundredths of a percent of a rating that are at most `limit_w`, for opModMaxLimW; never above 100 %.

    0 where the rating is not known: a percentage of an unknown rating bounds nothing, and leaving the mode out leaves
    the device without the limit.
    """
    if rating_w is None:
        return 0
    return min(PERCENT_100, PERCENT_100 * limit_w // rating_w)
