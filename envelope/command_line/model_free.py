"""A run without a network model: limits from meter readings alone, without a power flow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envelope.command_line.options import ABOVE_0, POLICY, THERMAL, StudyOptions
from envelope.field_rules import UNKNOWN, BadProblem
from envelope.model_free.methods import (
    CriticalVoltage,
    DeltaVoltage,
    Method,
    asset_capacity,
    asset_capacity_critical_voltage,
    asset_capacity_delta_voltage,
)
from envelope.model_free.readings import Meters, read_meters
from envelope.problem import OperatingLimits, voltage_criterion
from envelope.problem.limits import SUITS
from envelope.schedule import EnvelopeSchedule
from envelope.study.study import sine
from envelope.study.summary import evenness, room


@dataclass(frozen=True)
class TransformerOptions:
    """Options about a transformer, in addition to its meters' readings."""

    rating_kva: float | None = None
    transformer: str = ""
    """connection_id of the transformer's own meter in the readings."""
    critical: str = ""
    """Connection whose voltage counts; default: the one with the largest changes."""


def calculate_from_meters(
    readings: Path, method: Method, known: TransformerOptions, options: StudyOptions
) -> tuple[EnvelopeSchedule, dict[str, Any]]:
    """Return limits for the day after the readings, and the figures of their regression."""
    options.refuse(("steps", *POLICY, *THERMAL), "has no effect without a network model")
    if known.rating_kva is None:
        raise BadProblem("--rating-kva: the transformer's rating is needed where there is no model")
    ABOVE_0("--rating-kva", known.rating_kva, UNKNOWN)
    if not readings.is_file():
        raise BadProblem(f"{readings}: with --fallback, FEEDER is a CSV file of meter readings")
    meters = read_meters(readings, known.transformer)
    count = len(meters.connection_id)
    chosen = options.chosen(count)
    sky = np.ones(meters.steps) if options.all_day else sine(meters.steps)
    gen = sky[:, None] * np.where(chosen, 1e3 * options.export_kw, 0.0)
    load = np.tile(np.where(chosen, 1e3 * options.import_kw, 0.0), (meters.steps, 1))
    day = meters.day_ahead(1e3 * known.rating_kva, gen, load)
    _refuse_criterion(options.limits, meters)
    limits = OperatingLimits.of(options.limits)
    band = {"v_min_v": limits.v_min_v, "v_max_v": limits.v_max_v}
    if method is Method.ASSET_CAPACITY:
        return asset_capacity(day), {}
    if method is Method.CRITICAL_VOLTAGE:
        name, line = meters.critical(known.critical)
        return asset_capacity_critical_voltage(day, line, **band), {"critical": name, **_line(line)}
    found = _differences(meters)
    figures = {"most_rise_v": found.most_rise_v, "most_drop_v": found.most_drop_v, **_line(found.transformer)}
    return asset_capacity_delta_voltage(day, found, **band), figures


def _refuse_criterion(name: str, meters: Meters) -> None:
    """Refuse a voltage criterion for another level than that of the meters."""
    measured, meant = meters.v[np.isfinite(meters.v)], voltage_criterion(name).nominal_v
    here = float(np.median(measured)) if measured.size else meant
    if not SUITS[0] < here / meant < SUITS[1]:
        raise BadProblem(f"--limits {name}: is for {meant:.0f} V, and the meters here read {here:.0f} V")


def _differences(meters: Meters) -> DeltaVoltage:
    if not np.isfinite(meters.transformer_v).any():
        raise BadProblem("--fallback delta-voltage needs the transformer's own voltage: name its meter by --meter-of")
    return DeltaVoltage.measure(meters.total_w, meters.transformer_v, meters.v)


def _line(found: CriticalVoltage) -> dict[str, float]:
    return {
        "volts_per_kw": 1e3 * found.slope_v_per_w,
        "volts_at_zero": found.at_zero_v,
        "spread_v": found.spread_v,
        "samples": found.samples,
    }


def summary_of(readings: Path, schedule: EnvelopeSchedule, regression: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a run without a model as plain values."""
    return {
        "feeder": readings.stem,
        "connections": len(schedule.connection_id),
        "steps": schedule.steps,
        "guarantee": schedule.guarantee,
        "allocation": schedule.allocation,
        "reference": schedule.reference,
        **room(schedule),
        "fairness": evenness(schedule),
        **schedule.figures,
        "findings": [*schedule.findings, *_regression_lines(regression)],
        "regression": regression,
        "run_id": schedule.run_id,
    }


def _regression_lines(found: dict[str, Any]) -> list[str]:
    if not found:
        return []
    who = f"the voltage at {found['critical']}" if "critical" in found else "the transformer's voltage"
    sentence = (
        f"{who} is taken as {found['volts_at_zero']:.1f} V {found['volts_per_kw']:+.3f} V per kW that all"
        f" import together ({found['samples']} readings, {found['spread_v']:.2f} V left unexplained)"
    )
    if "most_rise_v" in found:
        rise, drop = found["most_rise_v"], found["most_drop_v"]
        sentence += f"; customers were measured up to {rise:.1f} V above and {drop:.1f} V below it"
    return [sentence]
