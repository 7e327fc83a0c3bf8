"""Rules for fields: check a value, and report field, entry, value and bound where it breaks its rule.

A class lists its fields' rules as `RULES` and calls `settle` when it is made. What has to fit the steps and connections
of a problem is asked again, by the same rules, when the problem is made.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmodel.arrays import Mask
from sep2.errors import SepError

LARGEST = 1e12
"""no power, voltage or time of a feeder is larger; beyond it sums of squares would run over"""
KINDS = {bool: "b", int: "iuf", float: "iuf", complex: "iufc"}
SAID = {bool: "True or False", int: "a whole number", float: "a number", complex: "a number"}
AXES = {
    "T": ("steps", "interval"),
    "C": ("connections", "connection"),
    "3": ("phases", "phase"),
    "K": ("paths", "path"),
    "M": ("moments", "moment"),
    "S": ("readings", "reading"),
}
"""what an axis runs over, and what one of it is called"""


class BadProblem(SepError):
    """The envelope problem is not usable."""

    status = 400


UNSAID_BY_DEFAULT = {"unsaid_by_default": True}
"""metadata of a field that files and run ids leave out while it holds its default, so that earlier ones stay valid"""

Axes = Mapping[str, int | Sequence[str]]
"""how long axes are, or what their entries are called, of those that are known: {"T": 48, "C": ("c1", "c2")}"""
UNKNOWN: Axes = {"3": "abc"}

Rule = Callable[[str, Any, Axes], Any]
"""(name of the field, its value, axes that are known) to the value as the engine takes it"""


def validate(what: Any, axes: Axes = UNKNOWN, of: str = "") -> None:
    """Brings each field of a dataclass to what its rule in `RULES` makes of it; None stays where it is the default."""
    for item in fields(what):
        rule, value = what.RULES.get(item.name), getattr(what, item.name)
        if rule is not None and not (value is None and item.default is None):
            found = rule(of + item.name, value, axes)
            if found is not value:
                object.__setattr__(what, item.name, found)


@dataclass(frozen=True)
class Numbers:
    """One value, or an array of them in one of some shapes, between two bounds."""

    shapes: str = "one"
    """such as "one", "TC" (steps, connections) or "C or TC" """
    low: float = -LARGEST
    high: float = LARGEST
    """inf: any, infinite too"""
    above: bool = False
    """whether `low` itself is too low"""
    of: type = float
    gaps: bool = False
    """whether NaN may stand for what is not known"""

    def __call__(self, name: str, value: Any, axes: Axes = UNKNOWN) -> Any:
        """The value, or an array of it; refused where it breaks the rule."""
        found = self._read(name, value)
        shape = self._shape_of(name, found, axes)
        for bad, why in self._faults(found):
            if np.any(bad):
                at = tuple(np.argwhere(bad)[0].tolist())
                # The connection is named before the interval.
                where = ", ".join([_entry(axis, k, axes) for axis, k in zip(shape, at, strict=True)][::-1])
                raise BadProblem(f"{name}: {where}{': ' if where else ''}{found[at]:g} is {why}")
        whole: NDArray[Any] = found.astype(self.of, copy=False)
        return whole if whole.ndim else whole.item()

    def _read(self, name: str, value: Any) -> NDArray[Any]:
        try:
            found = np.asarray(value)
        except (TypeError, ValueError):
            found = np.asarray(None)
        if found.dtype.kind not in KINDS[self.of]:
            raise BadProblem(f"{name}: {reprlib.repr(value)} is not {SAID[self.of]}")
        return found

    def _shape_of(self, name: str, found: NDArray[Any], axes: Axes = UNKNOWN) -> str:
        """The one of the shapes that the value has."""
        known = {axis: entries if isinstance(entries, int) else len(entries) for axis, entries in axes.items()}
        shapes = ["" if shape == "one" else shape for shape in self.shapes.split(" or ")]
        for shape in shapes:
            if len(shape) == found.ndim and all(
                known.get(axis, size) == size > 0 for axis, size in zip(shape, found.shape, strict=True)
            ):
                return shape
        said = " or ".join(_shape(shape, known) for shape in shapes)
        raise BadProblem(f"{name} has shape {found.shape}; expected {said}")

    def _faults(self, found: NDArray[Any]) -> Iterator[tuple[Mask, str]]:
        """Which entries break the rule, and why."""
        if self.of is bool:
            return
        size = np.abs(found) if self.of is complex else found
        bad = np.isnan(found) if self.high == np.inf else ~np.isfinite(found)
        yield bad & ~np.isnan(found) if self.gaps else bad, "not finite"
        if self.above:
            yield size <= self.low, f"not above {self.low:g}"
        between = self.low > -LARGEST and self.high < LARGEST
        outside = f"outside {self.low:g}..{self.high:g}" if between else ""
        yield size < self.low, outside or ("negative" if self.low == 0.0 else f"below {self.low:g}")
        yield size > self.high, outside or f"above {self.high:g}"
        if self.of is int:
            yield found != np.floor(found), "not a whole number"


def _shape(shape: str, known: dict[str, int]) -> str:
    if not shape:
        return "one number"
    sizes = ", ".join(str(known.get(axis, axis)) for axis in shape) + ("," if len(shape) == 1 else "")
    return f"({sizes}) ({', '.join(AXES[axis][0] for axis in shape)})"


def _entry(axis: str, at: int, axes: Axes) -> str:
    names = axes.get(axis, 0)
    if not isinstance(names, int):
        return f"{AXES[axis][1]} {names[at]}"
    # Steps count from 0; a bare number after "connection" would be read as its name.
    return f"{AXES[axis][1]} {'' if axis == 'T' else 'no. '}{at}"


def consecutive(name: str, starts: NDArray[np.int64], step_s: int) -> None:
    """Refuses intervals of which one begins before the last is over."""
    if early := np.flatnonzero(np.diff(starts) < step_s).tolist():
        raise BadProblem(f"{name}: interval {early[0] + 1} begins before {step_s} s after the last")


@dataclass(frozen=True)
class OneOf:
    """One of the words of an enumeration; its plain text will do."""

    of: type[StrEnum]

    def __call__(self, name: str, value: Any, axes: Axes = UNKNOWN) -> StrEnum:
        """The word."""
        try:
            return self.of(value)
        except ValueError:
            raise BadProblem(f"{name}: {reprlib.repr(value)} is none of {', '.join(self.of)}") from None


@dataclass(frozen=True)
class Strings:
    """Texts, one for each connection where `per_connection` says so, each one of `words` where there are any."""

    words: tuple[str, ...] = ()
    per_connection: bool = True

    def __call__(self, name: str, value: Any, axes: Axes = UNKNOWN) -> tuple[str, ...]:
        """The texts as a tuple."""
        found = sequence(name, value)
        names = axes.get("C") if self.per_connection else None
        count = len(names) if isinstance(names, Sequence) else len(found) or 1
        if len(found) != count:
            raise BadProblem(f"{name} has {len(found)} entries; expected {count}")
        for k, one in enumerate(found):
            where = _entry("C", k, axes) if self.per_connection else f"entry {k}"
            if not isinstance(one, str):
                raise BadProblem(f"{name}: {where}: {reprlib.repr(one)} is not a text")
            if self.words and one not in self.words:
                raise BadProblem(f"{name}: {where}: {one!r} is none of {', '.join(self.words)}")
        return tuple(str(one) for one in found)


@dataclass(frozen=True)
class InstanceOf:
    """An object of a class, whose own fields fit the same axes."""

    of: type

    def __call__(self, name: str, value: Any, axes: Axes = UNKNOWN) -> Any:
        """The object itself."""
        if not isinstance(value, self.of):
            raise BadProblem(f"{name}: {reprlib.repr(value)} is no {self.of.__name__}")
        if axes is not UNKNOWN and hasattr(value, "RULES"):
            validate(value, axes, f"{name}: ")
        return value


@dataclass(frozen=True)
class ListOf:
    """Any number of such objects."""

    of: type

    def __call__(self, name: str, value: Any, axes: Axes = UNKNOWN) -> tuple[Any, ...]:
        """The objects as a tuple."""
        return tuple(InstanceOf(self.of)(name, one, axes) for one in sequence(name, value))


def sequence(name: str, value: Any) -> list[Any]:
    """A rule for a sequence of instances of one type; a text is none."""
    if isinstance(value, str) or not (value.ndim if isinstance(value, np.ndarray) else isinstance(value, Sequence)):
        raise BadProblem(f"{name}: {reprlib.repr(value)} is not a sequence")
    return list(value)
