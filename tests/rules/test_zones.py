"""Local time by the name of a zone, as clients calculate it from the fields of Time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sep2.rules.zones import LATEST, Local, local, misfit

ZONES = sorted(available_timezones() - {"Factory", "localtime"})
HALF_HOUR, HOUR = 1800, 3600


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("zone", "now", "wanted"),
    [
        (
            "Australia/Adelaide",
            "2027-01-15T00:00",
            Local(34_200, HOUR, at("2026-10-03T16:30"), at("2027-04-03T16:30")),
        ),
        (
            "Australia/Adelaide",
            "2027-07-01T00:00",
            Local(34_200, HOUR, at("2027-10-02T16:30"), at("2028-04-01T16:30")),
        ),
        (
            "Australia/Lord_Howe",
            "2027-01-15T00:00",
            Local(37_800, HALF_HOUR, at("2026-10-03T15:30"), at("2027-04-03T15:00")),
        ),
        (
            "America/Los_Angeles",
            "2027-07-01T00:00",
            Local(-28_800, HOUR, at("2027-03-14T10:00"), at("2027-11-07T09:00")),
        ),
        ("Europe/Dublin", "2027-01-15T00:00", Local(0, HOUR, at("2027-03-28T01:00"), at("2027-10-31T01:00"))),
        ("Europe/Dublin", "2027-07-01T00:00", Local(0, HOUR, at("2027-03-28T01:00"), at("2027-10-31T01:00"))),
        ("Antarctica/Troll", "2027-07-01T00:00", Local(0, 7200, at("2027-03-28T01:00"), at("2027-10-31T01:00"))),
        ("Australia/Brisbane", "2027-01-15T00:00", Local(36_000, 0, 0, 0)),
        ("Asia/Kathmandu", "2027-01-15T00:00", Local(20_700, 0, 0, 0)),
        ("Europe/Istanbul", "2027-01-15T00:00", Local(10_800, 0, 0, 0)),
        ("UTC", "2027-01-15T00:00", Local(0, 0, 0, 0)),
    ],
)
def test_the_fields_of_time(zone, now, wanted):
    """South and north, half an hour, winter as the exception, rules that have ended, none at all."""
    assert local(zone, at(now)) == wanted


def test_the_last_daylight_saving_of_a_zone_has_an_end():
    """Turkey stayed in what had been its summer; Brazil in its winter."""
    assert local("America/Sao_Paulo", at("2019-01-15T00:00")).dst_end == at("2019-02-17T02:00")
    assert local("America/Sao_Paulo", at("2019-03-01T00:00")) == Local(-10_800, 0, 0, 0)


@given(st.sampled_from(ZONES), st.integers(at("2015-01-01T00:00"), at("2060-01-01T00:00")))
def test_clients_arrive_at_the_zones_own_time_now_and_until_they_look_again(zone, now):
    found = local(zone, now)
    assert found.dst_offset >= 0
    assert found.dst_start <= found.dst_end
    for later in (now, *(at for at in (found.dst_start, found.dst_end) if now <= at <= now + 900)):
        there = datetime.fromtimestamp(later, ZoneInfo(zone)).utcoffset()
        assert there is not None
        assert found.at(later) == later + there.total_seconds()


@pytest.mark.parametrize("now", [0, LATEST, 2**40])
def test_a_paced_clock_may_be_anywhere(now):
    assert local("Australia/Adelaide", now).tz_offset == 34_200


@pytest.mark.parametrize("name", ["Australia/Adelaide", "UTC", "Etc/GMT-10", "America/Argentina/Buenos_Aires"])
def test_a_zone(name):
    assert misfit(name) == ""


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("australia/adelaide", "Australia/Adelaide"),
        ("Adelaide", "Australia/Adelaide"),
        ("New York", "America/New_York"),
        ("Australia/Sydny", "Australia/Sydney"),
        ("nowhere at all", ""),
        ("posix/UTC", ""),
        ("../../etc/passwd", ""),
        ("Australia", ""),
        ("a\0b", ""),
    ],
)
def test_no_zone(name, near):
    said = misfit(name)
    assert said.startswith("expected a time zone")
    assert said.endswith(f"did you mean {near}?") if near else near in said
