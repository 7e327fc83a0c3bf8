"""Voltage criteria and thermal parameters as data: each with its source, and each used as it says."""

import pytest

from envelope.field_rules import BadProblem
from envelope.problem import OperatingLimits, voltage_criteria, voltage_criterion
from envelope.problem.limits import UnknownCriterion
from envelope.problem.thermal import UnknownTransformer, thermal_model, thermal_models


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("ansi-c84.1-a", 114.0, 126.0),
        ("ansi-c84.1-b", 110.0, 127.0),
        ("en-50160", 207.0, 253.0),
        ("en-50160-all", 195.5, 253.0),
        ("as-61000.3.100", 216.0, 253.0),
    ],
)
def test_voltage_criteria(name, low, high):
    found = voltage_criterion(name)
    assert (found.low_v, found.high_v) == (low, high)
    assert found.source
    assert found.statistic
    assert OperatingLimits.of(name).source == name


def test_every_criterion_is_tested():
    assert set(voltage_criteria()) == {
        "ansi-c84.1-a",
        "ansi-c84.1-b",
        "en-50160",
        "en-50160-all",
        "as-61000.3.100",
    }


def test_a_criterion_scales_to_another_nominal_voltage():
    limits = OperatingLimits.of("ansi-c84.1-a", nominal_v=240.0)
    assert (limits.v_min_v, limits.v_max_v) == (228.0, 252.0)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"v_min_v": 253.0, "v_max_v": 216.0}, "v_max_v: 216 is not above v_min_v, 253"),
        ({"rating_factor": 0.0}, "rating_factor: 0 is not above 0"),
        ({"margin_v": 0.0}, "margin_v: 0 is not above 0"),
        ({"transformer_most_a": 0}, "transformer_most_a: 0 is not above 0"),
        ({"transformer_most_a": float("nan")}, "transformer_most_a: nan is not finite"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, said):
    with pytest.raises(BadProblem, match=said):
        OperatingLimits(**limits)


def test_unknown_names_tell_the_known_ones():
    with pytest.raises(UnknownCriterion, match="known are"):
        voltage_criterion("as-1")
    with pytest.raises(UnknownTransformer, match="onan-65"):
        thermal_model("dry")


def test_thermal_parameters_are_marked_as_assumed():
    assert all("assumed" in model.source for model in thermal_models().values())
