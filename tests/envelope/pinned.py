"""Runs whose results are pinned: every figure of a schedule and of its verification, as a digest.

`python -m tests.envelope.pinned` records them again; do so only where a change of numbers is meant. Digests are equal
only where arithmetic is (same processor features, same kernels of numpy, scipy and numba); elsewhere the recorded sums
are compared.
Where numbers lie in memory may change the last bits of a sum, so that floats are compared to a hundred-thousandth.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numba
import numpy as np
from llvmlite.binding import get_host_cpu_name
from numba.core import config
from threadpoolctl import threadpool_info

from envelope import Guarantee, OperatingLimits, calculate, verified_box, verify
from envelope.engine import solve_with_boxes
from envelope.explanation.explanation import explain
from envelope.explanation.relief import recalculate_reliefs
from envelope.medium_voltage.coordination import Coordination, coordinate
from envelope.medium_voltage.head_voltage import MediumVoltage
from envelope.medium_voltage.joint_verification import verify_jointly
from envelope.problem import (
    Allocation,
    AsForecast,
    BoxMargin,
    ConstantVar,
    Credit,
    FixedPowerFactor,
    FreeVar,
    GroupLimit,
    HeadVoltageMargin,
    ImpedanceMargin,
    Problem,
    ScenarioMargin,
    ShareReference,
    TighteningLead,
    VoltVar,
)
from envelope.schedule import EnvelopeSchedule
from envelope.verification import Effort, VerificationReport
from envelope.verification.solvers import SOLVERS
from gridmodel import read_feeder
from gridmodel.flow.inverters import Curve
from gridmodel.model import admittance as build
from gridmodel.readers.example_feeders import european_lv
from tests.envelope.cases import UNDECLARED, on, street
from tests.gridmodel.feeders import radial_equipment
from tests.gridmodel.medium import medium

RECORDED = Path(__file__).with_name("pinned.json")
EFFORT = Effort(random=2, inside=1, sign=10, greedy=1)
CURVE = Curve(((0.9, 1.0), (0.96, 0.0), (1.04, 0.0), (1.1, -1.0)))
CUSTOMERS, STEPS = 6, 2
COMMON = (Allocation.EQUAL, Allocation.PROPORTIONAL)
"""what coincident limits may be allocated by"""


def policies(count: int) -> dict[str, AsForecast]:
    """Reactive power policies by name."""
    size = np.full(count, 3_000.0)
    return {
        "as forecast": AsForecast(),
        "power factor": FixedPowerFactor(0.95),
        "volt-var none": VoltVar(size),
        "volt-var declared": VoltVar(size, Credit.DECLARED, CURVE),
    }


def variants(problem: Problem) -> dict[str, dict[str, object]]:
    """Further fields of a problem by name."""
    names, steps = problem.connection_id, problem.steps
    group = GroupLimit("depot", names[: len(names) // 2], 9_000.0, 7_000.0)
    uncertain = {
        "margins": (HeadVoltageMargin(0.995, 1.005), BoxMargin(np.full(len(names), 100.0))),
        "base_sigma_w": np.full(len(names), 150.0),
        "base_z": 3.0,
        "favour_export": np.linspace(0.6, 1.8, len(names)),
        "firm_export_w": np.full(len(names), 700.0),
        "in_force_import_w": np.full(len(names), 2_500.0),
        "base_load_lo_w": problem.base_load_w - 50.0 * np.arange(steps)[:, None],
    }
    return {"plain": {}, "groups": {"groups": (group,)}, "margins": uncertain}


def combinations() -> Iterator[tuple[Guarantee, Allocation]]:
    """Every guarantee with every allocation that it has."""
    for guarantee in UNDECLARED:
        for allocation in COMMON if guarantee is Guarantee.COINCIDENT else Allocation:
            yield guarantee, allocation


def small() -> Iterator[tuple[str, Problem]]:
    """A street: guarantees, allocations, reactive policies, and once each what else a problem may ask for."""
    first = street(CUSTOMERS, STEPS, seed=4)
    for k, (guarantee, allocation) in enumerate(combinations()):
        problem = replace(first, guarantee=guarantee, allocation=allocation)
        for policy, reactive in policies(CUSTOMERS).items():
            for name, fields in variants(problem).items():
                # All of them with the forecast as it is; the other policies take turns.
                if policy == "as forecast" or name == list(variants(problem))[k % 3]:
                    yield (
                        f"street {guarantee} {allocation} {policy} {name}",
                        replace(problem, reactive=reactive, **fields),
                    )
    yield from _others(first)
    for guarantee in UNDECLARED:
        given = {"limits": OperatingLimits(vuf_max_percent=0.9), "guarantee": guarantee, "allocation": Allocation.EQUAL}
        yield f"street {guarantee} unbalance", on(build.network(radial_equipment(5, 3)), STEPS, 3, **given)


def _others(first: Problem) -> Iterator[tuple[str, Problem]]:
    """Fields that change how a limit is found or published."""
    several = three_phase(CUSTOMERS, STEPS)
    for guarantee in (Guarantee.TWO_SIDED, Guarantee.ONE_SIDED):
        unknown = {"flex_split": ("unknown", *("balanced",) * (CUSTOMERS - 1)), "guarantee": guarantee}
        yield f"street {guarantee} unknown splits", replace(several, **unknown)
        hidden = FixedPowerFactor(0.9, behind_meter=True)
        yield f"street {guarantee} behind the meter", replace(several, reactive=hidden, guarantee=guarantee)
        uncontrolled = np.arange(CUSTOMERS) == 1
        some = {"controls_import": ~uncontrolled, "flex_load_w": np.minimum(first.flex_load_w, 3_000.0)}
        yield f"street {guarantee} uncontrolled", replace(first, **some, guarantee=guarantee)
    longer = street(CUSTOMERS, 8, seed=4, in_force_export_w=np.full(CUSTOMERS, 4_000.0))
    for early in TighteningLead:
        yield f"street early by {early}", replace(longer, early=early)
    yield "street any var", replace(first, reactive=FreeVar(np.full(CUSTOMERS, 2_000.0)))
    yield "street constant var", replace(first, reactive=ConstantVar(np.full(CUSTOMERS, 500.0)))
    paths = np.stack([first.base_load_w * part for part in (0.5, 1.0, 2.0)])
    scenarios = (ScenarioMargin(paths, first.base_load_w), ImpedanceMargin(0.05))
    yield "street scenarios", replace(first, margins=scenarios)
    for reference in ShareReference:
        contract = {"contract_import_w": np.full(CUSTOMERS, 9e3), "contract_export_w": np.full(CUSTOMERS, 5e3)}
        yield f"street {reference}", replace(first, reference=reference, **contract)
    heavy = first.base_load_w * 40.0
    for guarantee, allocation in ((Guarantee.TWO_SIDED, Allocation.MAX_MIN), (Guarantee.COINCIDENT, Allocation.EQUAL)):
        given = {"base_load_w": heavy, "guarantee": guarantee, "allocation": allocation}
        yield f"street {guarantee} beyond its limits", replace(first, **given)


def three_phase(customers: int, steps: int) -> Problem:
    """A street whose first two customers have three phases."""
    found = radial_equipment(customers, 4)
    phases = [replace(c, phase="abc") if k < 2 else c for k, c in enumerate(found.connections)]
    return on(build.network(replace(found, connections=tuple(phases))), steps, 4)


def european(steps: int = 2) -> Iterator[tuple[str, Problem]]:
    """The European feeder: each guarantee, and the allocations that search."""
    problem = on(european_lv().network, steps, 2)
    for guarantee in UNDECLARED:
        yield f"european {guarantee} equal", replace(problem, guarantee=guarantee, allocation=Allocation.EQUAL)
    for allocation in (Allocation.MAX_MIN, Allocation.PROPORTIONAL_FAIR, Allocation.MAX_SUM):
        yield f"european {allocation}", replace(problem, allocation=allocation)
    margins = variants(problem)["margins"]
    yield "european margins", replace(problem, **margins)


def lv28(steps: int = 4) -> Iterator[tuple[str, Problem]]:
    """The published Australian feeder, where its folder is known."""
    facts = os.environ.get("SEP2_FACTS")
    if facts:
        problem = on(read_feeder(Path(facts, "data", "lv28")).network, steps, 5)
        for guarantee, allocation in (
            (Guarantee.TWO_SIDED, Allocation.MAX_MIN),
            (Guarantee.COINCIDENT, Allocation.EQUAL),
        ):
            yield f"lv28 {guarantee} {allocation}", replace(problem, guarantee=guarantee, allocation=allocation)


def joint() -> tuple[MediumVoltage, Coordination]:
    """Two streets under one medium-voltage network."""
    feeders = {}
    for seed, name in enumerate(("m1", "m4")):
        found = radial_equipment(5, seed)
        lines = tuple(replace(line, z_ohm=3.0 * line.z_ohm) for line in found.lines)
        given = replace(found, lines=lines, supply=replace(found.supply, z1_ohm=0j, z0_ohm=0j))
        feeders[name] = on(build.network(given), STEPS, seed)
    grid = MediumVoltage(build.network(medium(km=3.0)))
    return grid, coordinate(grid, feeders)


def exact(table: np.ndarray) -> bytes:
    """Integers as they are, floats to a hundred-thousandth."""
    return np.ascontiguousarray(np.round(table, 5) + 0.0 if table.dtype.kind == "f" else table).tobytes()


def rounded(value: object) -> object:
    """The same in plain values."""
    if isinstance(value, float):
        return round(value, 5) + 0.0
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


def of_run(problem: Problem) -> dict[str, object]:
    """Digest and sums of a calculation and its verification."""
    schedule = calculate(problem)
    return of_result(problem, schedule, verify(problem, schedule, solver="reduced", effort=EFFORT))


def of_result(problem: Problem, schedule: EnvelopeSchedule, report: VerificationReport) -> dict[str, object]:
    """Digest and sums of a schedule and its verification."""
    lo, hi = verified_box(problem, schedule)
    tables = (
        schedule.import_limit_w, schedule.export_limit_w, schedule.gen_limit_w, schedule.load_limit_w,
        schedule.default_import_w, schedule.default_export_w, schedule.import_room_w, schedule.export_room_w,
        schedule.import_reach_w, schedule.export_reach_w, schedule.status, schedule.import_binding.row,
        schedule.import_binding.interval, schedule.export_binding.row, schedule.export_binding.interval,
        schedule.import_least_w, schedule.export_least_w, *(schedule.reactive or ()), lo, hi,
    )  # fmt: skip
    figures = {name: value for name, value in schedule.figures.items() if name != "seconds"}
    words = (schedule.names, schedule.findings, schedule.guarantee, schedule.run_id, schedule.pf_rule, figures)
    worst = [(f.beyond, f.step, f.element, f.corner) for f in (report.over, report.under, report.overload)]
    judged = (worst, report.excused, report.scenarios, report.judged, report.by_corner, report.diverged)
    unbalance = report.unbalance and (report.unbalance.beyond, report.unbalance.step, report.unbalance.element)
    digest = hashlib.sha256(json.dumps(rounded([words, judged, unbalance]), default=str).encode())
    for table in tables:
        digest.update(f"{table.dtype} {table.shape}".encode() + exact(table))
    sums = [int(schedule.export_limit_w.sum()), int(schedule.import_limit_w.sum())]
    return {"digest": digest.hexdigest()[:24], "sums_w": sums, "run_id": schedule.run_id}


def of_joint() -> dict[str, object]:
    """Digest and sums of a medium-voltage case."""
    grid, found = joint()
    report = verify_jointly(grid, found, effort=EFFORT)
    said = [report.sentence(), [part.report.worst for part in report.parts]]
    digest = hashlib.sha256(json.dumps(rounded(said)).encode())
    sums = [0, 0]
    for name, schedule in found.schedules.items():
        band = found.bands[name].assumed
        for table in (schedule.import_limit_w, schedule.export_limit_w, band.low_pu, band.high_pu):
            digest.update(exact(table))
        sums = [sums[0] + int(schedule.export_limit_w.sum()), sums[1] + int(schedule.import_limit_w.sum())]
    return {"digest": digest.hexdigest()[:24], "sums_w": sums, "run_id": ""}


def of_explanation() -> dict[str, object]:
    """Digest of explanations and of what would relieve the limits."""
    said = []
    for guarantee in UNDECLARED:
        problem = street(CUSTOMERS, STEPS, seed=4, guarantee=guarantee, allocation=Allocation.EQUAL)
        solution = solve_with_boxes(problem)
        for direction in ("import", "export"):
            for name in problem.connection_id[::2]:
                found = explain(problem, solution, name, step=1, direction=direction)
                said.append([found.sentence(), recalculate_reliefs(problem, solution.schedule, found).sentence()])
    return {"digest": hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24], "sums_w": [0, 0], "run_id": ""}


def of_audit() -> dict[str, object]:
    """Digest of verifications by each solver, with wrong phases beside, and of a table."""
    problem = street(CUSTOMERS, STEPS, seed=4)
    schedule = calculate(problem)
    efforts = (replace(EFFORT, wrong_phases=0.1), replace(EFFORT, judge_all=True))
    said = [verify(problem, schedule, solver=name, effort=e).sentence() for name in SOLVERS for e in efforts]
    said.append(verify(problem, schedule, effort=efforts[0]).stress_sentence())
    said.append(schedule.to_frame(merged=True).to_csv())
    return {"digest": hashlib.sha256(json.dumps(said).encode()).hexdigest()[:24], "sums_w": [0, 0], "run_id": ""}


WHOLE = {"medium voltage": of_joint, "explanations": of_explanation, "solvers and table": of_audit}


def cases() -> dict[str, Problem]:
    """All calculations that are verified, by name."""
    return dict([*small(), *european(), *lv28()])


@cache
def machine() -> str:
    """A name for what makes arithmetic equal to the bit."""
    from numpy._core._multiarray_umath import __cpu_features__ as features

    said = (
        platform.machine(),
        np.__version__,
        numba.__version__,
        sorted(name for name, has in features.items() if has),
        sorted((one["version"], one["architecture"]) for one in threadpool_info() if one["user_api"] == "blas"),
        (config.CPU_NAME or get_host_cpu_name(), config.CPU_FEATURES, config.ENABLE_AVX),
    )
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def record() -> None:
    """Write down what is found now."""
    found = {name: of_run(problem) for name, problem in cases().items()}
    found |= {name: run() for name, run in WHOLE.items()}
    RECORDED.write_text(json.dumps({"machine": machine(), "runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    record()
