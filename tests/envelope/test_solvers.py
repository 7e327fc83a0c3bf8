"""Who judges: power-grid-model where it has a model, OpenDSS for split phases, phase-to-phase and its own circuits."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envelope import Guarantee, Problem, calculate, verify
from envelope.constraints.monitored_feeder import monitor
from envelope.field_rules import BadProblem
from envelope.problem import OperatingLimits, steps_from
from envelope.verification import Effort
from envelope.verification.solvers import SOLVERS, independent_solver, solver_of
from gridmodel import GridError, read_feeder, reduce
from gridmodel.model import admittance as build
from gridmodel.readers.example_feeders import US_SERVICE
from tests.envelope.cases import START, on, street
from tests.gridmodel.feeders import radial_equipment

AUDIT = Path(__file__).parents[1] / "gridmodel" / "cases" / "us_service" / "audit.dss"
EVERY = Effort(random=20, inside=3, sign=400, greedy=1, judge_all=True)


@pytest.fixture(scope="module")
def service():
    """Eight homes behind one centre-tapped transformer: two with PV, four with an EV, all with 120 V loads."""
    feeder = read_feeder(US_SERVICE)
    homes = len(feeder.network.connections)
    steps = 12
    load = np.random.default_rng(4).uniform(300.0, 1500.0, (steps, homes))
    sun = np.clip(np.sin((np.arange(steps) - 3) / 6 * np.pi), 0.0, None)[:, None]
    ev = np.array([0, 7200, 0, 7200, 11500, 0, 0, 7200.0])
    return Problem(
        reduce(feeder.network), steps_from(START, 7200, steps), 7200,
        base_load_w=load, base_load_var=0.2 * load, flex_gen_w=sun * feeder.pv_va, flex_load_w=np.tile(ev, (steps, 1)),
        limits=OperatingLimits.of("ansi-c84.1-a"),
    )  # fmt: skip


@pytest.mark.parametrize("guarantee", [Guarantee.TWO_SIDED, Guarantee.ONE_SIDED])
def test_envelopes_of_a_split_phase_service_by_opendss(service, guarantee):
    problem = replace(service, guarantee=guarantee)
    schedule = calculate(problem)
    report = verify(problem, schedule, effort=EVERY)
    assert report.solver == "opendss"
    assert report.judged == report.scenarios
    assert report.inside, report.sentence()
    # The service transformer is full in the evening: 33 kW of chargers behind 25 kVA.
    assert report.overload_percent > -2.0
    assert schedule.import_limit_w[0].sum() < 30_000
    wider = replace(schedule, import_limit_w=schedule.import_limit_w + 500)
    assert not verify(problem, wider, effort=EVERY).inside


def test_the_worst_and_a_sample_are_judged_unless_all_are_asked_for(service):
    report = verify(service, calculate(service))
    assert report.solver == "opendss"
    assert 0 < report.judged < report.scenarios
    assert report.wrong_phases is None  # legs of a service are not drawn on another phase


def test_solvers_agree_on_a_street():
    problem = street(customers=6, steps=2)
    schedule = calculate(problem)
    assert independent_solver(monitor(problem)) == "power-grid-model"
    quick = [name for name in SOLVERS if name != "pandapower"]
    found = {name: verify(problem, schedule, solver=name, effort=EVERY) for name in quick}
    for report in found.values():
        np.testing.assert_allclose(report.worst, found["reduced"].worst, atol=1e-4)


def test_every_solver_gives_the_same_values():
    problem = street(customers=4, steps=1)
    s_va = monitor(problem).spread(np.full((1, 4), 900.0)).astype(complex)
    source = np.broadcast_to(problem.reduced.network.source.v, (1, 3))
    ours = solver_of(monitor(problem), "reduced")(s_va, source)
    for name in SOLVERS:
        theirs = solver_of(monitor(problem), name)(s_va, source)
        assert theirs.converged.all()
        np.testing.assert_allclose(theirs.v_v, ours.v_v, atol=1e-4)
        np.testing.assert_allclose(np.abs(theirs.i_a), np.abs(ours.i_a), atol=1e-4)


def test_customers_between_phases_are_judged_by_opendss():
    given = radial_equipment(4, seed=2)
    across = replace(given.connections[0], phase="ab")
    problem = on(build.network(replace(given, connections=(across, *given.connections[1:]))), steps=2)
    report = verify(problem, calculate(problem), effort=EVERY)
    assert report.solver == "opendss"
    assert report.inside, report.sentence()


def test_a_circuit_of_opendss_is_judged_by_itself(tmp_path):
    homes = [f"New Load.home{k} phases=1 bus1=home{k}.1.2 kV=0.24 kW=1" for k in range(1, 9)]
    shutil.copy(AUDIT, tmp_path)
    (tmp_path / "Master.dss").write_text("\n".join(["Redirect audit.dss", *homes, "Solve"]))
    network = read_feeder(tmp_path).network
    problem = on(network, steps=2, limits=OperatingLimits.of("ansi-c84.1-a"))
    report = verify(problem, calculate(problem), effort=EVERY)
    assert report.solver == "opendss"
    assert report.inside, report.sentence()


def test_what_no_solver_knows():
    problem = street(customers=3, steps=1)
    with pytest.raises(
        BadProblem, match="no solver 'abacus'; there are power-grid-model, opendss, pandapower, reduced"
    ):
        solver_of(monitor(problem), "abacus")
    bare = replace(problem, reduced=reduce(replace(problem.reduced.network, equipment=None)))
    with pytest.raises(GridError, match="admittances only"):
        verify(bare, calculate(bare))


def test_without_opendss_it_is_said_what_to_install(service, monkeypatch):
    monkeypatch.setitem(sys.modules, "dss", None)
    with pytest.raises(GridError, match=r"takes OpenDSS \(dss-python\): install sep2\[opendss\]"):
        verify(service, calculate(service))
