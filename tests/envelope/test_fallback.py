"""Limits without a network model, and what they are marked with."""

import numpy as np
import pytest

from envelope.field_rules import BadProblem
from envelope.model_free.methods import CriticalVoltage, Unmodelled, asset_capacity, asset_capacity_critical_voltage
from envelope.problem import steps_from
from envelope.schedule.codes import STATUS


def known(**changes) -> Unmodelled:
    given = {
        "connection_id": ("x", "y", "z"),
        "step_start": steps_from(0, 1800, 2),
        "step_s": 1800,
        "rating_va": 10_000.0,
        "base_load_w": np.array([[1000.0, 1000.0, 1000.0], [500.0, 500.0, 500.0]]),
        "flex_gen_w": np.array([[1000.0, 9000.0, 9000.0]] * 2),
        "flex_load_w": np.full((2, 3), 7000.0),
        "reserve": 0.0,
    }
    return Unmodelled(**(given | changes))


def test_the_transformer_is_shared_equally_up_to_what_each_can_use():
    schedule = asset_capacity(known())
    # 10 kW less 3 kW of base load leave 2,333 W of charging for each; export starts 3 kW below zero.
    assert schedule.import_limit_w[0].tolist() == [3333, 3333, 3333]
    assert schedule.export_limit_w[0].tolist() == [0, 5000, 5000]
    assert (schedule.export_limit_w[0] + known().base_load_w[0] * [0, 1, 1]).sum() == pytest.approx(12_000)


def test_every_result_says_that_no_model_stands_behind_it():
    schedule = asset_capacity(known())
    assert schedule.guarantee == "none: no network model"
    assert "no power flow" in schedule.findings[0]
    assert "without a network model" in schedule.binding_text("import", 0, 1)
    table = schedule.to_frame()
    assert set(table["guarantee"]) == {"none: no network model"}
    assert set(table["status"]) == {"no_model"}
    assert schedule.run_id == asset_capacity(known()).run_id != asset_capacity(known(rating_va=9e3)).run_id


def test_the_critical_voltage_takes_over_where_it_is_tighter():
    rng = np.random.default_rng(1)
    power = rng.uniform(-8000.0, 8000.0, 500)
    voltage = CriticalVoltage.regress(power, 240.0 - 0.003 * power + rng.normal(0.0, 0.2, 500))
    assert voltage.slope_v_per_w == pytest.approx(-0.003, rel=0.02)
    tight = asset_capacity_critical_voltage(known(), voltage, v_min_v=216.0, v_max_v=253.0)
    exported = (tight.export_room_w - known().base_load_w).sum(axis=1)
    assert np.all(240.0 + 0.003 * exported <= 253.0)
    assert tight.binding_text("export", 0, 1).startswith("critical voltage")
    assert tight.export_limit_w.sum() < asset_capacity(known()).export_limit_w.sum()


def test_a_base_load_beyond_the_rating_is_said():
    schedule = asset_capacity(known(rating_va=2000.0))
    assert [STATUS[k] for k in schedule.status[0]] == ["no_model_infeasible_base"] * 3
    assert schedule.import_limit_w[0].tolist() == [1000, 1000, 1000]


@pytest.mark.parametrize(
    ("power", "voltage", "said"),
    [
        (np.zeros(100), np.ones(100), "that differ"),
        (np.arange(10.0), np.arange(10.0), "10 usable"),
        (np.arange(100.0), 230 + np.arange(100.0), "rises with import"),
    ],
)
def test_measurements_that_say_nothing_are_refused(power, voltage, said):
    with pytest.raises(BadProblem, match=said):
        CriticalVoltage.regress(power, voltage)
