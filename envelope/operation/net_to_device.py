"""Limits for a client that sees only its own device: the connection's net limits less the base load's band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envelope.schedule import EnvelopeSchedule
from envelope.schedule.schedule import whole_w_above, whole_w_below
from gridmodel.arrays import Mask, Watts
from gridmodel.model.devices import CHARGER, DEVICE
from sep2.rules.limits import Limits


class Band(NamedTuple):
    """Least and most of a connection's base load, whole watts, import positive."""

    least_w: int
    most_w: int


def is_device(schedule: EnvelopeSchedule, column: int) -> bool:
    """Return whether the schedule's control point of a connection is a device."""
    return schedule.control_point is not None and schedule.control_point[column] == DEVICE


def is_charger(schedule: EnvelopeSchedule, column: int) -> bool:
    """Return whether a connection's import is limited as load of its charger."""
    return schedule.control_point is not None and schedule.control_point[column] == CHARGER


def limits_ahead(schedule: EnvelopeSchedule, column: int, bound: Mask, steps_ahead: int) -> Watts:
    """Return most load and generation per step, (T, 2) W.

    bound: (T, 2) where the network binds the limits of import and export.
    A device's limit also falls with the base load, without any change of the net limit. A schedule with early
    tightening covers that; without it, a step's limit is no more than those of the next `steps_ahead` steps.
    """
    own = np.stack([schedule.load_limit_w[:, column], schedule.gen_limit_w[:, column]], axis=1)
    found = own.copy()
    for later in range(1, min(0 if schedule.early_s else steps_ahead, len(own) - 1) + 1):
        found[:-later] = np.where(bound[later:], np.minimum(found[:-later], own[later:]), found[:-later])
    return found


def as_device_limits(limits: Limits) -> Limits:
    """Return limits of import and export as limits of load and generation."""
    return Limits(gen_w=limits.export_w, load_w=limits.import_w)


def as_charger_limits(limits: Limits) -> Limits:
    """Return limits of import and export as limits of load and export."""
    return Limits(export_w=limits.export_w, load_w=limits.import_w)


def default_of(schedule: EnvelopeSchedule, column: int) -> Limits:
    """Return the default of a device: inside the connection's default in every step that the network binds."""
    load_w, gen_w = (
        _inside(int(default[column]), net[:, column], own[:, column], binding.is_network[:, column])
        for default, net, own, binding in (
            (schedule.default_import_w, schedule.import_limit_w, schedule.load_limit_w, schedule.import_binding),
            (schedule.default_export_w, schedule.export_limit_w, schedule.gen_limit_w, schedule.export_binding),
        )
    )
    return Limits(gen_w=gen_w, load_w=load_w)


def _inside(default_w: int, net_w: Watts, own_w: Watts, bound: Mask) -> int:
    """Return a default less the base load, W; 0 where a step's own limit is 0, which hides the base load."""
    counts = bound if bound.any() else np.ones_like(bound)
    if default_w > int(net_w[counts].min()) and (own_w[counts] == 0).any():
        return 0
    return max(0, default_w + int((own_w - net_w)[counts].min()))


def less_base(limits: Limits, band: Band) -> Limits:
    """Return limits of generation and load that keep the net limits for any base load in its band."""
    gen_w = None if limits.export_w is None else max(0, limits.export_w + band.least_w)
    load_w = None if limits.import_w is None else max(0, limits.import_w - band.most_w)
    return Limits(gen_w=gen_w, load_w=load_w)


def net_of(limits: Limits, band: Band) -> Limits:
    """Return the net limits, or those that limits of load and generation amount to; None where neither is set."""
    import_w, export_w, gen_w, load_w = limits
    if import_w is None and load_w is not None:
        import_w = max(0, load_w + band.most_w)
    if export_w is None and gen_w is not None:
        export_w = max(0, gen_w - band.least_w)
    return Limits(import_w, export_w)


def sides(limits: Limits) -> tuple[int | None, int | None]:
    """Return most import and export, W: net, else of the device; None where not limited."""
    import_w, export_w, gen_w, load_w = limits
    return (load_w if import_w is None else import_w, gen_w if export_w is None else export_w)


def charger_of(limits: Limits) -> Limits:
    """Return as import what bounds a charger's load: its own limit, else the connection's; and the export limit."""
    load_w, export_w = sides(limits)
    return Limits(limits.import_w if limits.load_w is None else load_w, export_w)


def is_of_device(limits: Limits) -> bool:
    """Return whether these are limits of load and generation."""
    return limits[:2] == (None, None) and limits[2:] != (None, None)


def is_whole(limits: Limits) -> bool:
    """Return whether both directions are limited: net, or as load and generation, or export and load."""
    return None not in limits[:2] or None not in limits[2:] or None not in (limits.export_w, limits.load_w)


def bands(names: Sequence[str], load_lo_w: NDArray[Any], load_hi_w: NDArray[Any]) -> dict[str, Band]:
    """Return by connection the band of its base load over these (T, C) steps."""
    least, most = whole_w_below(load_lo_w.min(axis=0)), whole_w_above(load_hi_w.max(axis=0))
    return {name: Band(int(least[k]), int(most[k])) for k, name in enumerate(names)}


def bands_in(names: Sequence[str], fields: Mapping[str, Any]) -> dict[str, Band]:
    """Return the bands of all connections from the fields of a problem."""
    base = np.asarray(fields["base_load_w"])
    sides = [base if fields.get(f"base_load_{end}_w") is None else fields[f"base_load_{end}_w"] for end in ("lo", "hi")]
    return bands(names, np.minimum(sides[0], base), np.maximum(sides[1], base))
