"""Market profiles at the command line: every value, where it comes from, and a utility's own."""

from pathlib import Path

from tests.cli.conftest import say


def test_a_profile_is_shown_with_its_sources(tmp_path: Path) -> None:
    listed = say("market", "profile", "list", "--json").json
    assert {one["name"] for one in listed} == {"aemo", "caiso", "custom", "miso", "nyiso", "pjm"}
    shown = say("market", "profile", "show", "pjm", "--json").json
    days = next(one for one in shown["values"] if one["name"] == "review.days")
    assert (days["value"], days["mark"]) == (60, "published")
    text = say("market", "profile", "show", "pjm", "--sources").out
    assert "review.days" in text
    assert "60 days for the distribution utility's review" in text
    assert "to be verified" in text


def test_a_profile_of_ones_own_extends_ours_or_is_refused_by_its_value(tmp_path: Path) -> None:
    own = tmp_path / "pjm.toml"
    own.write_text('extends = "pjm"\n[review]\ndays = 45\n')
    folder = ("--profiles", str(tmp_path))
    shown = say("market", "profile", "show", "pjm", "--json", *folder).json
    assert next(one["value"] for one in shown["values"] if one["name"] == "review.days") == 45
    own.write_text('extends = "pjm"\n[review]\ndays = -45\n')
    refused = say("market", "profile", "show", "pjm", *folder)
    assert refused.status == 1
    assert "review.days: expected `int` >= 0 (it is -45)" in refused.err
