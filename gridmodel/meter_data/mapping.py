"""How the columns of a CSV file are read: a mapping in TOML, which is guessed, shown and saved."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gridmodel.errors import FileError, GridError
from gridmodel.meter_data.local_times import zone_of
from gridmodel.meter_data.quantities import DIMENSION, Quality, Quantity, unit_of
from gridmodel.readers.tables import read_text


class Layout(StrEnum):
    """Where the values of a file stand."""

    LONG = "long"
    """a row per place and interval"""
    WIDE = "wide"
    """a row per interval, a column per place"""
    DAYS = "days"
    """a row per place and day, a column per time of day"""


class Edge(StrEnum):
    """Which end of its interval a time names."""

    START = "start"
    END = "end"


@dataclass(frozen=True)
class Meaning:
    """Meaning of the values of a column."""

    quantity: Quantity
    unit: str
    sign: int = 1
    phase: str = ""
    register: str = ""


@dataclass(frozen=True)
class ColumnMapping:
    """How a CSV file is read. Columns are named; an empty name means that there is no such column."""

    layout: Layout = Layout.LONG
    separator: str = ","
    decimal: str = "."
    place: str = ""
    register: str = ""
    phase: str = ""
    time: str = ""
    date: str = ""
    """of the day, where `time` is the time of day only"""
    time_format: str = ""
    """as strptime knows it; empty: ISO 8601; `epoch`: seconds since 1970"""
    edge: Edge = Edge.START
    zone: str = "UTC"
    """of times that name no offset"""
    duration: str = ""
    duration_s: int = 0
    """of every interval, where no column says so; 0: the distance between a place's times"""
    received: str = ""
    quality: str = ""
    quantity: tuple[str, ...] = ()
    """columns whose words say of what quantity `value` is, or in the layout days the values of a row"""
    value: str = ""
    columns: Mapping[str, Meaning] = field(default_factory=lambda: MappingProxyType({}))
    """by column; under `*` for all of them in the layouts wide and days, where no words say it"""
    words: Mapping[str, Meaning | None] = field(default_factory=lambda: MappingProxyType({}))
    """by what the columns `quantity` say, joined by spaces; None: values that are left out"""
    qualities: Mapping[str, Quality] = field(default_factory=lambda: MappingProxyType({}))
    """by what the column `quality` says; other words are taken as suspect"""

    @property
    def used(self) -> frozenset[str]:
        """Columns that are read, but for those that have places or times of day as their names."""
        named = (self.place, self.register, self.phase, self.time, self.date, self.duration, self.received)
        return frozenset({*named, self.quality, self.value, *self.quantity, *self.columns} - {"", "*"})

    def to_toml(self) -> str:
        """The mapping as a TOML file."""
        lines = []
        for one in fields(self)[:-3]:
            value = getattr(self, one.name)
            if value != one.default:
                lines.append(f"{one.name} = {json.dumps(list(value) if isinstance(value, tuple) else value)}")
        for name in ("columns", "words"):
            table: Mapping[str, Meaning | None] = getattr(self, name)
            if table:
                lines += ["", f"[{name}]"]
                lines += [f"{json.dumps(key)} = {_inline(meaning)}" for key, meaning in table.items()]
        if self.qualities:
            lines += ["", "[qualities]"]
            lines += [f"{json.dumps(key)} = {json.dumps(one.name.lower())}" for key, one in self.qualities.items()]
        return "\n".join(lines) + "\n"


def _inline(meaning: Meaning | None) -> str:
    if meaning is None:
        return "{}"
    parts = {"quantity": str(meaning.quantity), "unit": meaning.unit}
    parts |= {name: getattr(meaning, name) for name in ("phase", "register") if getattr(meaning, name)}
    said = ", ".join(f"{key} = {json.dumps(value)}" for key, value in parts.items())
    return "{ " + said + (f", sign = {meaning.sign}" if meaning.sign != 1 else "") + " }"


def read_mapping(path: Path) -> ColumnMapping:
    """The mapping of a TOML file; what it says wrongly is refused by name."""
    try:
        said = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as wrong:
        raise FileError(path, f"is not TOML: {wrong}") from None
    known = {one.name: one for one in fields(ColumnMapping)}
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name not in known:
            raise FileError(path, f"is no field of a mapping; expected one of {', '.join(known)}", field=name)
        try:
            values[name] = _converted(name, value)
        except (GridError, ValueError, TypeError, KeyError, AttributeError) as wrong:
            raise FileError(path, f"{value!r} can not be: {wrong}", field=name) from None
    found = ColumnMapping(**values)
    _check(path, found)
    return found


def _converted(name: str, value: Any) -> Any:
    if name == "layout":
        return Layout(value)
    if name == "edge":
        return Edge(value)
    if name == "zone":
        zone_of(value)
    if name == "quantity":
        return tuple(str(one) for one in (value if isinstance(value, list) else [value]))
    if name in ("columns", "words"):
        return {key: _meaning(one) if one or name == "columns" else None for key, one in value.items()}
    if name == "qualities":
        return {key: Quality[str(one).upper()] for key, one in value.items()}
    if name == "duration_s" and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise ValueError("expected whole seconds, 0 or more")
    if name != "duration_s" and not isinstance(value, str):
        raise TypeError("expected a text")
    return value


def _meaning(said: Mapping[str, Any]) -> Meaning:
    found = Meaning(Quantity(said["quantity"]), said["unit"], **{k: said[k] for k in said if k in _MORE})
    if unknown := sorted(set(said) - {"quantity", "unit", *_MORE}):
        raise GridError(f"{unknown[0]} is none of quantity, unit, {', '.join(_MORE)}")
    return checked(found)


_MORE = ("sign", "phase", "register")


def checked(meaning: Meaning) -> Meaning:
    """The same; GridError where its unit does not fit its quantity, or sign or phase can not be."""
    dimension = unit_of(meaning.unit).dimension
    if dimension != DIMENSION[meaning.quantity]:
        raise GridError(f"unit {meaning.unit} is of {dimension}, {meaning.quantity} of {DIMENSION[meaning.quantity]}")
    if meaning.sign not in (1, -1):
        raise GridError(f"sign {meaning.sign!r} is neither 1 nor -1")
    if meaning.phase not in ("", "a", "b", "c"):
        raise GridError(f"phase {meaning.phase!r} is none of a, b, c")
    return meaning


def _check(path: Path, found: ColumnMapping) -> None:
    """Refuse what only shows when fields are seen together."""
    needed = {"place": found.place} if found.layout is not Layout.WIDE else {}
    needed |= {"date": found.date} if found.layout is Layout.DAYS else {"time": found.time}
    for name, value in needed.items():
        if not value:
            raise FileError(path, f"is missing; layout {found.layout} needs it", field=name)
    by_words = found.layout is Layout.DAYS and bool(found.quantity)
    if found.layout is not Layout.LONG and "*" not in found.columns and not by_words:
        raise FileError(path, f'is missing "*"; layout {found.layout} has one meaning for all values', field="columns")
    if by_words and (found.value or found.columns):
        raise FileError(
            path, "says what the values of a row are: `value` and `columns` have no place", field="quantity"
        )
    if bool(found.value) != bool(found.quantity) and not by_words:
        raise FileError(path, "stands beside `quantity`: both, or neither", field="value")
    if not found.columns and not found.quantity:
        raise FileError(path, "says nothing, and `value` neither: no column has a meaning", field="columns")
