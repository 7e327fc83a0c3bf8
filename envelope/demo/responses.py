"""The demonstration's day with inverters that respond, and within a declared band: `python -m envelope.demo.responses`.

As in `envelope.demo.policies` no server takes part; every device keeps the limits as they would be published. What
inverters absorb, or no longer feed, in answer to their own voltage is part of each day's power flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from envelope import calculate, verify
from envelope.demo import forecast, study
from envelope.demo.arguments import DayNumber, FeederFolder
from envelope.demo.criteria import Figures
from envelope.demo.day import Day
from envelope.demo.devices import DayPowers
from envelope.demo.policies import day_under
from envelope.demo.scenario import Scenario, build_scenario
from envelope.problem import (
    Allocation,
    AsForecast,
    Credit,
    FixedPowerFactor,
    Guarantee,
    Problem,
    TighteningLead,
    VoltVar,
    VoltWatt,
)
from envelope.problem.inverter_curves import region
from envelope.verification import Effort, VerificationReport
from gridmodel import Reduced, port_va
from gridmodel.arrays import Real
from gridmodel.flow import power_flow
from gridmodel.flow.inverters import Curve, Inverters
from gridmodel.model.feeder import port_share
from sep2.terminal import add_row

SHARE, NAME, POWER_FACTOR = 0.8, "the demonstration", 0.95
"""declared share of generation, who declares it, and the power factor of the run with one"""
MOST_VAR = 0.6
"""var that an inverter absorbs at most, part of its rating; it is taken to be sized for it at full active power"""
EARLY_WATTS = Curve(((250.0 / 230.0, 1.0), (253.0 / 230.0, 0.0)))
"""a volt-watt curve that begins below the limit of 253 V, where the region's own begins at it"""
EFFORT = Effort(random=10, inside=2, sign=100, greedy=1, contingencies=True)


@dataclass(frozen=True)
class ResponseResult:
    """One variant on one day: its figures, its verification, and its guarantee in words."""

    name: str
    figures: Figures
    report: VerificationReport
    said: str


def variants(problem: Problem) -> Mapping[str, Problem]:
    """The day's problem with each response, and within a declared band; all shared out proportionally fair."""
    plain = replace(problem, allocation=Allocation.PROPORTIONAL_FAIR, early=TighteningLead.ADOPTION)
    size_w = plain.flex_gen_w.max(axis=0)
    vars_ = region("as4777-a").volt_var.curve
    scaled = Curve(tuple((v, share / MOST_VAR) for v, share in vars_.points))
    watts = VoltWatt(size_w, Credit.DECLARED, EARLY_WATTS, declared_by=NAME)
    band: dict[str, Any] = {
        "guarantee": Guarantee.DECLARED_BAND,
        "declared_share": SHARE,
        "declared_by": NAME,
        # Every other home with solar is of one fleet, the others of another.
        "fleets": tuple("AB"[k % 2] if size else "" for k, size in enumerate(size_w.tolist())),
    }
    return {
        "no response": plain,
        f"power factor {POWER_FACTOR:g} absorbing": replace(plain, reactive=FixedPowerFactor(POWER_FACTOR)),
        "volt-var, AS/NZS 4777.2 A": replace(
            plain, reactive=VoltVar(MOST_VAR * size_w, Credit.DECLARED, scaled, declared_by=NAME)
        ),
        "volt-watt 250 to 253 V": replace(plain, reactive=watts),
        f"declared band {SHARE:g}": replace(plain, **band),
        f"declared band {SHARE:g}, volt-watt 250 to 253 V": replace(plain, reactive=watts, **band),
    }


def result_of(scenario: Scenario, name: str, problem: Problem) -> ResponseResult:
    """The day's result under a problem's policy."""
    schedule = calculate(problem)
    powers = with_response(scenario.reduced, scenario.day, day_under(scenario.day, schedule), problem.reactive)
    report = verify(problem, schedule, solver="reduced", effort=EFFORT)
    return ResponseResult(name, study.run(scenario.reduced, scenario.day, powers).figures, report, schedule.guarantee)


