"""Reactive power by policy: what a limit in watts takes for granted about vars, stated in every result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np

from envelope.field_rules import BadProblem, InstanceOf, Numbers, OneOf, Rule, validate
from gridmodel.arrays import Real
from gridmodel.flow.inverters import Curve


class Credit(StrEnum):
    """Credit for an inverter's volt-var response in voltage constraints."""

    NONE = "none"
    """nothing: voltages are kept without it"""
    DECLARED = "declared"
    """voltages are kept with the curves that inverters are set to"""
    MEASURED = "measured"
    """the same, with the part of it that was seen to come"""


@dataclass(frozen=True, eq=False)
class AsForecast:
    """Reactive power as forecast; what is controllable adds none."""

    RULES: ClassVar[Mapping[str, Rule]] = {}

    def __post_init__(self) -> None:
        validate(self)

    @property
    def rule(self) -> str:
        """Its name in every row of a result."""
        return "as forecast"

    @property
    def said(self) -> str:
        """The policy's part of the guarantee statement; empty where it has none."""
        return ""

    @property
    def tan_phi(self) -> float:
        """Var that controllable generation absorbs per W it feeds."""
        return 0.0

    @property
    def hidden_var(self) -> float:
        """Var per W that flows behind a meter, unseen by it."""
        return 0.0

    def constant_var(self, count: int) -> Real:
        """(C,) constant var produced in addition to the forecast."""
        return np.zeros(count)

    def free_var(self, count: int) -> Real:
        """(C,) most that may be produced or absorbed at any moment, whatever the limits say."""
        return np.zeros(count)

    def answer_var(self, count: int) -> Real:
        """(C,) most that inverters produce or absorb in answer to their voltage."""
        return np.zeros(count)


@dataclass(frozen=True, eq=False)
class FixedPowerFactor(AsForecast):
    """Controllable generation keeps a power factor; the rest is as forecast."""

    power_factor: float = 0.95
    absorbing: bool = True
    """under-excited: absorbs while it feeds, which holds voltages down"""
    behind_meter: bool = False
    """whether what it feeds to a load behind the same meter counts too, unseen by any net limit; a dear certainty"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "power_factor": Numbers(low=0.0, above=True, high=1.0),
        "absorbing": Numbers(of=bool),
        "behind_meter": Numbers(of=bool),
    }

    @property
    def rule(self) -> str:
        """Such as "power factor 0.95 absorbing"."""
        return f"power factor {self.power_factor:g} {'absorbing' if self.absorbing else 'producing'}"

    @property
    def said(self) -> str:
        """Generation keeps it."""
        return f"generation at {self.rule}" + (", behind meters too" if self.behind_meter else "")

    @property
    def hidden_var(self) -> float:
        """Var per W that generation feeds and a load takes behind the same meter, produced positive."""
        return -self.tan_phi if self.behind_meter else 0.0

    @property
    def tan_phi(self) -> float:
        """tan(acos(power factor)), negative where it produces."""
        size = math.sqrt(1.0 - self.power_factor**2) / self.power_factor
        return size if self.absorbing else -size


@dataclass(frozen=True, eq=False)
class ConstantVar(AsForecast):
    """Each connection produces the same reactive power all the time, in addition to the forecast."""

    var: Real
    """(C,) produced, over-excited positive"""

    RULES: ClassVar[Mapping[str, Rule]] = {"var": Numbers("one or C")}

    @property
    def rule(self) -> str:
        """Its name."""
        return "constant var"

    @property
    def said(self) -> str:
        """Inverters keep it."""
        return "constant var as given"

    def constant_var(self, count: int) -> Real:
        """As given."""
        return np.broadcast_to(self.var, (count,))


@dataclass(frozen=True, eq=False)
class FreeVar(AsForecast):
    """Any reactive power within the inverters' capability circle, at any moment: the worst of it is kept free."""

    size_va: Real
    """(C,) size of each connection's inverters, VA; what may be produced or absorbed when they feed nothing"""

    RULES: ClassVar[Mapping[str, Rule]] = {"size_va": Numbers("one or C", low=0.0)}

    @property
    def rule(self) -> str:
        """Its name."""
        return "free in the capability circle"

    @property
    def said(self) -> str:
        """All of it is counted."""
        return "any var in the capability circle"

    def free_var(self, count: int) -> Real:
        """The whole circle: at no active power all of it is reactive."""
        return np.broadcast_to(self.size_va, (count,))


@dataclass(frozen=True, eq=False)
class VoltVar(AsForecast):
    """Inverters answer their own voltage. Currents always count all of it; voltages what is credited."""

    most_var: Real
    """(C,) most that each connection's inverters produce or absorb by themselves, at full active power too"""
    credit: Credit = Credit.NONE
    curve: Curve | None = None
    """share of `most_var` produced, by voltage in per unit of `reference_v`; needed for any credit"""
    reference_v: float = 230.0
    measured_share: Real | None = None
    """(C,) part of the declared answer that was seen to come, 0..1; for `Credit.MEASURED`"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "most_var": Numbers("one or C", low=0.0),
        "credit": OneOf(Credit),
        "curve": InstanceOf(Curve),
        "reference_v": Numbers(low=0.0, above=True),
        "measured_share": Numbers("one or C", low=0.0, high=1.0),
    }

    def __post_init__(self) -> None:
        validate(self)
        if self.credit is not Credit.NONE and self.curve is None:
            raise BadProblem(f"curve: volt-var credited as {self.credit} needs it")
        if (self.measured_share is not None) != (self.credit is Credit.MEASURED):
            raise BadProblem("measured_share: goes with credit measured, and only with it")

    @property
    def rule(self) -> str:
        """Its name and credit."""
        return "volt-var" if self.credit is Credit.NONE else f"volt-var as {self.credit}"

    @property
    def said(self) -> str:
        """Wording of the credit."""
        if self.credit is Credit.NONE:
            return "volt-var counted, not credited"
        return f"volt-var credited to voltages as {self.credit}"

    def answer_var(self, count: int) -> Real:
        """As given."""
        return np.broadcast_to(self.most_var, (count,))

    def credited_var(self, count: int) -> Real:
        """(C,) size of the answer that voltages may count on."""
        if self.credit is Credit.NONE:
            return np.zeros(count)
        share = 1.0 if self.measured_share is None else np.broadcast_to(self.measured_share, (count,))
        return np.asarray(share * self.answer_var(count))
