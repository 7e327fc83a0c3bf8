"""How urgent the end of a certificate is."""

import pytest

from sep2.rules.expiry import priority

DAY, NOW = 86_400, 1_800_000_000


@pytest.mark.parametrize(
    ("days", "own", "clients"),
    [
        (91, None, None),
        (90, 3, 3),
        (31, 3, 3),
        (30, 2, 2),
        (8, 2, 2),
        (7, 1, 2),
        (0, 1, 2),
        (-100, 1, 2),
        (2_900_000, None, None),
    ],
)
def test_priority(days, own, clients):
    assert priority(NOW + days * DAY, NOW, own=True) == own
    assert priority(NOW + days * DAY, NOW, own=False) == clients
