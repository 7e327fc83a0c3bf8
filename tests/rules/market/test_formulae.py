"""The market's formulae by numbers worked by hand."""

import json
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.market import baselines as b
from sep2.rules.market import columns
from sep2.rules.market.clocks import day_bounds
from sep2.rules.market.credit import DAY_S, KeptDay, firm_ratio, next_credit, target_credit
from sep2.rules.market.deliverables import Deliverable
from sep2.rules.market.ignoring import Ignoring, LimitedInterval, after
from sep2.rules.market.plans import (
    Answer,
    Presence,
    Series,
    day_length,
    deliverable_w,
    faults,
    reach_of_band,
    verdicts,
)
from sep2.rules.market.profile import Adjust
from sep2.rules.market.profiles import read_profile
from sep2.rules.market.settle import Lost, Run, apportioned, delivered, lost, recovery
from sep2.rules.market.shares import Held, factors, overlaps

PJM = read_profile("pjm")
NEW_YORK = PJM.zone
DAY = day_bounds(date(2027, 3, 20), NEW_YORK)[0]


def test_deliverable_sums_the_least_of_limit_reach_and_agreement_never_nameplates():
    members = [(1_000_000, 3500, 5000, 5000), (1_000_000, 6000, 4000, 3500), (1_000_000, 2500, 2000, 9000)]
    assert deliverable_w(members) == 9000


def series(high_w: float, start: int = DAY, node: str = "B2") -> Series:
    return Series(node, [start], [0], [high_w / 2], [high_w])


def test_a_plan_inside_is_ok_and_one_beyond_is_told_the_limit_and_what_binds():
    known = [Deliverable("B2", DAY, DAY + 3600, -4000, 9000, "T7", "line L4")]
    assert [one.state for one in verdicts(series(8500), 3600, known)] == [Answer.OK]
    beyond = verdicts(series(9400), 3600, known)[0]
    assert (beyond.state, beyond.max_w, beyond.binding) == (Answer.LIMIT, 9000, "line L4")


@pytest.mark.parametrize(
    ("known", "until", "cause"),
    [
        ([], None, "no_deliverable"),
        ([Deliverable("B2", DAY, DAY + 1800, 0, 9e3)], None, "no_deliverable"),
        ([Deliverable("B2", DAY, DAY + 3600, 0, 9e3, cause="stale_base")], None, "stale_base"),
        ([Deliverable("B2", DAY, DAY + 3600, 0, 9e3)], DAY + 1800, "member_left"),
    ],
)
def test_what_is_not_known_is_never_said_to_be_ok(known: list[Deliverable], until: int | None, cause: str):
    assert verdicts(series(10), 3600, known, until)[0][2:] == (Answer.CANNOT_TELL, None, None, "", cause)


def test_all_faults_of_a_plan_are_told_at_once():
    nodes = {"B2": Presence(max_w=9000, min_w=4000)}
    spoilt = Series(
        "B2",
        [DAY - 3600, DAY + 7200, DAY, DAY + 900, DAY + 8100],
        [0, 5, float("nan"), 0, 0],
        [1, 1, 1, 1, 1e12],
        [2, 2, 2, 2, 1e12],
    )
    found = faults([spoilt, series(1, node="elsewhere")], 900, nodes, zone=NEW_YORK, now=DAY)
    assert {one.code for one in found} == {
        "past", "gap", "unsorted", "band", "not_a_number", "beyond_members", "unknown_node",
    }  # fmt: skip
    assert all(one.path and one.value and one.bound for one in found)
    assert [one.code for one in faults([series(1)], 600, nodes, zone=NEW_YORK, now=DAY)] == ["step"]
    assert [one.code for one in faults([series(1, DAY + 60)], 900, nodes, zone=NEW_YORK, now=DAY)] == ["unaligned"]
    overlapping = Series("B2", [DAY, DAY + 300], [0, 0], [0, 0], [0, 0])
    assert [one.code for one in faults([overlapping], 900, nodes, zone=NEW_YORK, now=DAY)] == ["overlap", "unaligned"]
    assert faults([series(9000)], 900, nodes, zone=NEW_YORK, now=DAY) == []


@pytest.mark.parametrize(("day", "number"), [((3, 14), 92), ((3, 15), 96), ((11, 7), 100)])
def test_a_local_day_has_23_24_or_25_hours_of_quarters(day: tuple[int, int], number: int):
    begin = day_bounds(date(2027, *day), NEW_YORK)[0]
    starts = [begin + 900 * k for k in range(number)]
    assert day_length(starts, 900, NEW_YORK) is None
    wrong = day_length(starts[:-4] if number > 92 else [*starts, begin + 900 * 92], 900, NEW_YORK)
    assert wrong is not None
    assert (wrong.code, wrong.bound) == ("day_length", str(number))


