"""What a device is served as the DefaultDERControl of each of its programs (2030.5 10.10.4.3)."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from sep2.rules.limits import MODES, Limits

Layout = Literal["merged", "own"]
"""`merged`: each program is served its own default, and what this leaves out from less important programs; clients that
take the first program's default as a whole then hold what the standard has them put together. `own`: its own alone."""

RAMPS = ("setGradW", "setSoftGradW")
ENTER_SERVICE = "setES"
"""How the names of what a default says of entering service begin."""
GENERATION, CONSUMPTION = ("opModExpLimW", "opModGenLimW", "opModMaxLimW"), ("opModImpLimW", "opModLoadLimW")
"""Modes that bound what a device feeds in, and what it draws."""


class Said(NamedTuple):
    """What one group's default says, as it is stored; limits in watts, None where not set; the texts are JSON."""

    import_limit_w: int | None = None
    export_limit_w: int | None = None
    gen_limit_w: int | None = None
    load_limit_w: int | None = None
    modes: str = "{}"
    set_grad_w: int | None = None
    set_soft_grad_w: int | None = None
    enter_service: str = "{}"


class Floor(NamedTuple):
    """What bounds a device that no default bounds, in watts: its connection's contract, or else the utility's."""

    import_w: int | None = None
    export_w: int | None = None
    beside: bool = False
    """Whether the device is beside the one that holds its connection's net limits: it is told its own power only."""


class Setting(NamedTuple):
    """The value of a mode or ramp, and which of the programs it is from: the index of that, or FROM_FLOOR."""

    value: Any
    source: int


FROM_FLOOR = -1
Served = Mapping[str, Setting]
"""What holds, by wire name: limits in watts, other modes and ramps as they are stored (a curve by its id)."""
NO_FLOOR = Floor()


@lru_cache(maxsize=4096)
def merged(programs: tuple[Said, ...], floor: Floor = NO_FLOOR) -> Served:
    """The defaults of programs in order of importance as one: each mode as the first that sets it has it.

    The floor bounds each direction that none of them bounds. Groups of many devices repeat what they say, so results
    are kept, and are not to be changed.
    """
    found: dict[str, Setting] = {}
    for index, said in enumerate(programs):
        for name, value in _settings(said).items():
            found.setdefault(name, Setting(value, index))
    for name, watts in _bounds(floor, found).items():
        found[name] = Setting(watts, FROM_FLOOR)
    return found


def served(programs: Sequence[Said], at: int, floor: Floor, layout: Layout) -> Served:
    """The default of the program at an index in the list of a device's programs, as the device is served it."""
    several = tuple(programs)
    if layout == "merged":
        return _from(merged(several[at:], floor), at)
    own = merged(several[at : at + 1])
    if at == len(several) - 1:
        # A client puts the programs together: the floor stands once, in the least important of them.
        own = {**own, **{name: one for name, one in merged(several, floor).items() if one.source == FROM_FLOOR}}
    return _from(own, at)


def content(found: Served) -> dict[str, Any]:
    """What a served default says, wherever it is from."""
    return {name: setting.value for name, setting in found.items()}


def limits_of(found: Served) -> Limits:
    """The limits of a served default."""
    return Limits(*(found[mode].value if mode in found else None for mode in MODES))


def modes_of(found: Served) -> dict[str, Setting]:
    """The modes beside the limits."""
    return {
        name: one for name, one in found.items() if name not in (*MODES, *RAMPS) and not name.startswith(ENTER_SERVICE)
    }


def enter_service_of(found: Served) -> dict[str, Any]:
    """What it says of entering service."""
    return {name: one.value for name, one in found.items() if name.startswith(ENTER_SERVICE)}


def _from(found: Served, at: int) -> Served:
    """The same, with sources counted from the first program of the device."""
    if at == 0:
        return found
    return {name: Setting(one.value, one.source if one.source < 0 else one.source + at) for name, one in found.items()}


def _settings(said: Said) -> dict[str, Any]:
    both = zip((*MODES, *RAMPS), (*said[:4], said.set_grad_w, said.set_soft_grad_w), strict=True)
    found: dict[str, Any] = {name: value for name, value in both if value is not None}
    found.update(json.loads(said.modes), **json.loads(said.enter_service))
    return found


def _bounds(floor: Floor, found: Served) -> dict[str, int]:
    """The limits of the floor for the directions that nothing else bounds."""
    bounds = {}
    if floor.export_w is not None and found.keys().isdisjoint(GENERATION):
        bounds["opModGenLimW" if floor.beside else "opModExpLimW"] = floor.export_w
    if floor.import_w is not None and found.keys().isdisjoint(CONSUMPTION):
        bounds["opModLoadLimW" if floor.beside else "opModImpLimW"] = floor.import_w
    return bounds
