"""The least to which a rule of a region lets a utility limit what controllable loads draw."""

from collections.abc import Sequence

from sep2.rules.limits import Limits


def least_load_w(least_w: int, factors: Sequence[float], loads: int) -> int:
    """The least limit of several controllable loads together, watts, rounded up.

    The first counts whole, each further one by the factor for so many loads; the last factor holds for more of them.
    """
    if loads < 1:
        return 0
    factor = factors[min(loads, len(factors)) - 1] if factors else 1.0
    further = least_w * factor * (loads - 1)
    return least_w + int(-(-further // 1))


def raised(limits: Limits, least_w: int) -> Limits:
    """Limits of which none of load and import is below what a rule guarantees."""
    import_w, load_w = (None if watts is None else max(watts, least_w) for watts in (limits.import_w, limits.load_w))
    return limits._replace(import_w=import_w, load_w=load_w)
