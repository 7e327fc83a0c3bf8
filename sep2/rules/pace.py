"""How often a client may ask: so many requests a minute, which it may also make all at once."""

import math

BURST_S = 60


def admit(booked: float, now: float, per_minute: int) -> tuple[float, int]:
    """The time up to which the client's requests are booked, and for how many seconds this one has to wait.

    Each request books its share of a minute; one that would book more than a minute ahead waits, and books nothing.
    """
    then = max(booked, now) + 60 / per_minute
    wait_s = then - now - BURST_S
    # Shares of a minute do not add up exactly.
    return (then, 0) if wait_s < 1e-6 else (booked, math.ceil(wait_s))
