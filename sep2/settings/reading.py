"""Settings from `sep2.toml`: read, checked, and refused by field, value and what is expected."""

import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec

from sep2.rules import zones
from sep2.rules.identifiers import DOCUMENTATION_PEN
from sep2.settings.authority import LONGEST_S
from sep2.settings.engine import Measurements
from sep2.settings.fields import (
    FILE,
    POLLED,
    UTILITIES,
    Oidc,
    Settings,
    SettingsError,
    Utility,
)


def read(folder: Path) -> Settings:
    """The settings of a folder; every file they name is absolute."""
    path = folder / FILE
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path} does not exist; `sep2 init {folder}` makes it, and SEP2_DIR names the folder of another server"
        ) from None
    except tomllib.TOMLDecodeError as wrong:
        raise SettingsError(f"{path} is not TOML: {wrong}") from None
    try:
        return resolved(parse(found), folder.resolve())
    except SettingsError as wrong:
        raise SettingsError(f"{path}: {wrong.detail}") from None


def parse(found: dict[str, Any]) -> Settings:
    """Settings from what a file says; the error names the field, its value and what it may be."""
    filled = {**found, "utility": _with_named(found.get("utility", {}))}
    try:
        settings = msgspec.convert(filled, Settings, dec_hook=_path)
    except msgspec.ValidationError as wrong:
        raise SettingsError(_explained(str(wrong), filled)) from None
    _check(settings)
    return settings


def resolved(settings: Settings, folder: Path) -> Settings:
    """The same, with relative files and the relative path of an SQLite database taken from `folder`."""
    replace = msgspec.structs.replace
    tls, operator, url = settings.tls, settings.operator, settings.database.url
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        url = f"sqlite:///{folder / url.removeprefix('sqlite:///')}"
    return replace(
        settings,
        database=replace(
            settings.database,
            url=url,
            backups=None if settings.database.backups is None else folder / settings.database.backups,
        ),
        measurements=Measurements(folder=folder / settings.measurements.folder),
        operator=replace(
            operator,
            token_file=folder / operator.token_file,
            certificate=None if operator.certificate is None else folder / operator.certificate,
            key=None if operator.key is None else folder / operator.key,
            authorities=tuple(folder / path for path in operator.authorities),
            oidc=None if operator.oidc is None else _oidc_in(operator.oidc, folder),
        ),
        receivers=replace(
            settings.receivers,
            webhook_authorities=tuple(folder / path for path in settings.receivers.webhook_authorities),
        ),
        mail=replace(
            settings.mail,
            password_file=None if settings.mail.password_file is None else folder / settings.mail.password_file,
            authorities=tuple(folder / path for path in settings.mail.authorities),
        ),
        market=replace(
            settings.market,
            profiles=None if settings.market.profiles is None else folder / settings.market.profiles,
            evidence_key=folder / settings.market.evidence_key,
            message_key=folder / settings.market.message_key,
            outbox=None if settings.market.outbox is None else folder / settings.market.outbox,
            letters=None if settings.market.letters is None else folder / settings.market.letters,
        ),
        partner=replace(
            settings.partner,
            certificate=None if settings.partner.certificate is None else folder / settings.partner.certificate,
            key=None if settings.partner.key is None else folder / settings.partner.key,
        ),
        tls=replace(
            tls,
            certificate=folder / tls.certificate,
            key=folder / tls.key,
            authorities=tuple(folder / path for path in tls.authorities),
            lenient_authorities=tuple(folder / path for path in tls.lenient_authorities),
        ),
    )


def _oidc_in(oidc: Oidc, folder: Path) -> Oidc:
    secret = None if oidc.client_secret_file is None else folder / oidc.client_secret_file
    authorities = tuple(folder / path for path in oidc.authorities)
    return msgspec.structs.replace(oidc, client_secret_file=secret, authorities=authorities)


def _with_named(utility: Any) -> Any:
    """The named utility's values under those that the file gives."""
    if not isinstance(utility, dict):
        return utility
    name = utility.get("name", "aus")
    if not isinstance(name, str) or name not in UTILITIES:
        raise SettingsError(f"utility.name is {name!r}, expected one of {', '.join(sorted(UTILITIES))}")
    named = UTILITIES[name]
    rates = utility.get("poll_rates", {})
    if not isinstance(rates, dict):
        raise SettingsError(f"utility.poll_rates is {rates!r}, expected seconds by resource")
    _check_rates(rates)
    return {**named, **utility, "poll_rates": {**named.get("poll_rates", {}), **rates}}


def _check_rates(rates: dict[str, Any]) -> None:
    for resource, rate in rates.items():
        where = f"utility.poll_rates.{resource}"
        if resource not in POLLED:
            raise SettingsError(f"{where} is not polled, expected one of {', '.join(POLLED)}")
        if type(rate) is not int or not 1 <= rate <= LONGEST_S:
            raise SettingsError(f"{where} is {rate!r}, expected 1 to {LONGEST_S} seconds")