def with_response(reduced: Reduced, day: Day, powers: DayPowers, policy: AsForecast) -> DayPowers:
    """A day's powers with what inverters do at their own voltage; solar power that volt-watt holds back is lost."""
    of, share = reduced.network.connections.port_connection, port_share(reduced.network)
    port = np.flatnonzero(day.has_pv[of])
    size = (day.pv_size_w[of] * share)[port]
    inverters = _inverters(policy, port, size, (powers.pv_w[:, of] * share)[:, port])
    if inverters is None:
        return powers
    others = port_va(reduced.network, powers.s_va - powers.pv_w)
    found = power_flow.solve(reduced, others, day.source_v, inverters=inverters)
    own = (found.v * np.conj(found.i) - others)[:, port]
    to = np.zeros((len(port), len(day.connection_ids)))
    to[np.arange(len(port)), of[port]] = 1.0
    fed = own @ to
    return replace(powers, pv_w=fed.real, s_va=powers.s_va - powers.pv_w + fed)


def _inverters(policy: AsForecast, port: Any, size: Real, available_w: Real) -> Inverters | None:
    """The inverters of a policy; None where they keep unity power factor."""
    # Rated so that they can absorb what the policy asks for at full active power.
    given: dict[str, Any] = {"port": port, "available_w": available_w, "reference_v": 230.0}
    if isinstance(policy, FixedPowerFactor):
        return Inverters(s_rated_va=size / policy.power_factor, tan_phi=-policy.tan_phi, **given)
    if isinstance(policy, VoltVar) and policy.curve is not None:
        rated = size * np.hypot(1.0, MOST_VAR)
        part = MOST_VAR / np.hypot(1.0, MOST_VAR)
        curve = Curve(tuple((v, part * share) for v, share in policy.curve.points))
        return Inverters(s_rated_va=rated, volt_var=curve, **given)
    if isinstance(policy, VoltWatt) and policy.curve is not None:
        return Inverters(s_rated_va=size, volt_watt=policy.curve, **given)
    return None


def responses_table(results: list[ResponseResult]) -> Table:
    """A table of the variants, each with the worst voltages in events beyond its guarantee."""
    table = Table(title="The same day with responding inverters, and within a declared band", title_style="bold")
    table.add_column("variant")
    for name in ("solar\ncurtailed", "outside", "highest\nV", "cable", "corners"):
        table.add_column(name, justify="right")
    table.add_column("beyond the guarantee, V over")
    for one in results:
        day, report = one.figures, one.report
        worst = f"{report.over_v:+.2f} V, {report.under_v:+.2f} V, {report.overload_percent:+.1f} %"
        events = (f"{c.event}{' (region)' if c.region else ''} {c.over_v:+.1f}" for c in report.contingencies)
        curtailed, cable = f"{day.pv_curtailed_percent:.1f} %", f"{day.max_line_percent:.1f} %"
        outside, highest = f"{day.customers_outside_voltage}", f"{day.max_voltage_v:.1f}"
        add_row(table, one.name, curtailed, outside, highest, cable, worst, "; ".join(events))
    return table


def main(
    feeder: FeederFolder = None,
    seed: DayNumber = 7,
) -> None:
    """Compare responses of inverters and the declared band on the demonstration's day.

    Example: python -m envelope.demo.responses --feeder FEEDER
    """
    scenario = build_scenario(feeder, seed)
    console, progress = Console(width=200), Console(stderr=True)
    results = []
    for name, problem in variants(forecast.problem(scenario)).items():
        progress.print(f"{name} …", highlight=False)
        results.append(result_of(scenario, name, problem))
    console.print(responses_table(results))
    for one in results:
        console.print(f"{one.name}: {one.said}.", highlight=False)


if __name__ == "__main__":
    typer.run(main)
