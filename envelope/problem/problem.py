"""The question of a calculation: network, base load, capacity of each connection, limits and policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from envelope.field_rules import (
    UNKNOWN,
    UNSAID_BY_DEFAULT,
    BadProblem,
    InstanceOf,
    ListOf,
    Numbers,
    OneOf,
    Rule,
    Strings,
    consecutive,
    validate,
)
from envelope.problem import phase_split as splits
from envelope.problem.declaration import refuse_band
from envelope.problem.groups import GroupLimit
from envelope.problem.guarantees import GUARANTEES
from envelope.problem.limits import OperatingLimits, voltage_levels
from envelope.problem.margins import Margin
from envelope.problem.policies import Allocation, Direction, Guarantee, ShareReference, TighteningLead
from envelope.problem.reactive import AsForecast
from envelope.problem.scenarios import Scenarios
from envelope.problem.sides import ProblemSide
from envelope.problem.steps import zeros_or
from gridmodel.arrays import Complex, Mask, Real
from gridmodel.flow.kron import Reduced
from gridmodel.model.devices import CHARGER, CONTROL_POINTS, SITE


@dataclass(frozen=True, eq=False)
class Problem:
    """One horizon of one feeder. C connections in the network's order, T steps. Watts; import and export both positive.

    A connection's net power is its base load (what is not controlled), less controllable generation, plus controllable
    load. Capacity says how far the controllable part can go in each step; a guarantee covers what can be reached.
    """

    reduced: Reduced
    """the feeder, reduced to its connections (`gridmodel.reduce.reduce(network)`)"""
    step_start: NDArray[np.int64]
    """(T,) epoch seconds"""
    step_s: int
    """length of a step, seconds"""
    base_load_w: Real
    """(T, C) forecast of what is not controlled, import positive (negative where passive generation exports)"""
    base_load_var: Real
    """(T, C) its reactive power, consumption positive"""
    flex_gen_w: Real
    """(T, C) most that controllable generation can feed (clear-sky ceiling, not nameplate; storage discharge)"""
    flex_load_w: Real
    """(T, C) most that controllable load can draw (charging only when a vehicle can be there; storage charge)"""
    base_load_lo_w: Real | None = None
    base_load_hi_w: Real | None = None
    """(T, C) each connection's own band around its base load; default: the forecast itself"""
    base_sigma_w: Real | None = None
    """(T, C) or (C,) standard deviation of independent forecast errors, for the aggregate margin of the constraints"""
    base_z: float = 0.0
    """how many standard deviations of the aggregate the constraints keep clear of"""
    margins: tuple[Margin, ...] = ()
    """what else is not known for sure, such as `margins.HeadVoltageMargin`"""
    source_v: Complex | None = None
    """(3,) or (T, 3) V; default the network's own"""
    scenarios: Scenarios | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    """joint paths of base load and head voltage that limits hold for, beside the base load itself"""
    firm_import_w: Real | None = None
    firm_export_w: Real | None = None
    """(C,) contract minimum that is always granted; default 0"""
    default_import_w: Real | None = None
    default_export_w: Real | None = None
    """(C,) DefaultDERControl already set, counted as if in force; None: the schedule computes a safe one"""
    in_force_import_w: Real | None = None
    in_force_export_w: Real | None = None
    """(C,) limits that clients may still hold as the first step begins; None: none are"""
    in_force_until: int | None = None
    """epoch seconds until which they may; None: `adoption_s` after the first step begins"""
    contract_import_w: Real | None = None
    contract_export_w: Real | None = None
    """(C,) only for `Reference.CONTRACT`"""
    favour_import: Real | None = None
    favour_export: Real | None = None
    """(C,) how much more than its plain share each gets, to make up for the past; default 1"""
    adoption_s: int = 300
    """within this time every client has taken up a new limit (the longest time between two polls, and the ramp)"""
    early: TighteningLead = TighteningLead.STEP
    """how far before its interval a tightening is published"""
    reactive: AsForecast = field(default_factory=AsForecast)
    """what is taken for granted about vars: one of the policies of `envelope.problem.reactive`"""
    control_point: Sequence[str] | None = None
    """(C,) `site` where a client keeps net limits, `device` where it sees only its own device, `charger` where it keeps
    the net export limit and a limit of the flexible load, which default, in-force and published limits refer to there,
    so that no limit bounds the home's own demand; default site"""
    controls_import: Mask | None = None
    controls_export: Mask | None = None
    """(C,) whether that direction can be limited at all; where it can not, all of its capacity counts; default True"""
    flex_split: Sequence[str] | None = None
    """(C,) how flexible power stands on the phases: `balanced` (default), a port such as `a`, or `unknown`"""
    base_includes_devices: Mask | None = None
    """(C,) whose base load was measured with their own controllable devices in it: what those reach counts twice"""
    groups: tuple[GroupLimit, ...] = ()
    """limits on the sum of some connections (`envelope.problem.groups.GroupLimit`)"""
    limits: OperatingLimits = field(default_factory=OperatingLimits)
    guarantee: Guarantee = Guarantee.TWO_SIDED
    allocation: Allocation = Allocation.MAX_MIN
    reference: ShareReference = ShareReference.CAPACITY
    alpha: float = 2.0
    """only for alpha-fair"""
    max_min_floor: float = field(default=0.0, metadata=UNSAID_BY_DEFAULT)
    """part of its max-min share, 0 to 1, below which no connection goes under a rule of sums or logarithms"""
    ceiling_import_w: Real | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    ceiling_export_w: Real | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    """(T,) or (T, C) most net power that the policy grants, inf: all; firm and unavoidable power is granted anyhow"""
    floor_import_w: Real | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    floor_export_w: Real | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    """(T, C) limits that were verified together before: each gets at least that, as far as it can be reached"""
    weight_import: Real | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    weight_export: Real | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    """(T,) or (T, C) worth of a direction's shares in each step; default 1"""
    declared_share: float | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    """only for `Guarantee.DECLARED_BAND`: part of what limit and sun allow below which no home's generation falls"""
    declared_by: str = field(default="", metadata=UNSAID_BY_DEFAULT)
    """the engineer who turned that guarantee on for this feeder"""
    fleets: Sequence[str] | None = field(default=None, metadata=UNSAID_BY_DEFAULT)
    """(C,) name of the aggregator whose fleet each connection belongs to; empty: of none"""

    RULES: ClassVar[Mapping[str, Rule]] = {
        "step_s": Numbers(of=int, low=0, above=True),
        "step_start": Numbers("T", of=int),
        "base_load_w": Numbers("TC"),
        "base_load_var": Numbers("TC"),
        "flex_gen_w": Numbers("TC", low=0.0),
        "flex_load_w": Numbers("TC", low=0.0),
        "base_load_lo_w": Numbers("TC"),
        "base_load_hi_w": Numbers("TC"),
        "base_sigma_w": Numbers("C or TC", low=0.0),
        "base_z": Numbers(low=0.0),
        "margins": ListOf(Margin),
        "source_v": Numbers("3 or T3", of=complex, low=0.0, above=True),
        "scenarios": InstanceOf(Scenarios),
        **{
            f"{name}_{direction}_w": Numbers("C", low=0.0)
            for name in ("firm", "default", "in_force", "contract")
            for direction in ("import", "export")
        },
        "in_force_until": Numbers(of=int),
        "favour_import": Numbers("C", low=0.0, above=True),
        "favour_export": Numbers("C", low=0.0, above=True),
        "adoption_s": Numbers(of=int, low=0),
        "early": OneOf(TighteningLead),
        "reactive": InstanceOf(AsForecast),
        "control_point": Strings(CONTROL_POINTS),
        "controls_import": Numbers("C", of=bool),
        "controls_export": Numbers("C", of=bool),
        "flex_split": Strings(),
        "base_includes_devices": Numbers("C", of=bool),
        "groups": ListOf(GroupLimit),
        "limits": InstanceOf(OperatingLimits),
        "guarantee": OneOf(Guarantee),
        "allocation": OneOf(Allocation),
        "reference": OneOf(ShareReference),
        "alpha": Numbers(low=0.0, above=True),
        "max_min_floor": Numbers(low=0.0, high=1.0),
        "ceiling_import_w": Numbers("T or TC", low=0.0, high=np.inf),
        "ceiling_export_w": Numbers("T or TC", low=0.0, high=np.inf),
        "floor_import_w": Numbers("TC", low=0.0),
        "floor_export_w": Numbers("TC", low=0.0),
        "weight_import": Numbers("T or TC", low=0.0, above=True),
        "weight_export": Numbers("T or TC", low=0.0, above=True),
        "declared_share": Numbers(low=0.0, above=True, high=1.0),
        "declared_by": InstanceOf(str),
        "fleets": Strings(),
    }

    def __post_init__(self) -> None:
        InstanceOf(Reduced)("reduced", self.reduced)
        if not self.connection_id:
            raise BadProblem("reduced: the network has no connections")
        starts = self.RULES["step_start"]("step_start", self.step_start, UNKNOWN)
        validate(self, {**UNKNOWN, "T": len(starts), "C": self.connection_id})
        object.__setattr__(self, "limits", self.limits.at_levels(voltage_levels(self.reduced)))
        self._refuse_together()

    def _refuse_together(self) -> None:
        """Refuse combinations of fields that exclude each other."""
        # Some steps of a day are a problem too, but none may begin before the last one is over.
        consecutive("step_start", self.step_start, self.step_s)
        for group in self.groups:
            if strange := [name for name in group.connections if name not in self.connection_id]:
                raise BadProblem(f"groups: {group.name}: connections: {strange[0]!r} is not in the network")
        if self.reference is ShareReference.CONTRACT:
            for name in ("contract_import_w", "contract_export_w"):
                if getattr(self, name) is None:
                    raise BadProblem(f"{name}: is needed where reference is contract")
        if fault := splits.fault(self.reduced.network.connections, self.flex_split):
            raise BadProblem(fault)
        refuse_band(self.guarantee, self.declared_share, self.declared_by, balanced=splits.balanced(self.flex_split))
        if GUARANTEES[self.guarantee].common_level:
            self._refuse_at_common_level(GUARANTEES[self.guarantee].allocations)

    def _refuse_at_common_level(self, allocations: Sequence[Allocation]) -> None:
        if self.allocation not in allocations:
            known = " or ".join(allocations)
            raise BadProblem(f"allocation: {self.guarantee} limits are one common level: allocate them {known}")
        if not splits.balanced(self.flex_split):
            raise BadProblem(f"flex_split: {self.guarantee} limits are one level of balanced power")

    def for_any_combination(self) -> Problem:
        """The same problem under the guarantee that covers any combination."""
        return replace(self, guarantee=Guarantee.TWO_SIDED, declared_share=None, declared_by="")

    def controlled(self, direction: str) -> Mask:
        """(C,) whether import, or export, can be limited."""
        value = self.controls_import if direction == Direction.IMPORT else self.controls_export
        return np.ones(len(self.connection_id), dtype=bool) if value is None else np.asarray(value)

    def side(self, direction: str) -> ProblemSide:
        """Fields of one direction."""
        exports, count = direction == Direction.EXPORT, len(self.connection_id)
        unavoidable_w = np.maximum(-self.load_lo_w if exports else self.load_hi_w, 0.0)
        ceiling_w = self._by_step(self.ceiling_export_w if exports else self.ceiling_import_w)
        capacity_w, beside_w = self.reach_export_w if exports else self.reach_import_w, np.zeros(unavoidable_w.shape)
        if not exports and (chargers := self.is_charger).any():
            if ceiling_w is not None:
                ceiling_w = np.where(chargers, np.maximum(ceiling_w - unavoidable_w, 0.0), ceiling_w)
            capacity_w = np.where(chargers, self.flex_load_w + self.base_load_w, capacity_w)
            beside_w = np.where(chargers, self.base_load_w, 0.0)
            unavoidable_w = np.where(chargers, 0.0, unavoidable_w)
        return ProblemSide(
            direction=Direction(direction),
            flex_w=self.flex_gen_w if exports else self.flex_load_w,
            capacity_w=capacity_w,
            beside_w=beside_w,
            unavoidable_w=unavoidable_w,
            firm_w=zeros_or(self.firm_export_w if exports else self.firm_import_w, count),
            default_w=self.default_export_w if exports else self.default_import_w,
            in_force_w=self.in_force_export_w if exports else self.in_force_import_w,
            contract_w=self.contract_export_w if exports else self.contract_import_w,
            favour=self._favour(direction),
            ceiling_w=ceiling_w,
            floor_w=self.floor_export_w if exports else self.floor_import_w,
            controlled=self.controlled(direction),
        )

    def _favour(self, direction: str) -> Real | None:
        """(C,) or (T, C) weight of shares: that of the past, times that of the hour; None: all the same."""
        exports = direction == Direction.EXPORT
        past = self.favour_export if exports else self.favour_import
        hour = self._by_step(self.weight_export if exports else self.weight_import)
        return past if hour is None else hour if past is None else np.asarray(hour * past)

    def _by_step(self, value: Real | None) -> Real | None:
        """(T, C) of a value per step, or per step and connection."""
        if value is None:
            return None
        return np.broadcast_to(value[:, None] if value.ndim == 1 else value, (self.steps, len(self.connection_id)))

    @property
    def is_charger(self) -> Mask:
        """(C,) whether import is limited as load of a charger."""
        return np.array([point == CHARGER for point in self.control_points], dtype=bool)

    @property
    def control_points(self) -> tuple[str, ...]:
        """(C,) `site`, `device` or `charger`."""
        return (SITE,) * len(self.connection_id) if self.control_point is None else tuple(self.control_point)

    @property
    def connection_id(self) -> tuple[str, ...]:
        """(C,) names of the connections."""
        return self.reduced.network.connections.id

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return len(self.step_start)

    @property
    def load_lo_w(self) -> Real:
        """(T, C) least base load."""
        least = self.base_load_w if self.base_load_lo_w is None else np.minimum(self.base_load_lo_w, self.base_load_w)
        return least if self.scenarios is None else np.minimum(least, self.scenarios.load_lo_w)

    @property
    def load_hi_w(self) -> Real:
        """(T, C) most base load."""
        most = self.base_load_w if self.base_load_hi_w is None else np.maximum(self.base_load_hi_w, self.base_load_w)
        return most if self.scenarios is None else np.maximum(most, self.scenarios.load_hi_w)

    @property
    def reach_export_w(self) -> Real:
        """(T, C) most net export that can be reached; negative where the base load exceeds all generation."""
        return self.flex_gen_w - self.load_lo_w

    @property
    def reach_import_w(self) -> Real:
        """(T, C) most net import that can be reached."""
        return self.flex_load_w + self.load_hi_w

    @property
    def hull_steps(self) -> int:
        """How many earlier steps' limits may still be in force somewhere."""
        return max(1, -(-self.adoption_s // self.step_s)) if self.adoption_s > 0 else 0

    @property
    def steps_ahead(self) -> int:
        """How many later steps an interval's own limit may not exceed."""
        return self.hull_steps if self.early == TighteningLead.STEP else 0

    @property
    def has_held(self) -> bool:
        """Whether limits of an earlier run are counted."""
        return self.in_force_import_w is not None or self.in_force_export_w is not None

    @property
    def steps_tightened_early(self) -> int:
        """How many of the first steps take over a tighter limit of the next: all, or while earlier limits are held."""
        if self.early == TighteningLead.STEP:
            return self.steps
        return self.in_force_steps if self.has_held else 0

    @property
    def in_force_steps(self) -> int:
        """In how many of the first steps `in_force_*` may still be held somewhere."""
        if self.in_force_until is None:
            return self.hull_steps
        return int(np.searchsorted(self.step_start, self.in_force_until))
