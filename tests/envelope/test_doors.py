"""The other doors of the engine: studies, thermal ratings and limits without a model refuse a spoiled field by name."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envelope.field_rules import BadProblem
from envelope.model_free.methods import (
    CriticalVoltage,
    DeltaVoltage,
    Unmodelled,
    asset_capacity,
    asset_capacity_critical_voltage,
    asset_capacity_delta_voltage,
)
from envelope.model_free.readings import Meters
from envelope.problem.thermal import ThermalPolicy, TooHot, rating_factors, simulate, thermal_model
from envelope.problem.thermal_ratings import ThermalRating
from envelope.study.study import Study, problem_of
from gridmodel import Feeder
from sep2.errors import SepError
from tests.envelope.cases import STEP_S, street
from tests.envelope.spoils import spoiled, ways

STEPS, COUNT, READINGS = 3, 2, 60
PROBLEM = street(customers=COUNT, steps=STEPS)
NETWORK = PROBLEM.reduced.network
FEEDER = Feeder("street", NETWORK, np.zeros(COUNT), np.ones(COUNT, dtype=bool))
MILD, WATTS = np.full(STEPS, 20.0), np.full((STEPS, COUNT), 500.0)
BAND = {"v_min_v": 216.0, "v_max_v": 253.0}
KNOWN = Unmodelled(PROBLEM.connection_id, PROBLEM.step_start, STEP_S, 1e4, WATTS, 9.0 * WATTS, 9.0 * WATTS)
LINE = CriticalVoltage(240.0, -1e-3, 0.5, READINGS)


def meters() -> Meters:
    """Readings of two and a half days in which voltages fall with import."""
    rng = np.random.default_rng(1)
    import_w = rng.uniform(0.0, 2e3, (READINGS, COUNT))
    v = 240.0 - 1e-3 * import_w.sum(axis=1)[:, None] + rng.normal(0.0, 0.1, (READINGS, COUNT))
    return Meters(
        PROBLEM.connection_id, 3600 * np.arange(READINGS), 3600, import_w, v, import_w.sum(axis=1), v[:, 0] + 1.0
    )


def looked_at(found: Meters) -> None:
    """All that readings are asked for."""
    found.critical()
    DeltaVoltage.measure(found.total_w, found.transformer_v, found.v)
    asset_capacity(found.day_ahead(1e4, np.ones((found.steps, COUNT)), np.ones((found.steps, COUNT))))


DOORS = (
    (Study(steps=3, flexible=np.ones(COUNT, dtype=bool)), lambda study: problem_of(FEEDER, study, PROBLEM.reduced)),
    (ThermalPolicy(), lambda policy: ThermalRating.of("onan-65", MILD, STEP_S, policy)),
    (thermal_model(), lambda model: simulate(model, np.ones(STEPS), MILD, STEP_S)),
    (KNOWN, asset_capacity),
    (LINE, lambda line: asset_capacity_critical_voltage(KNOWN, line, **BAND)),
    (DeltaVoltage(LINE, 2.0, 3.0), lambda found: asset_capacity_delta_voltage(KNOWN, found, **BAND)),
    (meters(), looked_at),
)
CASES = [(*door, f.name, how) for door in DOORS for f in fields(door[0]) for how in ways(getattr(door[0], f.name))]
OF_ITS_OWN = ("(steps", "(readings", "has no reading at", "rises with import", "usable measurements")
"""refusals of what was asked of sound fields, and of fields that do not fit another in length"""


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, len(CASES) - 1))
def test_a_spoiled_field_is_refused_by_name_or_taken(case):
    given, use, name, how = CASES[case]
    value = spoiled(getattr(given, name), how)
    try:
        use(replace(given, **{name: value}))
    except SepError as refusal:
        wrong = refusal
    else:
        return
    assert isinstance(wrong, BadProblem | TooHot)
    assert isinstance(wrong, TooHot) or name in str(wrong) or any(said in str(wrong) for said in OF_ITS_OWN)


@pytest.mark.parametrize(("given", "use"), DOORS, ids=[type(given).__name__ for given, _ in DOORS])
def test_what_is_sound_is_taken(given, use):
    use(given)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Study(steps=7), "steps: 7 steps do not divide a day"),
        (lambda: Study(adoption_s=-5), "adoption_s: -5 is negative"),
        (
            lambda: problem_of(FEEDER, Study(flexible=np.ones(3, dtype=bool))),
            r"flexible has shape \(3,\); expected",
        ),
        (lambda: replace(KNOWN, step_start=KNOWN.step_start[::-1]), "step_start: interval 1 begins before 1800 s"),
        (lambda: replace(KNOWN, rating_va=np.nan), "rating_va: nan is not finite"),
        (lambda: replace(meters(), duration_s=7), "duration_s: 7 does not divide a day"),
        (lambda: asset_capacity_critical_voltage(KNOWN, LINE, v_min_v=253, v_max_v=216), "v_max_v: 216 is not above"),
        (lambda: asset_capacity_critical_voltage(KNOWN, LINE, **BAND, sigmas=-1), "sigmas.*-0.5 is negative"),
        (lambda: CriticalVoltage.regress(np.ones(3), np.ones(2)), r"voltage_v has shape \(2,\); expected \(3,\)"),
        (lambda: simulate(thermal_model(), np.ones(2), MILD, 60), r"load_pu has shape \(2,\); expected \(3,\)"),
        (lambda: simulate(thermal_model(), np.ones(3), MILD, 0), "step_s: 0 is not above 0"),
        (lambda: rating_factors(thermal_model(), [20.0, 300.0], 60, ThermalPolicy()), "interval 1: 300 is outside -90"),
    ],
)
def test_what_is_wrong_is_said(make, said):
    with pytest.raises(BadProblem, match=said):
        make()