def _explained(said: str, found: dict[str, Any]) -> str:
    """msgspec's `Expected int <= 65535 - at $.listen.port` as `listen.port is 70000, expected int <= 65535`."""
    what, _, where = said.partition(" - at `$.")
    what = what.replace("`", "")
    where = where.rstrip("`")
    unknown = re.fullmatch(r"Object contains unknown field (\w+)", what)
    if unknown:
        return f"{where + '.' if where else ''}{unknown[1]} is not a setting"
    if not where:
        return what
    if what.startswith("Invalid enum value"):
        what = f"expected one of {', '.join(map(repr, _choices(where)))}"
    return f"{where} is {_value_at(found, where)!r}, {what[0].lower()}{what[1:]}"


def _choices(where: str) -> tuple[Any, ...]:
    """What the field at `listen.port` may be, if it is one of a few words."""
    kind: Any = Settings
    for name in where.split("."):
        kind = get_type_hints(kind)[name]
    several = get_args(kind)
    words = tuple(word for one in several if get_origin(one) is Literal for word in get_args(one))
    return words or several


def _value_at(found: Any, where: str) -> Any:
    for key in re.findall(r"\w+", where):
        if isinstance(found, dict):
            found = found.get(key, found)
        elif isinstance(found, list) and key.isdigit():
            found = found[int(key)]
    return found


def _check(settings: Settings) -> None:
    """Refuse what only shows when two fields are seen together."""
    if settings.mode == "production" and settings.pen == DOCUMENTATION_PEN:
        raise SettingsError(
            f"pen is {DOCUMENTATION_PEN}, which is for documentation; production needs the utility's own"
        )
    if settings.mode == "training":
        _check_training(settings)
    _check_operator(settings)
    partner = settings.partner
    if (partner.certificate is None) != (partner.key is None):
        missing = "partner.key" if partner.key is None else "partner.certificate"
        raise SettingsError(f"{missing} is left out, expected beside the other of certificate and key")
    if not settings.database.url.startswith(("sqlite:///", "postgresql://")):
        raise SettingsError(f"database.url is {settings.database.url!r}, expected sqlite:///FILE or postgresql://…")
    _check_zone(settings.utility)
    ranks = settings.utility.primacy
    if not ranks.override < ranks.wide_override < ranks.schedule < ranks.connection:
        raise SettingsError(
            "utility.primacy is out of order, expected override < wide_override < schedule < connection: "
            f"{ranks.override}, {ranks.wide_override}, {ranks.schedule}, {ranks.connection}"
        )
    if settings.receivers.first_retry_s > settings.receivers.longest_retry_s:
        raise SettingsError(
            f"receivers.first_retry_s is {settings.receivers.first_retry_s}, "
            f"expected at most receivers.longest_retry_s ({settings.receivers.longest_retry_s})"
        )


def _check_operator(settings: Settings) -> None:
    operator = settings.operator
    if (operator.certificate is None) != (operator.key is None):
        missing = "operator.key" if operator.key is None else "operator.certificate"
        raise SettingsError(f"{missing} is left out, expected beside the other of certificate and key")
    if operator.certificate is None and not is_loopback(operator.host):
        raise SettingsError(
            f"operator.host is {operator.host!r}, expected a loopback address, or operator.certificate and "
            "operator.key for TLS"
        )
    if operator.authorities and operator.certificate is None:
        raise SettingsError("operator.authorities is given, expected operator.certificate and operator.key beside it")
    if operator.oidc is not None:
        parts = urlsplit(operator.oidc.issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise SettingsError(f"operator.oidc.issuer is {operator.oidc.issuer!r}, expected an https URL")
    if operator.syslog and not re.fullmatch(r"udp://[^/\s]+|unix:/\S+", operator.syslog):
        raise SettingsError(f"operator.syslog is {operator.syslog!r}, expected udp://HOST:PORT or unix:/PATH")


def _check_training(settings: Settings) -> None:
    """A copy to learn on has a clock of its own and reaches nobody outside."""
    wrong = {
        "clock": (settings.clock, "paced"),
        "receivers.here_only": (settings.receivers.here_only, True),
        "mail.host": (settings.mail.host, ""),
    }
    for name, (found, expected) in wrong.items():
        if found != expected:
            raise SettingsError(f"{name} is {found!r}, expected {expected!r} where mode is 'training'")


def _check_zone(utility: Utility) -> None:
    if not utility.zone:
        return
    if wrong := zones.misfit(utility.zone):
        raise SettingsError(f"utility.zone is {utility.zone!r}, {wrong}")
    numbers = ("tz_offset_s", "dst_offset_s", "dst_start", "dst_end")
    if both := [name for name in numbers if getattr(utility, name)]:
        raise SettingsError(
            f"utility.{both[0]} is {getattr(utility, both[0])}, expected to be left out: "
            f"utility.zone ({utility.zone}) says what local time is"
        )


def _path(kind: type, value: Any) -> Any:
    """msgspec knows no paths."""
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError("expected the path of a file")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by address or as localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(settings: Settings) -> str:
    """The operator's token."""
    try:
        token = settings.operator.token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"operator.token_file {settings.operator.token_file} can not be read: {wrong}") from None
    if len(token) < 32:
        raise SettingsError(f"operator.token_file {settings.operator.token_file} holds less than 32 characters")
    return token
