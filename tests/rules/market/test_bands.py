"""What a plan leaves each member: split by what members can do, the basis that counts, and whether it was kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.market.bands import Band, Member, MemberBand, kept, of_bases, split
from sep2.rules.market.deliverables import Published, Rating, RunSteps, Share, Side
from sep2.rules.market.plans import Series

RUN = RunSteps("run", 1800, [0, 1800], [""])
STARTS = [0, 1800]


def share(der: str, gen_w: int, load_w: int, *, ppm: int = 1_000_000, end: int | None = None) -> Share:
    """A member that can do so much, by what was published; its ratings are larger."""
    gen, load = (Side([99_000] * 2, [watts] * 2, [0] * 2) for watts in (gen_w, load_w))
    rating = Rating(50_000, 50_000, 50_000)
    return Share(der, ppm, rating, rating, 0, end, Published(RUN, gen, load))


def series(low_w: float, high_w: float) -> Series:
    return Series("N", STARTS, [low_w] * 2, [low_w] * 2, [high_w] * 2)


def test_a_band_is_split_by_what_members_could_do_when_limits_were_published():
    first, second = split(series(-6000, 9000), 1800, [share("a", 10_000, 0), share("b", 5000, 3000)])
    assert first == [Band(0.0, 6000.0)] * 2
    assert second == [Band(-6000.0, 3000.0)] * 2


def test_a_share_of_a_der_is_planned_and_no_more():
    first, second = split(series(0, 6000), 1800, [share("a", 10_000, 0, ppm=500_000), share("b", 5000, 0)])
    assert (first[0].high_w, second[0].high_w) == (3000.0, 3000.0)


def test_who_has_left_has_no_band_and_others_carry_the_plan():
    first, second = split(series(0, 8000), 1800, [share("a", 10_000, 0, end=1800), share("b", 10_000, 0)])
    assert first == [Band(0.0, 4000.0), None]
    assert [one.high_w for one in second] == [4000.0, 8000.0]


def test_without_anything_published_ratings_split():
    plain = share("a", 0, 0)._replace(published=None, cause="no_engine")
    (only,) = split(series(0, 8000), 1800, [plain])
    assert only == [Band(0.0, 8000.0)] * 2


@given(
    st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 50_000)), min_size=1, max_size=5),
    st.integers(-50_000, 50_000),
    st.integers(0, 50_000),
)
def test_what_members_are_left_sums_to_the_plan(reach, low_w, width_w):
    shares = [share(str(n), *one) for n, one in enumerate(reach)]
    found = split(series(low_w, low_w + width_w), 1800, shares)
    for name, watts in (("low_w", low_w), ("high_w", low_w + width_w)):
        able = sum(one[watts < 0] for one in reach)
        total = sum(getattr(one[0], name) for one in found)
        assert total == pytest.approx(watts if able else 0.0)


def test_a_dispatch_counts_before_an_award_and_a_later_plan_before_an_earlier_one():
    plans = [("bid", 1), ("award", 2), ("bid", 3), ("forecast", 4), ("dispatch", 5)]
    assert [plans[n][1] for n in of_bases(plans)] == [5, 2, 3, 1, 4]


def member(*bands: MemberBand) -> Member:
    rating = Rating(10_000, 10_000, 10_000)
    return Member("D1", "C1", rating, Rating(4000, 4000, 4000), 1_000_000, bands, 0.5)


def test_the_widest_band_of_a_step_counts_and_only_where_all_of_it_is_planned():
    quarters = MemberBand(7, [0, 900, 1800], 900, [Band(0, 500), Band(-100, 400), None], waives_firm=True)
    day = MemberBand(6, [0, 1800], 1800, [Band(0, 9000)] * 2)
    found = member(quarters, day)
    assert found.band(0, 1800) == (Band(-100, 500), True)
    assert found.band(1800, 3600) == (Band(0, 9000), False)
    assert found.band(900, 900 + 1800) == (Band(0, 9000), False)
    assert found.band(1800, 5400) is None
    assert member().band(0, 1800) is None


def test_what_a_believed_band_takes_is_that_of_the_worked_example():
    assert member().taken_w(Band(5000, 7000), 10_000, 4000) == (1500.0, 2000.0)


@pytest.mark.parametrize(
    ("measured_w", "part", "is_kept"),
    [(1000, 0, True), (1090, 0, True), (1200, 0.04, False), (-90, 0, True), (-600, 0.3, False)],
)
def test_a_band_is_kept_within_tolerance_and_its_excess_is_a_part_of_reach(measured_w, part, is_kept):
    found = kept(Band(0, 1000), measured_w, (5000, 2000), lambda reach_w: max(100, 0.02 * reach_w))
    assert (found.kept, found.excess_part) == (is_kept, pytest.approx(part))
