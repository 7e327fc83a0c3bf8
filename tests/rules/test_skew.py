"""How far a client's clock is off, from answers that may have waited on their way."""

import pytest

from sep2.rules.skew import Skew


def estimate(*answers):
    skew = Skew()
    for written, received in answers:
        skew.add(written, received)
    return skew.estimate_s


@pytest.mark.parametrize(
    ("why", "answers", "seconds"),
    [
        ("two answers tell nothing yet", [(100, 100), (400, 400)], None),
        ("on time", [(100, 100), (399, 400), (700, 700)], 0),
        ("twenty seconds ahead, one answer was late", [(120, 100), (380, 400), (719, 700)], 20),
        ("a minute behind", [(40, 100), (338, 400), (640, 700)], -60),
        ("kept through an outage and sent at once, they count once", [(0, 9000), (5, 9001), (10, 9002)], None),
        ("and the next ones are on time", [(0, 9000), (5, 9001), (10, 9002), (9100, 9100), (9200, 9200)], 0),
        ("only the last three count", [(990, 100), (400, 400), (700, 700), (1000, 1000)], 0),
    ],
)
def test_the_least_delayed_of_the_last_answers_tells_the_skew(why, answers, seconds):
    assert estimate(*answers) == seconds
