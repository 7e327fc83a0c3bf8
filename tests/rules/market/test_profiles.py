"""Market profiles: each value has a source and a bound, and a utility's own may extend ours."""

from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from sep2.rules.market.profiles import BadProfile, fingerprint, names, read_profile, values


@pytest.mark.parametrize("name", names())
def test_every_value_says_where_it_comes_from(name: str):
    found = values(read_profile(name))
    assert len(found) > 90
    assert all(value.source is not None and value.source.note for value in found)


def test_what_the_markets_are_known_for():
    pjm, caiso, nyiso, aemo = (read_profile(name) for name in ("pjm", "caiso", "nyiso", "aemo"))
    assert (pjm.review.clock, pjm.review.days, pjm.review.pauses_allowed) == ("calendar", 60, False)
    assert (pjm.size.min_aggregation_w, pjm.size.max_multi_node_w) == (100_000, 167_000_000)
    assert (pjm.day_ahead.verdict_s, pjm.intraday.verdict_s) == (900, 60)
    assert (caiso.review.clock, caiso.review.days) == ("business", 30)
    assert nyiso.size.min_der_w == 10_000
    assert aemo.review.days == 0


def test_a_utilitys_own_profile_extends_ours_and_has_another_fingerprint(tmp_path: Path):
    (tmp_path / "pjm.toml").write_text(
        'extends = "pjm"\nholidays = [2027-07-05]\n[review]\ndays = 45\n'
        '[sources]\n"review.days" = { mark = "own", note = "agreed with the regulator" }\n'
        'holidays = { mark = "own", note = "ours" }\n'
    )
    own, ours = read_profile("pjm", tmp_path), read_profile("pjm")
    assert (own.review.days, own.review.red, own.holidays) == (45, ours.review.red, (date(2027, 7, 5),))
    assert fingerprint(own) != fingerprint(ours) == fingerprint(read_profile("pjm"))
    assert (
        next(value for value in values(own) if value.name == "review.days").source.note == "agreed with the regulator"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[review]\ndays = -1", "review.days: expected `int` >= 0 (it is -1)"),
        ("[review]\ndayz = 1", "review: object contains unknown field `dayz`"),
        ("[metering]\ninterval_s = 600", "metering.interval_s: invalid enum value 600 (it is 600)"),
        ('[day_ahead]\nplan_by = "25:00"', "day_ahead.plan_by: expected `str` matching regex"),
        ('time_zone = "Mars"', "time_zone: 'Mars' is not known"),
        ("[review]\namber = 0.9", "review: amber, red and alarm must not fall"),
        ("[review", "Expected ']'"),
        ('extends = "ercot"', "there is none called 'ercot'"),
    ],
)
def test_a_bad_profile_is_refused_by_the_name_of_its_value(tmp_path: Path, text: str, said: str):
    head = "" if text.startswith("extends") else 'extends = "custom"\n'
    (tmp_path / "custom.toml").write_text(head + text)
    with pytest.raises(BadProfile) as refused:
        read_profile("custom", tmp_path)
    assert said in str(refused.value)


def test_a_value_without_a_source_is_refused(tmp_path: Path):
    lines = (files("sep2.rules.market") / "profiles" / "custom.toml").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("review = ", "credit = "))]
    (tmp_path / "custom.toml").write_text("\n".join(kept))
    with pytest.raises(BadProfile, match=r"no source is given for review.clock, .*\[sources\]"):
        read_profile("custom", tmp_path)


def test_profiles_that_extend_each_other_in_a_circle_are_refused(tmp_path: Path):
    (tmp_path / "circle.toml").write_text('extends = "round"\n')
    (tmp_path / "round.toml").write_text('extends = "circle"\n')
    with pytest.raises(BadProfile, match="extends more than 5"):
        read_profile("circle", tmp_path)


@pytest.mark.parametrize("name", ["../mine", "/etc/mine", "..", "", "Mine", "mine\n", "x" * 300])
def test_a_name_is_no_way_to_another_folder(tmp_path: Path, name: str):
    (tmp_path / "mine.toml").write_text('extends = "pjm"\nname = "mine"\n')
    (tmp_path / "own").mkdir()
    with pytest.raises(BadProfile, match="there is none called"):
        read_profile(name, tmp_path / "own")
