"""Curves that inverters follow by default in a region, as data: volt-var and volt-watt."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from gridmodel.flow.inverters import Curve
from sep2.errors import SepError


class UnknownRegion(SepError):
    """There are no inverter curves of that name."""

    status = 404


@dataclass(frozen=True, slots=True)
class RegionCurve:
    """One curve, in per unit of the nominal voltage, and whether the region's document has it on by default."""

    curve: Curve
    enabled: bool


@dataclass(frozen=True, slots=True)
class RegionCurves:
    """Curves of a region, with the source of their figures."""

    name: str
    title: str
    source: str
    criteria: tuple[str, ...]
    """names of the voltage criteria that hold where the region's rules do"""
    volt_var: RegionCurve
    volt_watt: RegionCurve


@cache
def regions() -> dict[str, RegionCurves]:
    """All regions whose curves are known, by name."""
    text = resources.files("envelope").joinpath("data/inverter_curves.toml").read_text(encoding="utf-8")
    return {name: _region(name, said) for name, said in tomllib.loads(text).items()}


def region(name: str) -> RegionCurves:
    """The region of that name."""
    known = regions()
    if name not in known:
        raise UnknownRegion(f"{name!r}; known are {', '.join(sorted(known))}")
    return known[name]


def region_of(criterion: str) -> RegionCurves | None:
    """The region whose rules go with a voltage criterion; None: none is known."""
    return next((found for found in regions().values() if criterion in found.criteria), None)


def _region(name: str, said: Mapping[str, Any]) -> RegionCurves:
    reference_v = said["reference_v"]
    curves = {
        kind: RegionCurve(Curve(tuple((v / reference_v, y) for v, y in said[kind]["points"])), said[kind]["enabled"])
        for kind in ("volt_var", "volt_watt")
    }
    return RegionCurves(name, said["title"], said["source"], tuple(said["criteria"]), **curves)
