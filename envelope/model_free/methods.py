"""Limits where no network model exists: a share of the transformer, capped by what voltages have been measured to do.

Nothing here is verified by a power flow; every result says so. Voltages of up to 256 V have been seen under limits of
the first kind where 253 V were permitted.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envelope.field_rules import UNKNOWN, BadProblem, InstanceOf, Numbers, Rule, Strings, consecutive, validate
from envelope.problem import OperatingLimits
from envelope.schedule import Binding, EnvelopeSchedule
from envelope.schedule.codes import CAPACITY, STATUS
from envelope.schedule.schedule import whole_w_above, whole_w_below
from gridmodel.arrays import Mask, Real

FEWEST_SAMPLES = 48
READ, READ_EACH = Numbers("S", gaps=True), Numbers("SC", gaps=True)
"""what meters say; NaN where there was no reading"""
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
    """A transformer and its customers, without a model of the network."""

    connection_id: Sequence[str]
    step_start: NDArray[np.int64]
    step_s: int
    rating_va: float
    base_load_w: Real
    """(T, C) forecast of what is not controlled, import positive"""
    flex_gen_w: Real
    flex_load_w: Real
    """(T, C) most that controllable generation feeds and controllable load draws"""
    reserve: float = 0.05
    """part of the rating kept for reactive power, losses and unbalance"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "connection_id": Strings(per_connection=False),
        "step_start": Numbers("T", of=int),
        "step_s": Numbers(of=int, low=0, above=True),
        "rating_va": Numbers(low=0.0, above=True),
        "base_load_w": Numbers("TC"),
        "flex_gen_w": Numbers("TC", low=0.0),
        "flex_load_w": Numbers("TC", low=0.0),
        "reserve": Numbers(low=0.0, high=1.0),
    }

    def __post_init__(self) -> None:
        names = self.RULES["connection_id"]("connection_id", self.connection_id, UNKNOWN)
        starts = self.RULES["step_start"]("step_start", self.step_start, UNKNOWN)
        validate(self, {"T": len(starts), "C": names})
        consecutive("step_start", self.step_start, self.step_s)


@dataclass(frozen=True)
class CriticalVoltage:
    """A line through measured net import of all and voltage at the most remote customer: at_zero + slope * import."""

    at_zero_v: float
    slope_v_per_w: float
    spread_v: float
    """standard deviation of what the line does not explain"""
    samples: int

    RULES: ClassVar[Mapping[str, Rule]] = {
        "at_zero_v": Numbers(low=0.0, above=True),
        "slope_v_per_w": Numbers(high=0.0),
        "spread_v": Numbers(low=0.0),
        "samples": Numbers(of=int, low=0),
    }

    def __post_init__(self) -> None:
        validate(self)
        if self.slope_v_per_w == 0.0:
            raise BadProblem("slope_v_per_w: 0: no import would move the voltage")

    @classmethod
    def regress(cls, net_import_w: Real, voltage_v: Real) -> CriticalVoltage:
        """Least squares; refuses too few, constant or upside-down measurements."""
        net_import_w = READ("net_import_w", net_import_w, UNKNOWN)
        voltage_v = READ("voltage_v", voltage_v, {"S": len(net_import_w)})
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

    RULES: ClassVar[Mapping[str, Rule]] = {
        "transformer": InstanceOf(CriticalVoltage),
        "most_rise_v": Numbers(low=0.0),
        "most_drop_v": Numbers(low=0.0),
    }

    def __post_init__(self) -> None:
        validate(self)

    @classmethod
    def measure(cls, net_import_w: Real, transformer_v: Real, customer_v: Real) -> DeltaVoltage:
        """From (S,) net import and transformer voltage and (S, C) customers' voltages."""
        transformer_v = READ("transformer_v", transformer_v, UNKNOWN)
        customer_v = READ_EACH("customer_v", customer_v, {"S": len(transformer_v)})
        away = customer_v - transformer_v[:, None]
        if not np.isfinite(away).any():
            raise BadProblem("no interval in which both the transformer's and a customer's voltage were read")
        rise, drop = float(np.nanmax(away)), float(-np.nanmin(away))
        return cls(CriticalVoltage.regress(net_import_w, transformer_v), max(rise, 0.0), max(drop, 0.0))


def asset_capacity(known: Unmodelled) -> EnvelopeSchedule:
    """The transformer's rating less the base load, shared equally among connections that can use it."""
    usable = _Most(known.rating_va * (1.0 - known.reserve), ASSET)
    return _shared(known, "asset capacity", usable, usable)


def asset_capacity_critical_voltage(
    known: Unmodelled, voltage: CriticalVoltage, *, v_min_v: float, v_max_v: float, sigmas: float = 2.0
) -> EnvelopeSchedule:
    """The same, and no more than keeps the regression of the critical voltage inside its limits."""
    keep = sigmas * voltage.spread_v
    most = _between(voltage, (v_min_v, v_max_v), (keep, keep))
    return _capped(known, "asset capacity and critical voltage", most, VOLTAGE)


