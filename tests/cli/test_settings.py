"""`sep2.toml`: defaults, bounds, and errors that name the field, its value and what it may be."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from sep2 import wire as w
from sep2.functions.request import ALIKE
from sep2.resources import TABLE
from sep2.settings import POLLED, ProfileName, Settings, SettingsError, parse, read, read_token, resolved
from tests.cli.conftest import REPOSITORY


def test_nothing_said_is_a_server_for_trying_out() -> None:
    settings = parse({})
    assert (settings.mode, settings.pen, settings.clock) == ("test", 32473, "system")
    assert settings.operator.host == "127.0.0.1"
    assert settings.receivers.loopback is False
    assert settings.utility.response_required == 0x03
    assert all(settings.utility.poll_rate_of(resource) >= 60 for resource in POLLED)


def test_a_named_utility_fills_in_what_is_left_out() -> None:
    utility = parse({"utility": {"name": "csip", "poll_rates": {"Time": 1200}}}).utility
    assert (utility.profile, utility.response_required) == ("csip", 0x07)
    assert utility.poll_rates == {"DERList": 300, "Time": 1200}
    assert parse({"utility": {"name": "csip", "response_required": 3}}).utility.response_required == 3


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"listen": {"port": 70_000}}, "listen.port is 70000, expected int <= 65535"),
        ({"listen": {"prot": 1}}, "listen.prot is not a setting"),
        ({"colour": "red"}, "colour is not a setting"),
        ({"mode": "produktion"}, "mode is 'produktion', expected one of 'test', 'production'"),
        ({"mode": "production"}, "pen is 32473, which is for documentation"),
        ({"utility": {"fsa_layout": "x"}}, "utility.fsa_layout is 'x', expected one of 'per-group', 'one'"),
        ({"tls": {"authorities": ["a", 3]}}, "tls.authorities[1] is 3, expected the path of a file"),
        ({"utility": {"name": "x"}}, "utility.name is 'x', expected one of aus, csip"),
        ({"utility": {"poll_rates": {"DERControlList": 60}}}, "utility.poll_rates.DERControlList is not polled"),
        ({"utility": {"poll_rates": {"Time": 0}}}, "utility.poll_rates.Time is 0, expected 1 to"),
        ({"utility": {"poll_rates": {"Time": "5m"}}}, "utility.poll_rates.Time is '5m', expected 1 to"),
        ({"utility": 5}, "utility is 5, expected object"),
        (
            {"utility": {"zone": "Australia/Adelade"}},
            "utility.zone is 'Australia/Adelade', expected a time zone such as Australia/Adelaide; "
            "did you mean Australia/Adelaide?",
        ),
        ({"utility": {"zone": "right/UTC"}}, "utility.zone is 'right/UTC', expected a time zone"),
        (
            {"utility": {"zone": "Australia/Darwin", "tz_offset_s": 34_200}},
            "utility.tz_offset_s is 34200, expected to be left out: utility.zone (Australia/Darwin)",
        ),
        ({"operator": {"host": "0.0.0.0"}}, "operator.host is '0.0.0.0', expected a loopback address"),
        ({"operator": {"certificate": "a.pem"}}, "operator.key is left out, expected beside"),
        ({"operator": {"authorities": ["a.pem"]}}, "operator.authorities is given, expected operator.certificate"),
        ({"operator": {"syslog": "tcp://x"}}, "operator.syslog is 'tcp://x', expected udp://HOST:PORT or unix:/PATH"),
        ({"database": {"url": "mysql://x"}}, "database.url is 'mysql://x', expected sqlite:///"),
        (
            {"receivers": {"first_retry_s": 60, "longest_retry_s": 30}},
            "receivers.first_retry_s is 60, expected at most",
        ),
    ],
)
def test_a_wrong_setting_is_named(said: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(said)
    assert refused.value.detail.startswith(complaint)


def test_profiles_and_polled_resources_are_those_that_are_served() -> None:
    assert set(get_args(ProfileName)) == set(w.Profile)
    served = {row.name: getattr(w, row.name, None) for row in TABLE}
    polled = {name for name, kind in served.items() if "pollRate" in getattr(kind, "__dataclass_fields__", {})}
    assert polled - ALIKE.keys() == set(POLLED), "but for those that are polled as another one is"
    assert ALIKE.keys() <= polled
    assert set(ALIKE.values()) <= set(POLLED)


def test_files_are_taken_from_the_folder() -> None:
    settings = resolved(parse({"tls": {"key": "/etc/keys/server.key"}}), Path("/srv/utility"))
    assert settings.tls.key == Path("/etc/keys/server.key")
    assert settings.tls.certificate == Path("/srv/utility/pki/server.pem")
    assert settings.database.url == "sqlite:////srv/utility/sep2.db"
    remote = "postgresql://sep2@db/sep2"
    assert resolved(parse({"database": {"url": remote}}), Path("/srv")).database.url == remote


def test_a_folder_without_a_server_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="sep2 init"):
        read(tmp_path)
    (tmp_path / "sep2.toml").write_text("mode = ")
    with pytest.raises(SettingsError, match="is not TOML"):
        read(tmp_path)
    (tmp_path / "sep2.toml").write_text("pen = 0")
    with pytest.raises(SettingsError, match=r"sep2.toml: pen is 0, expected int >= 1"):
        read(tmp_path)


def test_a_token_that_could_be_guessed_is_refused(tmp_path: Path) -> None:
    settings = resolved(Settings(), tmp_path)
    with pytest.raises(SettingsError, match="can not be read"):
        read_token(settings)
    settings.operator.token_file.write_text("secret\n")
    with pytest.raises(SettingsError, match="less than 32"):
        read_token(settings)


def test_the_operators_page_names_every_setting_with_its_default() -> None:
    page = (REPOSITORY / "docs" / "operators.md").read_text(encoding="utf-8")
    defaults = dict(_fields(Settings()))
    assert [name for name in defaults if f"`{name}`" not in page] == []
    said = {}
    for row in re.findall(r"^\| (`[a-z_.]+`.*?) \| (.*?) \|", page, re.MULTILINE):
        names, values = (re.findall("`([^`]+)`", cell) for cell in row)
        said |= dict(zip(names, values, strict=True)) if len(names) == len(values) else {}
    numbers = {name: str(value) for name, value in defaults.items() if type(value) is int and name in said}
    assert len(numbers) > 15
    assert {name: said[name] for name in numbers} == numbers


def _fields(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if isinstance(value, msgspec.Struct):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
