"""Limits less all reserves, for limits that are found by power flow alone and have no linear constraints."""

from __future__ import annotations

import numpy as np

from envelope.constraints.formulation import Formulation
from envelope.constraints.limits import LimitTables
from envelope.constraints.linear import linearise, select_all


def tighten(formulation: Formulation) -> LimitTables:
    """The limits less all reserves: the largest per unit off all voltages, its own off each current."""
    limits, reserves, feeder = formulation.limits, formulation.reserves, formulation.feeder
    if not reserves:
        return limits
    built = linearise(feeder, *formulation.sensitivities, wanted=select_all(feeder))
    rest, hard = built.evaluate(formulation.base_flow), built.right_hand_sides(limits.bounds(margin=0.0))
    extra = sum((reserve.per_row(built, rest, hard) for reserve in reserves), np.zeros_like(hard))
    extra_units = extra / built.slack_unit(feeder)
    over, under = (float(extra_units[:, built.kind == kind].max(initial=0.0)) for kind in (0, 1))
    reserved_a = np.zeros_like(limits.current_a)
    for row in np.flatnonzero(built.kind == 2):
        element = built.element[row]
        reserved_a[:, element] = np.maximum(reserved_a[:, element], extra[:, row])
    unit_v = feeder.voltage_unit_v
    return limits.less_reserves(over * unit_v, under * unit_v, reserved_a)
