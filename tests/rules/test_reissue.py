"""A control in parts: exact where few are needed, and never more parts than clients can hold."""

from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.reissue import MOST_PARTS, Row, few, to_reissue

DAY_S = 86_400
START = 1_700_000_000


def test_a_few_cuts_are_where_they_are_asked_for():
    assert few([500, 20], (0, 1000)) == [20, 500]


@given(st.sets(st.integers(START + 1, START + DAY_S - 1), min_size=MOST_PARTS), st.integers(3600, DAY_S))
def test_many_cuts_are_moved_to_a_few_later_times(cuts, span):
    whole = START, START + span
    inside = {cut for cut in cuts if cut < whole[1]}
    found = few(inside, whole)
    assert len(found) <= MOST_PARTS + 1
    for cut in inside:
        later = [edge for edge in (*found, whole[1]) if edge >= cut]
        assert later[0] - cut <= max(7200, span // 4)


def test_overrides_one_after_the_other_leave_a_groups_control_in_a_bounded_number_of_parts():
    """Each at a place of its own, and each with an end of its own, as their operator sends them."""
    parts = [Row(1, 7, 5, 1, START, START, START + 4 * 3600, frozenset("E"), root=1)]
    number = 1
    for place in range(300):
        end = START + 30 + 45 * place
        over = Row(-1, 1000 + place, 1, 10_000 + place, START, START, end, frozenset("E"), root=-1)
        pieces = to_reissue([[*parts, over]], START)
        for piece in sorted(pieces, key=lambda piece: piece.start):
            number += 1
            new = piece.row._replace(
                id=number, mrid=number, created=START + number, start=piece.start, end=piece.end, root=1
            )
            parts = [row._replace(end=min(row.end, new.start)) for row in parts if row.start < new.start]
            parts = [*(row for row in parts if row.start < row.end), new]
    assert len(parts) <= 2 * MOST_PARTS + 2
