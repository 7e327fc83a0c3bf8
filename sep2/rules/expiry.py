"""How urgent it is that a certificate ends."""

from sep2.rules.alarm_kinds import ACT_NOW, ACT_SOON, THIS_DAY

DAY_S = 86_400
FIRST_S, SOON_S, NOW_S = 90 * DAY_S, 30 * DAY_S, 7 * DAY_S


def priority(not_after: float, now: float, *, own: bool) -> int | None:
    """The priority of the alarm for a certificate that ends at `not_after`; None while that is far away.

    own: the server's or a CA's, without which nobody can connect; a client's is never a matter of minutes.
    """
    left_s = not_after - now
    if left_s > FIRST_S:
        return None
    if left_s > SOON_S:
        return THIS_DAY
    return ACT_NOW if own and left_s <= NOW_S else ACT_SOON
