"""Read market profiles from TOML: ours, and a utility's own, which may extend one."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sep2.errors import BadValue
from sep2.rules.market.profile import MarketProfile, Source

OURS = "sep2.rules.market"
MOST_EXTENDED = 5


class BadProfile(BadValue):
    """The market profile can not be used."""


class Value(NamedTuple):
    """One value of a profile, by its dotted name, with where it comes from."""

    name: str
    value: Any
    source: Source | None


def names() -> list[str]:
    """The profiles that come with the product."""
    return sorted(file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml"))


def read_profile(name: str, own: Path | None = None) -> MarketProfile:
    """A profile by its name: from `own`, a folder of the utility's, or else ours. BadProfile says what is wrong.

    A file that says `extends = "pjm"` holds only what differs: tables are merged key by key, lists replaced.
    """
    found = _merged(name, own)
    try:
        profile = msgspec.convert(found, MarketProfile)
    except msgspec.ValidationError as wrong:
        raise BadProfile(f"{name}: {_said(str(wrong), found)}") from None
    if profile.name != name:
        raise BadProfile(f"{name}: its name is {profile.name!r}; give the file that name")
    unsourced = [value.name for value in values(profile) if value.source is None]
    if unsourced:
        raise BadProfile(f"{name}: no source is given for {', '.join(unsourced[:5])} ([sources])")
    return profile


def values(profile: MarketProfile) -> list[Value]:
    """Every value with its source: that of its own name, else of its table."""
    plain = msgspec.to_builtins(profile, builtin_types=(date,))
    plain.pop("sources")
    return [Value(name, value, _source(profile.sources, name)) for name, value in _leaves(plain)]


def fingerprint(profile: MarketProfile) -> str:
    """SHA-256 of all that a profile says, to be kept with what was decided by it."""
    return hashlib.sha256(msgspec.json.encode(profile, order="deterministic")).hexdigest()


def _folder() -> Any:
    return files(OURS).joinpath("profiles")


def _merged(name: str, own: Path | None) -> dict[str, Any]:
    chain, last = [_table(name, own)], name
    while (base := chain[-1].pop("extends", None)) is not None:
        if len(chain) > MOST_EXTENDED:
            raise BadProfile(f"{name}: extends more than {MOST_EXTENDED} others, one after the other")
        # A file of the utility's may have the name of ours that it extends.
        chain.append(_table(str(base), None if base == last else own))
        last = base
    merged: dict[str, Any] = {}
    for table in reversed(chain):
        merged = _over(merged, table)
    return merged


def _table(name: str, own: Path | None) -> dict[str, Any]:
    # A name may come from anybody, and is never a way to another folder.
    is_plain = re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name) is not None
    if is_plain and own is not None and (file := own / f"{name}.toml").is_file():
        return _parsed(file.read_bytes(), str(file))
    if name not in names():
        raise BadProfile(f"there is none called {name[:40]!r}: {', '.join(names())}")
    return _parsed(_folder().joinpath(f"{name}.toml").read_bytes(), name)


def _parsed(text: bytes, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as wrong:
        raise BadProfile(f"{where}: {wrong}") from None


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged key by key; a source that speaks of a whole table replaces what was said of its values."""
    found = dict(below)
    for key, value in above.items():
        known = found.get(key)
        found[key] = _over(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return found


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _source(sources: Mapping[str, Source], name: str) -> Source | None:
    while name:
        if name in sources:
            return sources[name]
        name = name.rpartition(".")[0]
    return None


def _said(wrong: str, found: Mapping[str, Any]) -> str:
    """msgspec's sentence, with the value's name first and the value that was found."""
    message, _, path = wrong.partition(" - at `$")
    name = path.rstrip("`").lstrip(".")
    value: Any = found
    for part in name.split(".") if name else ():
        value = value.get(part) if isinstance(value, dict) else None
    shown = "" if value is None or isinstance(value, dict) else f" (it is {value!r})"
    return f"{name}: {message[:1].lower()}{message[1:]}{shown}" if name else message
