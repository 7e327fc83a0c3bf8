"""Whatever one field of a problem is spoiled with: it is refused by that field's name, or there is a schedule."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envelope import Problem, calculate
from envelope.constraints.without_flow import NoPowerFlow
from envelope.field_rules import BadProblem
from envelope.problem import Allocation, GroupLimit, Guarantee, OperatingLimits, ShareReference, margins, reactive
from gridmodel.flow.inverters import Curve
from sep2.errors import SepError
from tests.envelope.cases import street
from tests.envelope.spoils import spoiled, ways

STEPS, COUNT = 3, 2
WATTS = np.full(COUNT, 500.0)
BAND = np.full((STEPS, COUNT), 50.0)


def whole() -> Problem:
    """A problem that says something in every field."""
    plain = street(customers=COUNT, steps=STEPS)
    both = {f"{name}_{way}_w": WATTS for name in ("firm", "in_force", "contract") for way in ("import", "export")}
    return replace(
        plain,
        **both,
        base_load_lo_w=plain.base_load_w - 50.0,
        base_load_hi_w=plain.base_load_w + 50.0,
        base_sigma_w=BAND,
        base_z=1.0,
        margins=(margins.BoxMargin(BAND),),
        source_v=np.tile(plain.reduced.network.source.v, (STEPS, 1)),
        in_force_until=int(plain.step_start[1]),
        favour_import=np.ones(COUNT),
        favour_export=np.ones(COUNT),
        control_point=("site",) * COUNT,
        controls_import=np.ones(COUNT, dtype=bool),
        controls_export=np.ones(COUNT, dtype=bool),
        flex_split=("balanced",) * COUNT,
        base_includes_devices=np.zeros(COUNT, dtype=bool),
        groups=(GroupLimit("all", plain.connection_id, 9e3, 9e3),),
    )


WHOLE = whole()
PARTS = {
    "margins": (
        margins.BoxMargin(BAND),
        margins.ChanceMargin(BAND, 2.0, common_w=WATTS),
        margins.ScenarioMargin(np.stack([BAND, 2.0 * BAND]), BAND),
        margins.HeadVoltageMargin(np.full(STEPS, 0.99), np.full(STEPS, 1.01)),
        margins.ImpedanceMargin(),
        margins.AutonomousResponse(WATTS),
    ),
    "reactive": (
        reactive.FixedPowerFactor(),
        reactive.ConstantVar(WATTS),
        reactive.FreeVar(WATTS),
        reactive.VoltVar(WATTS, reactive.Credit.MEASURED, Curve(((0.9, 0.4), (1.1, -0.4))), measured_share=WATTS / 1e3),
    ),
    "groups": (GroupLimit("all", WHOLE.connection_id, 9e3, 9e3, np.ones(STEPS)),),
    "limits": (OperatingLimits(216.0, 253.0, np.ones(STEPS), np.ones(STEPS), 500.0, vuf_max_percent=3.0),),
}
"""objects that a field of a problem may hold"""


OWN = [(f.name, how) for f in fields(Problem) for how in ways(getattr(WHOLE, f.name))]
OF_PARTS = [
    (name, part, f.name, how)
    for name, parts in PARTS.items()
    for part in parts
    for f in fields(part)
    for how in ways(getattr(part, f.name))
]


def is_refused_or_solved(name, make):
    """A problem has a schedule, or is refused by the field's name."""
    try:
        problem = make()
        schedule = calculate(problem)
    except SepError as refusal:
        wrong = refusal
    else:
        for limit in (schedule.import_limit_w, schedule.export_limit_w):
            assert limit.shape == (problem.steps, COUNT)
            assert limit.min() >= 0
        return
    if isinstance(wrong, NoPowerFlow):
        # Values that fit may be too much for the feeder; then the largest are named with what to look at.
        assert "most of it at" in str(wrong)
        return
    # How many steps there are is what step_start says: other fields do not fit it any more.
    assert name in str(wrong) or (name == "step_start" and "(steps" in str(wrong))
    assert wrong.code == "bad_problem"


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.integers(0, len(OWN) - 1))
def test_a_spoiled_field_is_refused_by_name_or_solved(case):
    name, how = OWN[case]
    value = spoiled(getattr(WHOLE, name), how)
    is_refused_or_solved(name, lambda: replace(WHOLE, **{name: value}))


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.integers(0, len(OF_PARTS) - 1))
def test_a_spoiled_field_of_a_part_is_refused_by_name_or_solved(case):
    of, part, name, how = OF_PARTS[case]
    value = spoiled(getattr(part, name), how)

    def make():
        made = replace(part, **{name: value})
        return replace(WHOLE, **{of: made if of in ("limits", "reactive") else (made,)})

    is_refused_or_solved(name, make)


def test_the_whole_problem_is_solved():
    schedule = calculate(WHOLE)
    assert schedule.export_limit_w.max() > 0
    assert "base within its bands" in schedule.guarantee


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alpha": -1.0}, "alpha: -1 is not above 0"),
        ({"alpha": np.nan}, "alpha: nan is not finite"),
        ({"base_z": -1.0}, "base_z: -1 is negative"),
        ({"base_sigma_w": -BAND}, "base_sigma_w: connection c1, interval 0: -50 is negative"),
        ({"adoption_s": -1}, "adoption_s: -1 is negative"),
        ({"adoption_s": 0.5}, "adoption_s: 0.5 is not a whole number"),
        ({"source_v": np.zeros(3)}, "source_v: phase a: 0 is not above 0"),
        ({"step_start": WHOLE.step_start[::-1]}, "step_start: interval 1 begins before 1800 s after the last"),
        ({"step_start": WHOLE.step_start // 2}, "step_start: interval 1 begins before 1800 s"),
        ({"step_start": []}, "step_start has shape .*; expected .T,. .steps."),
        ({"reference": "contract", "contract_export_w": None}, "contract_export_w: is needed where reference is"),
        ({"guarantee": "both-sided"}, "guarantee: 'both-sided' is none of two-sided, one-sided, coincident"),
        ({"guarantee": "coincident"}, "allocation: coincident limits are one common level"),
        ({"default_export_w": -WATTS}, "default_export_w: connection c1: -500 is negative"),
        ({"margins": (3.0,)}, "margins: 3.0 is no Margin"),
        ({"margins": margins.ImpedanceMargin()}, "margins: .* is not a sequence"),
        ({"margins": (margins.BoxMargin(np.ones(3)),)}, r"margins: delta_w has shape \(3,\); expected one number or"),
        ({"control_point": "site"}, "control_point: 'site' is not a sequence"),
        ({"reduced": WHOLE.reduced.network}, "reduced: .* is no Reduced"),
        ({"base_load_w": 1e12 * BAND}, "base_load_w: connection c1, interval 0: 5e.13 is above 1e.12"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(change, said):
    with pytest.raises(BadProblem, match=said):
        replace(WHOLE, **change)


def test_a_word_will_do_for_an_enumeration_and_a_list_for_an_array():
    plain = replace(WHOLE, guarantee="one-sided", allocation="equal", reference="reach", firm_import_w=[500, 500])
    assert (plain.guarantee, plain.allocation) == (Guarantee.ONE_SIDED, Allocation.EQUAL)
    assert plain.reference is ShareReference.REACH
    said = replace(WHOLE, guarantee=Guarantee.ONE_SIDED, allocation=Allocation.EQUAL, reference=ShareReference.REACH)
    assert calculate(plain).run_id == calculate(said).run_id