def asset_capacity_delta_voltage(
    known: Unmodelled, voltage: DeltaVoltage, *, v_min_v: float, v_max_v: float, sigmas: float = 2.0
) -> EnvelopeSchedule:
    """The same, and no more than keeps the transformer's voltage that far inside that no customer leaves the limits."""
    line = voltage.transformer
    keep = sigmas * line.spread_v
    most = _between(line, (v_min_v, v_max_v), (voltage.most_drop_v + keep, voltage.most_rise_v + keep))
    return _capped(known, "asset capacity and voltage difference", most, DELTA)


def _between(line: CriticalVoltage, limits_v: tuple[float, float], keep_v: tuple[float, float]) -> tuple[float, float]:
    """Net import and export of all that keep a voltage so far inside its limits."""
    limits = OperatingLimits(*limits_v)
    keep = Numbers("3", low=0.0)("sigmas", (*keep_v, 0.0), UNKNOWN)
    return line.import_at_w(limits.v_min_v + keep[0]), -line.import_at_w(limits.v_max_v - keep[1])


class _Most(NamedTuple):
    """Most net import or export of all connections, W, and the reason that limits it."""

    watts: float
    kind: int


class _Side(NamedTuple):
    """Limits of one direction: (T, C), and (T,) whether the base load alone is beyond what is permitted."""

    room_w: Real
    limit_w: NDArray[np.int64]
    reach_w: Real
    binding: Binding
    breached: Mask


def _capped(known: Unmodelled, method: str, most: tuple[float, float], kind: int) -> EnvelopeSchedule:
    """Shares of the transformer, and of the net import and export (W of all) that voltages permit."""
    usable = known.rating_va * (1.0 - known.reserve)
    imports, exports = (_Most(watts, kind) if watts < usable else _Most(usable, ASSET) for watts in most)
    return _shared(known, method, imports, exports)


def _side(net_w: Real, flex_w: Real, most: _Most) -> _Side:
    """Equal shares of what is permitted beyond (T, C) base load, all positive in the direction."""
    total = net_w.sum(axis=1)
    room = _levels(np.maximum(most.watts - total, 0.0), flex_w)
    limit = np.maximum(whole_w_below(np.maximum(net_w + room, 0.0)), whole_w_above(np.maximum(net_w, 0.0)))
    steps = np.broadcast_to(np.arange(len(net_w), dtype=np.intp)[:, None], net_w.shape)
    binding = Binding(np.where(room < flex_w - 0.5, most.kind, CAPACITY), steps)
    return _Side(room, limit, net_w + flex_w, binding, total > most.watts)


def _shared(known: Unmodelled, method: str, most_import: _Most, most_export: _Most) -> EnvelopeSchedule:
    began = time.perf_counter()
    base, nothing = known.base_load_w, np.zeros(len(known.connection_id), dtype=np.int64)
    imports = _side(base, known.flex_load_w, most_import)
    exports = _side(-base, known.flex_gen_w, most_export)
    status = np.where(imports.breached | exports.breached, BREACHED, PLAIN).astype(np.int8)
    return EnvelopeSchedule(
        connection_id=tuple(known.connection_id),
        step_start=known.step_start,
        step_s=known.step_s,
        import_limit_w=imports.limit_w,
        export_limit_w=exports.limit_w,
        gen_limit_w=np.maximum(exports.limit_w + whole_w_below(base), 0),
        load_limit_w=np.maximum(imports.limit_w - whole_w_above(base), 0),
        firm_import_w=nothing,
        firm_export_w=nothing,
        default_import_w=imports.limit_w.min(axis=0),
        default_export_w=exports.limit_w.min(axis=0),
        import_room_w=imports.room_w,
        export_room_w=exports.room_w,
        import_reach_w=imports.reach_w,
        export_reach_w=exports.reach_w,
        status=np.broadcast_to(status[:, None], base.shape),
        names=NAMES,
        import_binding=imports.binding,
        export_binding=exports.binding,
        guarantee="none: no network model",
        allocation="equal",
        reference="equal",
        margin_v=0.0,
        run_id=_run_id(known, method, most_import.watts, most_export.watts),
        figures={"seconds": time.perf_counter() - began, "solves": 0.0},
        findings=(f"model-free ({method}): no power flow stands behind these limits",),
    )


def _run_id(known: Unmodelled, *said: object) -> str:
    """A name that is the same for the same input."""
    digest = hashlib.sha256(f"{known.connection_id} {known.rating_va} {known.reserve} {said}".encode())
    for part in (known.step_start, known.base_load_w, known.flex_gen_w, known.flex_load_w):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]


def _levels(room_w: Real, most_w: Real) -> Real:
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
