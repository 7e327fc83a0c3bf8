"""Limits where no network model exists: a share of the transformer, capped by what voltages have been measured to do.

Nothing here is verified by a power flow; every result says so. Voltages of up to 256 V have been seen under limits of
the first kind where 253 V were permitted.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from envelope.problem import BadProblem
from envelope.schedule import CAPACITY, STATUS, Binding, EnvelopeSchedule, floored, raised

Array = NDArray[np.float64]
FEWEST_SAMPLES = 48
NAMES = (
    "transformer capacity, without a network model",
    "critical voltage by regression, without a network model",
    "transformer voltage by regression and the way from there, without a network model",
)
ASSET, VOLTAGE, DELTA = range(3)
PLAIN, BREACHED = STATUS.index("no_model"), STATUS.index("no_model_infeasible_base")


class Method(StrEnum):
    """Ways to set limits without a network model."""

    ASSET_CAPACITY = "asset-capacity"
    """the transformer's rating less the base load"""
    CRITICAL_VOLTAGE = "critical-voltage"
    """the same, and a regression of the voltage at the customer where it moves most"""
    DELTA_VOLTAGE = "delta-voltage"
    """the same, and a regression of the transformer's voltage with the largest measured way from there to a customer"""


@dataclass(frozen=True, eq=False)
class Unmodelled:
    """What is known of a transformer and its customers without a model of the network."""

    connection_id: Sequence[str]
    step_start: NDArray[np.int64]
    step_s: int
    rating_va: float
    base_load_w: Array
    """(T, C) forecast of what nobody controls, import positive"""
    flex_gen_w: Array
    flex_load_w: Array
    """(T, C) most that controllable generation feeds and controllable load draws"""
    reserve: float = 0.05
    """part of the rating kept for reactive power, losses and unbalance"""


@dataclass(frozen=True)
class CriticalVoltage:
    """A line through measured net import of all and voltage at the most remote customer: at_zero + slope * import."""

    at_zero_v: float
    slope_v_per_w: float
    spread_v: float
    """standard deviation of what the line does not explain"""
    samples: int

    @classmethod
    def regress(cls, net_import_w: Array, voltage_v: Array) -> CriticalVoltage:
        """Least squares; refuses too few, constant or upside-down measurements."""
        good = np.isfinite(net_import_w) & np.isfinite(voltage_v)
        if good.sum() < FEWEST_SAMPLES or np.ptp(net_import_w[good]) <= 0.0:
            raise BadProblem(f"{int(good.sum())} usable measurements; {FEWEST_SAMPLES} that differ are needed")
        slope, at_zero = np.polyfit(net_import_w[good], voltage_v[good], 1)
        if slope >= 0.0:
            raise BadProblem("the critical voltage rises with import: it is not a customer of this transformer")
        rest = voltage_v[good] - (at_zero + slope * net_import_w[good])
        return cls(float(at_zero), float(slope), float(rest.std()), int(good.sum()))

    def import_at_w(self, voltage_v: float) -> float:
        """Net import of all at which the line reaches a voltage."""
        return (voltage_v - self.at_zero_v) / self.slope_v_per_w


@dataclass(frozen=True)
class DeltaVoltage:
    """A line through net import and the transformer's voltage, and how far customers were seen to stand off it."""

    transformer: CriticalVoltage
    most_rise_v: float
    most_drop_v: float
    """largest measured difference between a customer and the transformer, each way"""

    @classmethod
    def measure(cls, net_import_w: Array, transformer_v: Array, customer_v: Array) -> DeltaVoltage:
        """From (S,) net import and transformer voltage and (S, C) customers' voltages."""
        away = customer_v - transformer_v[:, None]
        if not np.isfinite(away).any():
            raise BadProblem("no interval in which both the transformer's and a customer's voltage were read")
        rise, drop = float(np.nanmax(away)), float(-np.nanmin(away))
        return cls(CriticalVoltage.regress(net_import_w, transformer_v), max(rise, 0.0), max(drop, 0.0))


def asset_capacity(known: Unmodelled) -> EnvelopeSchedule:
    """The transformer's rating less the base load, shared equally among who can use it."""
    usable = known.rating_va * (1.0 - known.reserve)
    return _shared(known, "asset capacity", most_import=usable, most_export=usable, kind=(ASSET, ASSET))


def asset_capacity_critical_voltage(
    known: Unmodelled, voltage: CriticalVoltage, *, v_min_v: float, v_max_v: float, sigmas: float = 2.0
) -> EnvelopeSchedule:
    """The same, and no more than keeps the regression of the critical voltage inside its limits."""
    keep = sigmas * voltage.spread_v
    most = voltage.import_at_w(v_min_v + keep), -voltage.import_at_w(v_max_v - keep)
    return _capped(known, "asset capacity and critical voltage", most, VOLTAGE)


