"""Watts, times and spans of time as people type them."""

from datetime import UTC, datetime

import pytest
import typer

from sep2.cli.units import When, moment, shown_power, shown_span, shown_time, span, watts, when


@pytest.mark.parametrize(
    ("text", "power_w"),
    [("5kW", 5000), ("1.5 kW", 1500), ("800", 800), ("800W", 800), ("0", 0), ("2MW", 2_000_000), ("0.001kW", 1)],
)
def test_watts(text: str, power_w: int) -> None:
    assert watts(text) == power_w


@pytest.mark.parametrize(
    "text", ["", "kW", "-5kW", "5 kg", "1.0005kW", "5,5kW", "1e3", "٥kW", "5kVA", "5mW", "5kw", "5k"]
)
def test_what_is_no_power_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        watts(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), (" 5M ", 300)]
)
def test_span(text: str, seconds: int) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "5m!", "1.5h", "5 minutes"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        span(text)


def test_when() -> None:
    assert when("now") == When()
    assert when("+10m") == When(ahead=600)
    assert when("2026-01-31T14:30+10:00") == When(at=1_769_833_800)
    assert when("2026-01-31T04:30Z") == When(at=1_769_833_800)
    for local in ("2026-01-31T14:30", "18:00", "tomorrow 6:30"):
        assert when(local) == When(local=local)


def test_a_moment_may_be_over() -> None:
    assert moment("-1d") == When(ahead=-86_400)
    assert moment(" now ") == When()
    assert moment("+5m") == When(ahead=300)
    with pytest.raises(typer.BadParameter):
        moment("-")


@pytest.mark.parametrize("text", ["", "later", "+", "-10m", "2026-13-01", "24:30"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        when(text)


def test_what_is_shown_reads_back() -> None:
    for power_w in (0, 1, 999, 1000, 1500, 1550, 12_345, 5_000_000):
        assert watts(shown_power(power_w)) == power_w
    for seconds in (1, 59, 60, 3601, 90_061):
        assert span(shown_span(seconds)) == seconds
    at = int(datetime(2026, 1, 31, 14, 30, tzinfo=UTC).timestamp())
    assert when(shown_time(at)) == When(at=at)
    assert shown_power(1500) == "1.5 kW"
    assert shown_span(5400) == "1h30m"
