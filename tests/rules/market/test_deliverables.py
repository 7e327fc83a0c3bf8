"""What members can do together: the least of limit, reach and agreement of each, in each step, and what binds."""

import pytest

from sep2.rules.market.deliverables import (
    Deliverable,
    Hold,
    Published,
    Rating,
    RunSteps,
    Share,
    Side,
    deliverables,
    merged,
)

RUN = RunSteps("run", 1800, [0, 1800, 3600], ["capacity", "transformer T7", "line L4"])


def side(limit: list[int], reach: int, binding: int = 1, firm: int = 0) -> Side:
    return Side(limit, [reach] * 3, [binding] * 3, firm)


def share(
    name: str, limit: list[int], reach: int, agreed: int, *, rated: int = 15_000, binding: int = 1, **more: object
) -> Share:
    """A member whose load is as its generation."""
    own = side(limit, reach, binding)
    rating = Rating(agreed, rated, rated)
    held = {"ppm": 1_000_000, "start": -9000, "end": None, **more}
    return Share(der=name, gen=rating, load=rating, published=Published(RUN, own, own), **held)  # type: ignore[arg-type]


def test_the_worked_example_sums_to_nine_kilowatts_of_fifteen():
    members = [
        share("D1", [3500] * 3, 5000, 5000),
        share("D2", [6000] * 3, 4000, 3500),
        share("D3", [2500] * 3, 2000, 5000),
    ]
    (found,) = deliverables("B2", members, [(0, 1800)])
    assert (found.min_w, found.max_w) == (-9000, 9000)
    assert (found.binding_max, found.binding_min, found.cause) == ("transformer T7", "transformer T7", "")


def test_the_tightest_step_in_a_span_counts_and_what_costs_most_is_named():
    members = [
        share("D1", [4000, 1000, 4000], 4000, 9000, binding=2),
        share("D2", [3500, 3500, 3500], 4000, 9000, binding=1),
    ]
    hour, last = deliverables("N", members, [(0, 3600), (3600, 5400)])
    assert (hour.max_w, hour.binding_max) == (4500, "line L4")
    assert (last.max_w, last.binding_max) == (7500, "transformer T7")


def test_devices_at_one_connection_share_it_by_their_ratings_and_never_exceed_their_own():
    rated = [Rating(9000, 6000, 8000), Rating(9000, 2000, 8000)]
    assert [one.part(4000) for one in rated] == [3000, 1000]
    assert [one.part(20_000) for one in rated] == [6000, 2000]
    assert Rating(9000, 0, 0).part(5) == 0


def test_a_share_counts_in_its_part_and_only_in_its_time():
    members = [
        share("D1", [4000] * 3, 4000, 9000, ppm=250_000),
        share("D2", [1000] * 3, 1000, 9000, start=1800, end=3600),
    ]
    found = deliverables("N", members, [(0, 1800), (1800, 3600), (3600, 5400)])
    assert [one.max_w for one in found] == [1000, 2000, 1000]
    assert [(one.start, one.end) for one in merged(found)] == [(0, 1800), (1800, 3600), (3600, 5400)]
    assert len(merged(deliverables("N", members[:1], [(0, 1800), (1800, 3600)]))) == 1


@pytest.mark.parametrize(
    ("member", "span", "cause"),
    [
        (share("D1", [1] * 3, 1, 1), (3600, 7200), "beyond_horizon"),
        (share("D1", [1] * 3, 1, 1), (-1800, 1800), "beyond_horizon"),
        (share("D1", [1] * 3, 1, 1)._replace(published=None, cause="no_engine"), (0, 1800), "no_engine"),
        (share("D1", [1] * 3, 1, 1)._replace(published=None), (0, 1800), "not_published"),
        (share("D1", [1] * 3, 1, 1, end=900), (0, 1800), "no_member"),
        (
            share("D1", [1] * 3, 1, 1)._replace(
                published=Published(RUN._replace(cause="inputs_late"), side([1] * 3, 1), side([1] * 3, 1))
            ),
            (0, 1800),
            "inputs_late",
        ),
    ],
)
def test_what_is_not_known_of_one_member_is_not_known_of_the_node(member: Share, span: tuple[int, int], cause: str):
    others = [share("D2", [1] * 3, 1, 1)] if cause != "no_member" else []
    (found,) = deliverables("N", [*others, member], [span])
    assert found == Deliverable("N", *span, 0, 0, cause=cause)


def test_a_gap_between_the_steps_of_a_run_is_not_covered():
    broken = RunSteps("run", 1800, [0, 3600], [])
    assert broken.covering(0, 1800) == (0, 1)
    assert broken.covering(0, 5400) is None
    assert broken.covering(900, 2700) is None
    assert RunSteps("run", 1800, [], []).covering(0, 1800) is None


def test_an_override_leaves_a_device_its_watts_and_a_connection_the_devices_part_of_them():
    alone = share("D1", [12_000] * 3, 12_000, 9000, rated=9000)
    beside = alone._replace(gen=Rating(9000, 9000, 12_000))
    held = Hold("override 7", 900, 1800, 8000, None)
    cases = [(alone, held, 8000), (beside, held, 6000), (beside, held._replace(of_connection=False), 8000)]
    for member, hold, most in cases:
        first, second = deliverables("N", [member._replace(overrides=[hold])], [(0, 1800), (1800, 3600)])
        assert (first.max_w, first.binding_max, first.min_w) == (most, "override 7", -9000)
        assert first.without_overrides_w == (-9000, 9000)
        assert (second.max_w, second.binding_max, second.without_overrides_w) == (9000, "", None)
