"""Policies for vars and for inverters' own response, which limits in watts rest on; stated in every result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

import numpy as np

from envelope.field_rules import UNSAID_BY_DEFAULT, BadProblem, InstanceOf, Numbers, OneOf, Rule, validate
from gridmodel.arrays import Mask, Real
from gridmodel.flow.inverters import Curve


class Credit(StrEnum):
    """Credit for inverters' response to voltage in voltage constraints."""

    NONE = "none"
    """nothing: voltages are kept without it"""
    DECLARED = "declared"
    """voltages are kept with the share of inverters that an engineer declares to follow their curve"""
    MEASURED = "measured"
    """the same, with the share that was measured to follow"""


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

    def tan_phi_of(self, count: int) -> float | Real:
        """Var that controllable generation is known to absorb per W it feeds: the same, or (C,)."""
        return self.tan_phi

    def unsure_tan_phi_of(self, count: int) -> float | Real:
        """Var per W that generation may absorb in addition, or not: the same, or (C,)."""
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
    follows: Mask | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    """(C,) whose generation keeps it; the others may keep it or not, and both are counted; None: all keep it"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "power_factor": Numbers(low=0.0, above=True, high=1.0),
        "absorbing": Numbers(of=bool),
        "behind_meter": Numbers(of=bool),
        "follows": Numbers("C", of=bool),
    }

    @property
    def rule(self) -> str:
        """Such as "power factor 0.95 absorbing"."""
        return f"power factor {self.power_factor:g} {'absorbing' if self.absorbing else 'producing'}"

    @property
    def said(self) -> str:
        """Generation keeps it, or so many connections of all do."""
        return f"generation at {self.rule}{_where(self.follows)}" + (", behind meters too" if self.behind_meter else "")

    @property
    def hidden_var(self) -> float:
        """Var per W that generation feeds and a load takes behind the same meter, produced positive."""
        return -self.tan_phi if self.behind_meter else 0.0

    def tan_phi_of(self, count: int) -> float | Real:
        """Zero for connections whose generation does not keep the power factor for sure."""
        return self.tan_phi if self.follows is None else np.where(self.follows, self.tan_phi, 0.0)

    def unsure_tan_phi_of(self, count: int) -> float | Real:
        """The power factor's, for connections whose generation does not keep it for sure."""
        return 0.0 if self.follows is None else np.where(self.follows, 0.0, self.tan_phi)

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
    follows: Mask | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    """(C,) whose inverters keep it; the others may produce or absorb as much, or nothing; None: all keep it"""

    RULES: ClassVar[Mapping[str, Rule]] = {"var": Numbers("one or C"), "follows": Numbers("C", of=bool)}

    @property
    def rule(self) -> str:
        """Its name."""
        return "constant var"

    @property
    def said(self) -> str:
        """Inverters keep it, or those of so many connections do."""
        return f"constant var as given{_where(self.follows)}"

    def constant_var(self, count: int) -> Real:
        """As given, where it is kept for sure."""
        return np.broadcast_to(self.var if self.follows is None else np.where(self.follows, self.var, 0.0), (count,))

    def free_var(self, count: int) -> Real:
        """As much, where it is not kept for sure."""
        unsure = 0.0 if self.follows is None else np.where(self.follows, 0.0, np.abs(self.var))
        return np.broadcast_to(unsure, (count,))


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