@pytest.mark.parametrize(("credit", "reach"), [(0, (10, 4)), (0.5, (8.5, 2)), (1, (7, 0))])
def test_a_band_takes_away_from_reach_as_far_as_it_is_believed(credit: float, reach: tuple[float, float]):
    assert reach_of_band(5, 7, 10, 4, credit=credit) == pytest.approx(reach)


def judged(kept: int, of: int, worst: float = 0.1) -> list[KeptDay]:
    return [KeptDay(100 * DAY_S, of, kept, worst if kept < of else 0.0)]


def test_credit_falls_at_once_and_rises_slowly():
    rules = PJM.credit
    assert target_credit(judged(190, 200), rules, 100 * DAY_S) == pytest.approx(0.75)
    assert target_credit(judged(150, 200), rules, 100 * DAY_S) == 0
    assert target_credit(judged(95, 95), rules, 100 * DAY_S) == 0
    assert target_credit(judged(199, 200, worst=0.3), rules, 106 * DAY_S) == 0
    assert target_credit(judged(199, 200, worst=0.3), rules, 107 * DAY_S) == pytest.approx(0.975)
    assert next_credit(0.5, 0.75, 2, rules) == pytest.approx(0.7)
    assert next_credit(0.75, 0.2, 0, rules) == 0.2
    credit, days = 0.0, 0
    while credit < 0.75:
        credit, days = next_credit(credit, 0.75, 1, rules), days + 1
    assert days == 8


def test_a_member_far_beyond_its_limit_is_taken_at_it_again_once_it_has_kept_it():
    def day(n: int, *parts: float) -> list[LimitedInterval]:
        return [LimitedInterval(n * DAY_S + 300 * k, part) for k, part in enumerate(parts)]

    assert after(None, day(0, 0, 0.1, 0.2, 0), DAY_S, 0.2) is None
    first = after(None, day(1, 0, 0.3, 0, 0.1, 0), 2 * DAY_S, 0.2)
    assert first == Ignoring(DAY_S + 300, 0.3, 2, 2 * DAY_S)
    # The same day settled again counts nothing twice; another day goes on, and another excess begins anew.
    assert after(first, day(1, 0, 0.3, 0, 0.1, 0), 2 * DAY_S, 0.2) == first
    assert after(first, day(2, 0, 0, 0.1), 3 * DAY_S, 0.2) == first._replace(kept=4, counted_until=3 * DAY_S)
    assert after(first, day(2, 0, 0.5, 0), 3 * DAY_S, 0.2) == Ignoring(2 * DAY_S + 300, 0.5, 1, 3 * DAY_S)
    # One that is found late, on a day that was counted, takes back what came before it.
    assert after(first, day(1, 0, 0.3, 0, 0.4, 0), 2 * DAY_S, 0.2) == Ignoring(DAY_S + 900, 0.4, 1, 2 * DAY_S)


def test_firm_capacity_needs_22_events_and_then_counts_from_below():
    rules = PJM.firm
    assert (firm_ratio([0.9] * 21, rules).ratio, firm_ratio([0.9], rules).needed) == (None, 22)
    assert firm_ratio([0.62, 0.80, *[1.0] * 20], rules).ratio == 0.62
    assert firm_ratio([0.62, 0.80, *[1.0] * 36], rules).ratio == 0.80
    assert firm_ratio([0.62, 0.80, 0.81, *[1.0] * 48], rules).ratio == 0.80
    assert firm_ratio([0.62, 0.80, 0.81, *[1.0] * 49], rules).ratio == 0.81


@pytest.mark.parametrize(
    ("limit_w", "measured_w", "expected"),
    [(400, 380, Lost(75, 50, 5)), (400, 550, Lost(37.5, 50, 0)), (700, 690, Lost(0, 50, 2.5))],
)
def test_energy_lost_by_cause(limit_w: float, measured_w: float, expected: Lost):
    run = Run(1000, 900, 1200, envelope_w=700, limit_w=limit_w, measured_w=measured_w)
    assert lost(run, 900) == pytest.approx(expected)


def test_what_a_storage_sold_later_is_recovered():
    assert recovery(75, 60) == (75, 60, 15)


def test_delivered_counts_what_was_measured_and_lists_what_was_not():
    assert delivered([100, 100, 100], [80, 130, None], 3600) == (pytest.approx(0.9), 30, 1)


