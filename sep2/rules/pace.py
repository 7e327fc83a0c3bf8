"""How often a client may ask: so many requests a minute, which it may also make all at once."""

import math
from typing import NamedTuple

BURST_S = 60
LONGEST_DELAY_S = 2.0
"""A request that would have to be held longer than this is refused instead."""


class Admitted(NamedTuple):
    """What becomes of one request."""

    booked: float
    """The time up to which the client's requests are booked, for its next one."""
    delay_s: float
    """Seconds for which the request is held before it is answered."""
    refused_s: int
    """0, or the seconds after which the same request would not be held at all: this one is refused."""


def admit(booked: float, now: float, per_minute: int) -> Admitted:
    """What becomes of a request of a client whose earlier ones are booked up to `booked`; times are of one clock.

    Each request books its share of a minute. One that books more than a minute ahead is held until it does not; one
    that would be held for too long is refused, and books nothing.
    """
    then = max(booked, now) + 60 / per_minute
    delay_s = then - now - BURST_S
    # Shares of a minute do not add up exactly.
    if delay_s < 1e-6:
        return Admitted(then, 0.0, 0)
    if delay_s <= LONGEST_DELAY_S:
        return Admitted(then, delay_s, 0)
    return Admitted(booked, 0.0, math.ceil(delay_s))
