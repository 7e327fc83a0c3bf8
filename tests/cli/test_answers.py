"""What devices answer, in words."""

import pytest

from sep2 import wire as w
from sep2.admin import types as t
from sep2.cli.answers import ENDS, RESPONSE, answer_of


def reached(*statuses: int) -> t.Reached:
    return t.Reached(lfdi="AB" * 20, client="Sunny", connection_id=None, responses=dict.fromkeys(statuses, 1), note="")


def test_every_answer_of_the_standard_has_words() -> None:
    assert {int(status) for status in w.ResponseStatus} == set(RESPONSE)


@pytest.mark.parametrize("status", ENDS)
def test_an_end_counts_more_than_what_came_before(status: int) -> None:
    assert answer_of(reached(1, 2, status)) == RESPONSE[status]


@pytest.mark.parametrize(
    "status", [w.ResponseStatus.ABORTED_BY_OTHER_SERVER, w.ResponseStatus.ABORTED_BY_OTHER_PROGRAM]
)
def test_a_control_that_gave_way_has_ended(status: w.ResponseStatus) -> None:
    """Nothing more is to come of it, so a watch need not wait for it."""
    assert status in ENDS


def test_an_acknowledgement_ends_nothing() -> None:
    assert w.ResponseStatus.ACKNOWLEDGED not in ENDS
    assert answer_of(reached(1, w.ResponseStatus.ACKNOWLEDGED)) == RESPONSE[1]