few = st.lists(st.sampled_from([None, 0, 1, 2.5, "ok"]), max_size=30)


@given(few, st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_columns_say_what_rows_said(column, gaps):
    assert list(columns.values(json.loads(json.dumps(columns.runs(column))))) == column
    starts = [DAY + sum(gaps[: n + 1]) * 300 for n in range(len(gaps))]
    assert list(columns.times(columns.steps(starts))) == starts
    assert columns.runs([0, 0, 0, 5]) == [[3, 0], 5]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_parts_sum_to_the_whole(parts: list[float]):
    total = round(sum(parts))
    split = apportioned(total, parts)
    assert all(value >= int(part) for value, part in zip(split, parts, strict=True))
    assert sum(split) == max(total, sum(int(part) for part in parts))


NO_ADJUSTMENT = Adjust(kind="none")


def days(*hours: b.Day) -> dict[date, b.Day]:
    return {date(2027, 3, 1) + timedelta(days=at): day for at, day in enumerate(hours)}


def test_high_four_of_five_with_an_additive_adjustment():
    before = {9: 100.0, 10: 100.0, 11: 100.0}
    known = days(*({13: float(w), **before} for w in (100, 120, 110, 90, 130)))
    rules = b.METHODS["high_4_of_5"]
    assert b.baseline(rules, known, [13], adjust=NO_ADJUSTMENT).by_hour == {13: 115}
    found = b.baseline(rules, known, [13], adjust=PJM.baseline.adjust, today={9: 105, 10: 105, 11: 105, 12: 500})
    assert found.by_hour == {13: 120}
    assert b.reduction_wh(120e3, 80e3, 3600) == 40e3


def test_ten_of_ten_with_a_ratio_that_is_clipped():
    adjust = read_profile("caiso").baseline.adjust
    known = days(*({13: 50.0, 9: 10.0, 10: 10.0, 11: 10.0} for _ in range(10)))
    found = b.baseline(b.METHODS["average_10_of_10"], known, [13], adjust=adjust, today={9: 13, 10: 13, 11: 13})
    assert (found.by_hour, found.adjustment) == ({13: 60}, 1.2)


def test_ranks_five_and_six_of_ten():
    known = days(*({13: float(w)} for w in range(1, 11)))
    assert b.baseline(b.METHODS["ecbl_5_6_of_10"], known, [13], adjust=NO_ADJUSTMENT).by_hour == {13: 5.5}


def test_the_same_day_before_and_after():
    # Hour ending 13 to 17 are the hours that begin at 12 to 16: hours ending 9 to 11 and 19 to 20 surround them.
    today = {8: 10.0, 9: 20.0, 10: 30.0, 11: 1e9, 17: 1e9, 18: 40.0, 19: 50.0}
    assert b.same_day(today, 12, 16) == 30


def test_a_limited_day_never_lowers_the_baseline_of_next_week():
    event, limited = date(2027, 3, 19), [date(2027, 3, 17)]
    measured = {event - timedelta(days=back): {13: 1.0} for back in range(1, 20)}
    chosen = b.qualifying(event, measured, days=5, window_days=45, left_out=limited, weekend=False)
    assert [day.day for day in chosen] == [18, 16, 15, 12, 11]
    with pytest.raises(b.TooFewDays, match="days qualify within 45 days"):
        b.qualifying(event, measured, days=15, window_days=45, left_out=limited, weekend=False)


def test_shares_of_services_that_exclude_each_other_never_sum_above_the_whole():
    pairs = PJM.double.exclusive
    one = Held("d", "energy", 0, 100, 600_000, "North")
    assert overlaps([one, Held("d", "local_energy", 50, 150, 400_000, "South")], pairs) == []
    found = overlaps([one, Held("d", "local_energy", 50, 150, 400_001, "South")], pairs)
    assert found == [("d", 50, 100, 1_000_001, ("North", "South"))]
    assert overlaps([one, Held("d", "energy", 99, 150, 1_000_000, "South")], pairs)[0][1:3] == (99, 100)
    assert overlaps([one._replace(ppm=1_000_000), Held("d", "energy", 100, 150, 1_000_000, "South")], pairs) == []
    assert overlaps([one, Held("d", "capacity", 0, 100, 1_000_000, "South")], pairs) == []


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 10**9), max_size=8))
def test_distribution_factors_sum_to_the_whole(weights: dict[str, int]):
    found = factors(weights)
    assert sum(found.values()) == (1_000_000 if sum(weights.values()) else 0)


def test_zones_are_those_of_the_profile():
    assert read_profile("aemo").zone == ZoneInfo("Australia/Brisbane")
