"""The review's clock: due dates by hand, and what holds over zones, clock changes, holidays and pauses."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.market.clocks import Clock, ClockState, Pause, day_bounds, local_time
from sep2.rules.market.profiles import read_profile

NEW_YORK, LOS_ANGELES = ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles")
PJM = read_profile("pjm").review


def at(text: str, zone: ZoneInfo = NEW_YORK) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def said(moment: int | None, zone: ZoneInfo = NEW_YORK) -> str:
    assert moment is not None
    return datetime.fromtimestamp(moment, zone).isoformat()


def test_sixty_calendar_days_end_with_the_local_date():
    clock = Clock(at("2027-01-15T10:00"), 60, NEW_YORK)
    assert said(clock.due_at()) == "2027-03-16T23:59:59-04:00"


def test_dates_whose_noon_lies_in_a_pause_do_not_count():
    pause = Pause(at("2027-02-01T09:00"), at("2027-02-11T15:00"))
    clock = Clock(at("2027-01-15T10:00"), 60, NEW_YORK, pauses=[pause])
    assert said(clock.due_at()) == "2027-03-27T23:59:59-04:00"


@pytest.mark.parametrize(("holidays", "due"), [((), "2027-04-12"), ((date(2027, 3, 31),), "2027-04-13")])
def test_business_days_leave_out_weekends_and_holidays(holidays: tuple[date, ...], due: str):
    clock = Clock(at("2027-03-01T08:00", LOS_ANGELES), 30, LOS_ANGELES, only_business=True, holidays=holidays)
    assert said(clock.due_at(), LOS_ANGELES)[:10] == due


def test_it_turns_amber_red_alarm_and_overdue_by_counted_days():
    clock = Clock(at("2027-01-15T10:00"), 60, NEW_YORK)
    turned = {}
    for day in range(62):
        moment = at("2027-01-15T12:00") + 86_400 * day
        turned.setdefault(clock.state(moment, PJM), clock.elapsed_days(moment))
    assert turned == {
        ClockState.GREEN: 0,
        ClockState.AMBER: 30,
        ClockState.RED: 48,
        ClockState.ALARM: 57,
        ClockState.OVERDUE: 60,
    }


def test_an_open_pause_has_no_due_date_and_says_paused():
    clock = Clock(at("2027-01-15T10:00"), 60, NEW_YORK, pauses=[Pause(at("2027-02-01T09:00"), None)])
    assert clock.due_at() is None
    assert clock.state(at("2027-06-01T09:00"), PJM) is ClockState.PAUSED


def test_a_review_of_no_days_is_due_the_same_day():
    assert said(Clock(at("2027-01-15T10:00"), 0, NEW_YORK).due_at()) == "2027-01-15T23:59:59-05:00"


def test_days_of_23_24_and_25_hours():
    hours = [
        (end - begin) // 3600
        for begin, end in (day_bounds(date(2027, *day), NEW_YORK) for day in ((3, 14), (3, 15), (11, 7)))
    ]
    assert hours == [23, 24, 25]
    assert said(local_time(date(2027, 11, 7), "01:30", NEW_YORK)) == "2027-11-07T01:30:00-04:00"


ZONES = st.sampled_from(["America/New_York", "America/Los_Angeles", "Australia/Adelaide", "Asia/Kathmandu", "UTC"])
MOMENTS = st.integers(at("2026-01-01T00:00"), at("2029-12-31T00:00"))


@given(
    zone=ZONES.map(ZoneInfo),
    begun=MOMENTS,
    days=st.integers(1, 90),
    business=st.booleans(),
    holidays=st.lists(st.dates(date(2026, 1, 1), date(2030, 6, 1)), max_size=10),
    pauses=st.lists(st.tuples(MOMENTS, st.integers(0, 40 * 86_400)), max_size=3),
)
def test_it_is_due_when_so_many_dates_have_counted(zone, begun, days, business, holidays, pauses):
    clock = Clock(begun, days, zone, business, holidays, [Pause(start, start + length) for start, length in pauses])
    due = clock.due_at()
    assert due is not None
    # Counted once more by hand, from noon to noon.
    day, counted = datetime.fromtimestamp(begun, zone).date(), 0
    while counted < days:
        day += timedelta(days=1)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone).timestamp()
        is_business = day.weekday() < 5 and day not in holidays
        if (is_business or not business) and not any(start <= noon < start + length for start, length in pauses):
            counted += 1
    assert datetime.fromtimestamp(due, zone).date() == day
    assert datetime.fromtimestamp(due + 1, zone).date() == day + timedelta(days=1)
    assert clock.elapsed_days(due) == days
    assert clock.state(due + 1, PJM) is ClockState.OVERDUE