class CreditedResponse(AsForecast):
    """Response of inverters to their own voltage, credited to voltages for the share of inverters that follow."""

    credit: Credit
    curve: Curve | None
    measured_share: Real | None
    declared_share: float
    declared_by: str
    follows: Mask | None
    kind: ClassVar[str]
    """such as "volt-var" """
    OF_CREDIT: ClassVar[Mapping[str, Rule]] = {
        "credit": OneOf(Credit),
        "curve": InstanceOf(Curve),
        "reference_v": Numbers(low=0.0, above=True),
        "measured_share": Numbers("one or C", low=0.0, high=1.0),
        "declared_share": Numbers(low=0.0, high=1.0),
        "declared_by": InstanceOf(str),
        "follows": Numbers("C", of=bool),
    }
    """rules of the fields that every credited response has"""

    def __post_init__(self) -> None:
        validate(self)
        if self.credit is not Credit.NONE and self.curve is None:
            raise BadProblem(f"curve: {self.kind} credited as {self.credit} needs it")
        if (self.measured_share is not None) != (self.credit is Credit.MEASURED):
            raise BadProblem("measured_share: goes with credit measured, and only with it")
        if self.credit is not Credit.DECLARED and (self.declared_by or self.declared_share != 1.0):
            raise BadProblem("declared_share and declared_by: go with credit declared, and only with it")
        if self.declared_share != 1.0 and not self.declared_by.strip():
            raise BadProblem("declared_by: a declared share bears the name of the engineer who declares it")

    @property
    def rule(self) -> str:
        """Its name and credit."""
        return self.kind if self.credit is Credit.NONE else f"{self.kind} as {self.credit}"

    @property
    def said(self) -> str:
        """Wording of the credit: who declared it, and which share of inverters is counted to follow."""
        if self.credit is Credit.NONE:
            return f"{self.kind} counted, not credited"
        said = f"{self.kind} credited to voltages as {self.credit}"
        if self.measured_share is not None:
            part = 100.0 * float(np.mean(self.measured_share))
            return f"{said} for {part:.0f} % of inverters{_where(self.follows)}"
        by = f" by {self.declared_by}" if self.declared_by else ""
        share = f" for {100.0 * self.declared_share:g} % of inverters" if by else ""
        return f"{said}{by}{share}{_where(self.follows)}"

    def credited_share(self, count: int) -> Real:
        """(C,) share of inverters that voltages may count on, 0..1."""
        if self.credit is Credit.NONE:
            return np.zeros(count)
        share = self.declared_share if self.measured_share is None else self.measured_share
        seen = 1.0 if self.follows is None else self.follows
        return np.broadcast_to(np.asarray(share * np.asarray(seen, dtype=float)), (count,))


def _where(follows: Mask | None) -> str:
    """At how many connections inverters were seen to follow; empty where that is not known."""
    return "" if follows is None else f" at {np.count_nonzero(follows)} of {len(follows)} connections"


@dataclass(frozen=True, eq=False)
class VoltVar(CreditedResponse):
    """Inverters answer their own voltage by vars. Currents always count all of it; voltages the credited share."""

    most_var: Real
    """(C,) most that each connection's inverters produce or absorb by themselves, at full active power too"""
    credit: Credit = Credit.NONE
    curve: Curve | None = None
    """share of `most_var` produced, by voltage in per unit of `reference_v`; needed for any credit"""
    reference_v: float = 230.0
    measured_share: Real | None = None
    """(C,) share of inverters that was measured to follow, 0..1; for `Credit.MEASURED`"""
    declared_share: float = field(default=1.0, metadata=UNSAID_BY_DEFAULT)
    """share of inverters that follow, 0..1; for `Credit.DECLARED`"""
    declared_by: str = field(default="", metadata=UNSAID_BY_DEFAULT)
    """the engineer who declares it"""
    follows: Mask | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    """(C,) whose inverters may be credited: the mode is enabled, and nothing measured contradicts it; None: all"""

    kind: ClassVar[str] = "volt-var"
    RULES: ClassVar[Mapping[str, Rule]] = {
        "most_var": Numbers("one or C", low=0.0),
        **CreditedResponse.OF_CREDIT,
    }

    def answer_var(self, count: int) -> Real:
        """As given."""
        return np.broadcast_to(self.most_var, (count,))

    def credited_var(self, count: int) -> Real:
        """(C,) size of the response that voltages may count on."""
        return np.asarray(self.credited_share(count) * self.answer_var(count))


@dataclass(frozen=True, eq=False)
class VoltWatt(CreditedResponse):
    """Inverters reduce what they feed in answer to their own voltage. Currents never count that; voltages its share."""

    size_w: Real
    """(C,) rating of each connection's inverters, W"""
    credit: Credit = Credit.NONE
    curve: Curve | None = None
    """share of `size_w` that may be fed, by voltage in per unit of `reference_v`; needed for any credit"""
    reference_v: float = 230.0
    measured_share: Real | None = None
    """(C,) share of inverters that was measured to follow, 0..1; for `Credit.MEASURED`"""
    declared_share: float = 1.0
    """share of inverters that follow, 0..1; for `Credit.DECLARED`"""
    declared_by: str = ""
    """the engineer who declares it"""
    follows: Mask | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    """(C,) whose inverters may be credited: the mode is enabled, and nothing measured contradicts it; None: all"""

    kind: ClassVar[str] = "volt-watt"
    RULES: ClassVar[Mapping[str, Rule]] = {
        "size_w": Numbers("one or C", low=0.0),
        **CreditedResponse.OF_CREDIT,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        shares = () if self.curve is None else [share for _, share in self.curve.points]
        if any(not 0.0 <= share <= 1.0 for share in shares) or list(shares) != sorted(shares, reverse=True):
            raise BadProblem("curve: a volt-watt curve falls from at most 1 to at least 0 as the voltage rises")
        if self.credit is Credit.DECLARED and not self.declared_by.strip():
            raise BadProblem("declared_by: a declared share bears the name of the engineer who declares it")
