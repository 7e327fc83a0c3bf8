"""Result of a calculation: limits per connection and interval, and the binding of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envelope.problem import Direction
from envelope.schedule.codes import CAPACITY, STATUS, UNCONTROLLED, special_bindings
from envelope.schedule.columns import Column
from gridmodel.arrays import Index, Mask, Real, Single, Watts
from gridmodel.model.devices import CHARGER

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Binding:
    """The binding constraint of each limit, per step and connection, for one direction."""

    row: Index
    """(T, C) position in `names`, or CAPACITY, NETWORK, NEXT, UNCONTROLLED or CEILING"""
    interval: Index
    """(T, C) the interval whose constraint it is; a later one when a tightening comes early"""

    @property
    def is_network(self) -> Mask:
        """(T, C) whether network or policy bind the limit, rather than capacity or missing control."""
        return np.asarray((self.row != CAPACITY) & (self.row != UNCONTROLLED))


class ScheduleSide(NamedTuple):
    """Export or import of a schedule. Watts, positive in the direction; T steps, C connections."""

    direction: Direction
    limit_w: Watts
    """(T, C) net limits"""
    room_w: Real
    """(T, C) headroom beyond the base load that was verified"""
    capacity_w: Real
    """(T, C) net power that the connection could reach"""
    binding: Binding
    default_w: Watts
    """(C,)"""
    least_w: Watts | None
    """(T, C) what a limit is never below; None: not known"""


class Infeasibility(NamedTuple):
    """Limits of one box that are broken before anything is allocated; R of them."""

    names: tuple[str, ...]
    """(R,) such as "over-voltage at node n12, phase b" """
    base: Mask
    """(T, R) broken by the base load alone"""
    firm: Mask
    """(T, R) broken by the firm minimum, and not by the base load alone"""
    excess: Single
    """(T, R) of the base load over the limit, V or percent of the rating"""
    slack_unit: Single
    """(R,) V, or percent of the rating, that count alike: 1, or as much per unit at another voltage level"""


@dataclass(frozen=True, eq=False)
class EnvelopeSchedule:
    """Limits of one feeder over one horizon. C connections, T steps; whole watts, import and export both positive."""

    connection_id: tuple[str, ...]
    step_start: NDArray[np.int64]
    step_s: int
    import_limit_w: Watts
    export_limit_w: Watts
    """(T, C) net limits at the connection"""
    gen_limit_w: Watts
    load_limit_w: Watts
    """(T, C) the same for clients that see only their own device: what remains after the base load's band"""
    firm_import_w: Watts
    firm_export_w: Watts
    """(C,)"""
    default_import_w: Watts
    default_export_w: Watts
    """(C,) DefaultDERControl under which every state in between was counted"""
    import_room_w: Real
    export_room_w: Real
    """(T, C) headroom beyond the base load that was verified: what a connection can in fact use"""
    import_reach_w: Real
    export_reach_w: Real
    """(T, C) net power that the connection could reach"""
    status: NDArray[np.int8]
    """(T, C) position in STATUS"""
    names: tuple[str, ...]
    """constraints by name, such as "over-voltage at node n12, phase b" """
    import_binding: Binding
    export_binding: Binding
    guarantee: str
    allocation: str
    reference: str
    margin_v: float
    run_id: str
    figures: dict[str, float] = field(default_factory=dict)
    """power flows solved, rounds, seconds per part, Jain's index, least share"""
    findings: tuple[str, ...] = ()
    """what a person should know before publishing"""
    early_s: int = 0
    """how long before its interval the publication of a tightening begins"""
    import_least_w: Watts | None = None
    export_least_w: Watts | None = None
    """(T, C) what a limit is never below: the contract minimum, and what the base load needs; None: the former"""
    double_counted: Mask | None = None
    """(C,) whose base load was measured with their devices in it; None: none of them"""
    control_point: tuple[str, ...] | None = None
    """(C,) `site`, `device` or `charger`, whose default of import is one of load; None: site"""
    reactive: tuple[Watts, Watts] | None = None
    """(T, C) and (T, C) least and most var that were counted, produced positive; None: not considered"""
    pf_rule: str = "not considered"
    """name of the reactive power policy"""
    infeasibility: tuple[Infeasibility, ...] = field(default=(), repr=False)
    """per box that was calculated; empty on a schedule that was not"""
    firm_corners: tuple[tuple[Single, Single], ...] = field(default=(), repr=False)
    """corners, as (L,) parts of headroom up and down, of the limits that the firm minimum breaks"""

    @property
    def steps(self) -> int:
        """Number of steps, T."""
        return len(self.step_start)

    def side(self, direction: str) -> ScheduleSide:
        """One direction."""
        if direction == Direction.EXPORT:
            own = self.export_limit_w, self.export_room_w, self.export_reach_w, self.export_binding
            return ScheduleSide(Direction.EXPORT, *own, self.default_export_w, self.export_least_w)
        own = self.import_limit_w, self.import_room_w, self.import_reach_w, self.import_binding
        return ScheduleSide(Direction.IMPORT, *own, self.default_import_w, self.import_least_w)

    @property
    def is_charger(self) -> Mask:
        """(C,) whether import is limited as load of a charger."""
        points = self.control_point or ("",) * len(self.connection_id)
        return np.array([point == CHARGER for point in points], dtype=bool)

    def kept_limit_w(self, direction: str) -> Watts:
        """(T, C) limits that clients with net limits keep: of import and export; of load at a charger."""
        if direction == Direction.EXPORT:
            return self.export_limit_w
        chargers = self.is_charger
        return np.where(chargers, self.load_limit_w, self.import_limit_w) if chargers.any() else self.import_limit_w

    def to_frame(self, *, merged: bool = False) -> pd.DataFrame:
        """One row per connection and interval, as documented in docs/envelope.md; merged: equal neighbours are one."""
        from envelope.schedule.table import frame

        return frame(self.columns(), merged=merged)

    def columns(self) -> dict[str, Column]:
        """Those of the table, ordered by connection and start."""
        steps, count = self.import_limit_w.shape
        control_point = self.control_point or ("site",) * count
        double = np.zeros(count, dtype=bool) if self.double_counted is None else self.double_counted
        status = np.array(STATUS, dtype=object)[_tall(self.status)]
        return {
            "connection_point": Column(np.repeat(np.array(self.connection_id, dtype=object), steps)),
            "start": Column(np.tile(self.step_start, count), "start"),
            "duration": Column(np.full(steps * count, self.step_s), "duration"),
            "control_point": Column(np.repeat(control_point, steps), "category"),
            "import_limit_w": Column(_tall(self.import_limit_w)),
            "export_limit_w": Column(_tall(self.export_limit_w)),
            "gen_limit_w": Column(_tall(self.gen_limit_w)),
            "load_limit_w": Column(_tall(self.load_limit_w)),
            "firm_import_w": Column(np.repeat(self.firm_import_w, steps)),
            "firm_export_w": Column(np.repeat(self.firm_export_w, steps)),
            "q_min_var": Column(self._var(0), "count"),
            "q_max_var": Column(self._var(1), "count"),
            "pf_rule": Column([self.pf_rule] * (steps * count), "category"),
            "import_binding": self._binding_names("import", self.import_binding.row),
            "export_binding": self._binding_names("export", self.export_binding.row),
            "status": Column(status, "category", STATUS),
            "double_counted": Column(np.repeat(double, steps)),
            "guarantee": Column([self.guarantee] * (steps * count), "category"),
            "allocation": Column([self.allocation] * (steps * count), "category"),
            "margin_v": Column(np.full(steps * count, self.margin_v, dtype=np.float32)),
            "run_id": Column(self.run_id),
        }

    def file_columns(self) -> dict[str, Column]:
        """Those of a limits file: the table's, and what else a schedule is read back from (`limits_file.read`)."""
        return self.columns() | {
            "default_import_w": Column(np.repeat(self.default_import_w, self.steps)),
            "default_export_w": Column(np.repeat(self.default_export_w, self.steps)),
            "reference": Column(self.reference),
            "early_s": Column(self.early_s),
            "step_s": Column(self.step_s),
        }

    def _var(self, which: int) -> Any:
        """Least or most var; missing where they were not considered."""
        return [None] * self.import_limit_w.size if self.reactive is None else _tall(self.reactive[which])

    def _binding_names(self, direction: str, row: Index) -> Column:
        """Bindings by name, as categories in the order of their codes."""
        others = special_bindings(direction)
        names = [*self.names, *(others[-1 - k] for k in range(len(others)))]
        code = np.where(row < 0, len(self.names) - 1 - row, row)
        used, position = np.unique(_tall(code), return_inverse=True)
        wanted = [names[k] for k in used]
        categories = tuple(dict.fromkeys(wanted))
        return Column(np.array(wanted, dtype=object)[position], "category", categories)

    def binding_text(self, direction: str, step: int, connection: int) -> str:
        """Name of what holds back one limit, or "capacity"."""
        return self.name_of(direction, int(self.side(direction).binding.row[step, connection]))

    def name_of(self, direction: str, row: int) -> str:
        """Name of a constraint, or of a binding that is none."""
        return self.names[row] if row >= 0 else special_bindings(direction)[row]


def _tall(table: NDArray[Any]) -> NDArray[Any]:
    """(C * T,) of a (T, C) table: all steps of the first connection, then of the next."""
    return np.asarray(table).T.ravel()


def whole_w_below(value: Real) -> Watts:
    """Whole watts, rounded down; what is within a millionth of a whole watt counts as whole."""
    return np.floor(value + 1e-6).astype(np.int64)


def whole_w_above(value: Real) -> Watts:
    """Whole watts, rounded up."""
    return np.ceil(value - 1e-6).astype(np.int64)