def asset_capacity_delta_voltage(
    known: Unmodelled, voltage: DeltaVoltage, *, v_min_v: float, v_max_v: float, sigmas: float = 2.0
) -> EnvelopeSchedule:
    """The same, and no more than keeps the transformer's voltage that far inside that no customer leaves the limits."""
    line = voltage.transformer
    low, high = voltage.most_drop_v + sigmas * line.spread_v, voltage.most_rise_v + sigmas * line.spread_v
    most = line.import_at_w(v_min_v + low), -line.import_at_w(v_max_v - high)
    return _capped(known, "asset capacity and voltage difference", most, DELTA)


def _capped(known: Unmodelled, method: str, most: tuple[float, float], kind: int) -> EnvelopeSchedule:
    """Shares of the transformer, and of the net import and export (W of all) that voltages permit."""
    usable = known.rating_va * (1.0 - known.reserve)
    return _shared(
        known,
        method,
        most_import=min(usable, most[0]),
        most_export=min(usable, most[1]),
        kind=(kind if most[0] < usable else ASSET, kind if most[1] < usable else ASSET),
    )


def _shared(
    known: Unmodelled, method: str, *, most_import: float, most_export: float, kind: tuple[int, int]
) -> EnvelopeSchedule:
    began = time.perf_counter()
    base = known.base_load_w
    total = base.sum(axis=1)
    load_room = _levels(np.maximum(most_import - total, 0.0), known.flex_load_w)
    gen_room = _levels(np.maximum(most_export + total, 0.0), known.flex_gen_w)
    own_import, own_export = raised(np.maximum(base, 0.0)), raised(np.maximum(-base, 0.0))
    imports = np.maximum(floored(np.maximum(base + load_room, 0.0)), own_import)
    exports = np.maximum(floored(np.maximum(gen_room - base, 0.0)), own_export)
    status = np.where((total > most_import) | (-total > most_export), BREACHED, PLAIN).astype(np.int8)
    steps = np.broadcast_to(np.arange(len(base), dtype=np.intp)[:, None], base.shape)
    nothing = np.zeros(base.shape[1], dtype=np.int64)
    return EnvelopeSchedule(
        connection_id=tuple(known.connection_id),
        step_start=known.step_start,
        step_s=known.step_s,
        import_limit_w=imports,
        export_limit_w=exports,
        gen_limit_w=np.maximum(exports + floored(base), 0),
        load_limit_w=np.maximum(imports - raised(base), 0),
        firm_import_w=nothing,
        firm_export_w=nothing,
        default_import_w=imports.min(axis=0),
        default_export_w=exports.min(axis=0),
        import_room_w=load_room,
        export_room_w=gen_room,
        import_reach_w=base + known.flex_load_w,
        export_reach_w=known.flex_gen_w - base,
        status=np.broadcast_to(status[:, None], base.shape),
        names=NAMES,
        import_binding=Binding(np.where(load_room < known.flex_load_w - 0.5, kind[0], CAPACITY), steps),
        export_binding=Binding(np.where(gen_room < known.flex_gen_w - 0.5, kind[1], CAPACITY), steps),
        guarantee="none: no network model",
        allocation="equal",
        reference="equal",
        margin_v=0.0,
        run_id=_run_id(known, method, most_import, most_export),
        figures={"seconds": time.perf_counter() - began, "solves": 0.0},
        findings=(f"model-free ({method}): no power flow stands behind these limits",),
    )


def _run_id(known: Unmodelled, *said: object) -> str:
    """A name that is the same for the same input."""
    digest = hashlib.sha256(f"{known.connection_id} {known.rating_va} {known.reserve} {said}".encode())
    for part in (known.step_start, known.base_load_w, known.flex_gen_w, known.flex_load_w):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]


def _levels(room_w: Array, most_w: Array) -> Array:
    """(T, C) the same level for everyone up to each one's most, (T,) in all."""
    ordered = np.sort(most_w, axis=1)
    count = most_w.shape[1]
    # At level ordered[k] the first k are full and the others stand at it.
    used = np.cumsum(ordered, axis=1) - ordered + ordered * (count - np.arange(count))
    full = (used <= room_w[:, None]).sum(axis=1)
    before = np.concatenate([np.zeros((len(room_w), 1)), np.cumsum(ordered, axis=1)], axis=1)
    step = np.arange(len(room_w))
    level = np.where(full < count, (room_w - before[step, full]) / np.maximum(count - full, 1), np.inf)
    return np.minimum(most_w, level[:, None])
