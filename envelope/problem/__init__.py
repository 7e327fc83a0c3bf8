"""The question: feeder, forecast, capacity, limits and policies of one horizon. Data only, no power flow."""

from envelope.problem.groups import GroupLimit
from envelope.problem.limits import (
    OperatingLimits,
    VoltageBand,
    VoltageCriterion,
    voltage_criteria,
    voltage_criterion,
)
from envelope.problem.margins import (
    AutonomousResponse,
    BoxMargin,
    ChanceMargin,
    HeadVoltageMargin,
    ImpedanceMargin,
    Margin,
    ScenarioMargin,
)
from envelope.problem.policies import (
    Allocation,
    Direction,
    Guarantee,
    ImportInSun,
    Policy,
    ShareReference,
    TighteningLead,
)
from envelope.problem.problem import Problem
from envelope.problem.reactive import AsForecast, ConstantVar, Credit, FixedPowerFactor, FreeVar, VoltVar, VoltWatt
from envelope.problem.scenarios import Scenarios
from envelope.problem.serialization import run_id
from envelope.problem.sides import ProblemSide
from envelope.problem.steps import steps_from

__all__ = [
    "Allocation",
    "AsForecast",
    "AutonomousResponse",
    "BoxMargin",
    "ChanceMargin",
    "ConstantVar",
    "Credit",
    "Direction",
    "FixedPowerFactor",
    "FreeVar",
    "GroupLimit",
    "Guarantee",
    "HeadVoltageMargin",
    "ImpedanceMargin",
    "ImportInSun",
    "Margin",
    "OperatingLimits",
    "Policy",
    "Problem",
    "ProblemSide",
    "ScenarioMargin",
    "Scenarios",
    "ShareReference",
    "TighteningLead",
    "VoltVar",
    "VoltWatt",
    "VoltageBand",
    "VoltageCriterion",
    "run_id",
    "steps_from",
    "voltage_criteria",
    "voltage_criterion",
]
