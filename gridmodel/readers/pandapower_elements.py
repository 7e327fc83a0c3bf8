"""Three-winding transformers, switches with an impedance, impedances and shunts of a pandapower network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from gridmodel.model.admittance import sequence_matrix
from gridmodel.model.equipment import Capacitor, Line, Node, Transformer
from gridmodel.readers.pandapower_tables import closed, magnetising, names_of, tap_of
from gridmodel.readers.tables import Row, Table

SIDES = ("hv", "mv", "lv")
SWITCH, IMPEDANCE = "switch", "impedance"
"""line types of what has no length"""
SWITCH_R_OVER_X = 2.0  # pandapower's own ratio for a switch that has an impedance
Nodes = Callable[[Row, str], str]
"""name of the node that a field points to"""


def star_node(name: str) -> str:
    """The inner node of a three-winding transformer."""
    return f"{name} star"


def three_windings(
    table: Table, node: Nodes, open_ends: set[tuple[int, int]]
) -> Iterator[tuple[Node, list[Transformer]]]:
    """Each three-winding transformer as its inner node and a two-winding transformer per winding, as in pandapower."""
    names = names_of(table, "trafo3w")
    for row in table:
        if row.flag("in_service", True):
            name, volts = names[row.position], row.positive("vn_hv_kv") * 1e3
            switches = closed(row, tuple(f"{side}_bus" for side in SIDES), open_ends)
            parts = [
                _winding(row, side, name, node) for side, is_closed in zip(SIDES, switches, strict=True) if is_closed
            ]
            yield Node(star_node(name), volts / math.sqrt(3)), parts


def _winding(row: Row, side: str, name: str, node: Nodes) -> Transformer:
    r, x = _star(row)[side]
    at, star = node(row, f"{side}_bus"), star_node(name)
    tapped = row.text("tap_side", "hv") == side
    ratio, tap = tap_of(row) if tapped else (1.0, 0)
    if tap and row.flag("tap_at_star_point", False):
        raise row.wrong("tap_at_star_point", "tap changers at the star point are not supported")
    lossy = row.text("loss_side", "hv") == side
    return Transformer(
        id=f"{name} {side}",
        hv_node=at if side == "hv" else star,
        lv_node=star if side == "hv" else at,
        s_rated_va=row.positive(f"sn_{side}_mva") * 1e6,
        hv_v=row.positive("vn_hv_kv") * 1e3,
        lv_v=row.positive(f"vn_{side}_kv") * 1e3,
        z1_pu=complex(r, x),
        z0_pu=complex(r, x),
        connection="YNyn",
        shift_degree=row.number(f"shift_{side}_degree", 0.0) if side != "hv" else 0.0,
        tap_ratio=ratio,
        tap_side="hv" if side == "hv" else "lv",
        magnetising_pu=magnetising(row, f"sn_{side}_mva") if lossy else 0j,
        zero_sequence_given=False,
        tap=tap,
        tap_min=int(row.number("tap_min", 0.0)) if tapped else 0,
        tap_max=int(row.number("tap_max", 0.0)) if tapped else 0,
        tap_step_percent=row.number("tap_step_percent", 0.0) if tapped else 0.0,
    )


def _star(row: Row) -> dict[str, tuple[float, float]]:
    """(r, x) per unit of each winding on its own rating: the star of the three measured pairs."""
    sn = {side: row.positive(f"sn_{side}_mva") for side in SIDES}
    pairs = {"hv": ("hv", "mv"), "mv": ("mv", "lv"), "lv": ("hv", "lv")}
    r, x = {}, {}
    for side, (first, second) in pairs.items():
        scale = sn["hv"] / min(sn[first], sn[second]) / 100
        total, real = row.positive(f"vk_{side}_percent") * scale, row.number(f"vkr_{side}_percent", 0.0) * scale
        if abs(real) > total:
            raise row.wrong(f"vk_{side}_percent", "is less than its real part")
        r[side], x[side] = real, math.sqrt(total**2 - real**2)
    found = {}
    for side, add, less in (("hv", "lv", "mv"), ("mv", "hv", "lv"), ("lv", "mv", "hv")):
        part = 0.5 * sn[side] / sn["hv"]
        found[side] = tuple(part * (z[side] + z[add] - z[less]) for z in (r, x))
    return {side: (pair[0], pair[1]) for side, pair in found.items()}


def switches_with_impedance(table: Table, node: Nodes, in_service: Callable[[Row], bool]) -> Iterator[Line]:
    """Closed switches between buses that have an impedance, as lines of one metre."""
    names = names_of(table, "switch")
    for row in table:
        if row.text("et") == "b" and row.flag("closed", True) and row.number("z_ohm", 0.0) > 0 and in_service(row):
            share = complex(SWITCH_R_OVER_X, 1.0) / math.hypot(SWITCH_R_OVER_X, 1.0)
            z = np.eye(3, dtype=np.complex128) * row.number("z_ohm") * share
            rating_a = row.number("in_ka", math.nan) * 1e3
            ends = node(row, "bus"), node(row, "element")
            yield Line(names[row.position], *ends, "abc", 1.0, z, np.zeros_like(z), rating_a, SWITCH)


def impedances(table: Table, node: Nodes, base_v: Callable[[Row, str], float]) -> Iterator[Line]:
    """Impedances in per unit between two buses of one voltage, as lines of one metre."""
    names = names_of(table, "impedance")
    for row in table:
        if not row.flag("in_service", True):
            continue
        for part in ("", "0"):
            _both_ways(row, part)
        for field in ("gf_pu", "gt_pu", "bf_pu", "bt_pu"):
            if row.number(field, 0.0):
                raise row.wrong(field, "shunts of an impedance are not supported")
        volts = base_v(row, "from_bus")
        if abs(volts / base_v(row, "to_bus") - 1.0) > 1e-9:
            raise row.wrong("to_bus", "an impedance between two nominal voltages is not supported")
        base = 3 * volts**2 / (row.positive("sn_mva") * 1e6)
        z1 = complex(row.number("rft_pu"), row.number("xft_pu")) * base
        given = "rft0_pu" in row and "xft0_pu" in row
        z0 = complex(row.number("rft0_pu"), row.number("xft0_pu")) * base if given else z1
        ends = node(row, "from_bus"), node(row, "to_bus")
        z = sequence_matrix(z0, z1)
        yield Line(
            names[row.position], *ends, "abc", 1.0, z, np.zeros_like(z), math.nan, IMPEDANCE, zero_sequence_given=given
        )


def _both_ways(row: Row, part: str) -> None:
    """Refuse an impedance that depends on the direction; part: "0" for the zero sequence."""
    for letter in "rx":
        there, back = f"{letter}ft{part}_pu", f"{letter}tf{part}_pu"
        if row.number(there, 0.0) != row.number(back, row.number(there, 0.0)):
            raise row.wrong(back, f"differs from {there}; an impedance that depends on direction is not supported")


def shunts(table: Table, node: Nodes, base_v: Callable[[Row, str], float]) -> Iterator[Capacitor]:
    """Shunts as capacitor banks, negative for a reactor."""
    names = names_of(table, "shunt")
    for row in table:
        if row.flag("in_service", True):
            if row.number("p_mw", 0.0):
                raise row.wrong("p_mw", "a shunt that takes active power is not supported")
            rated_v = row.number("vn_kv", math.sqrt(3) * base_v(row, "bus") / 1e3) * 1e3 / math.sqrt(3)
            q = -row.number("q_mvar") * 1e6 * row.number("step", 1.0) * (base_v(row, "bus") / rated_v) ** 2
            yield Capacitor(names[row.position], node(row, "bus"), "abc", q)


def charging_of_open_lines(lines: Sequence[Line], nominal_v: Mapping[str, float]) -> Iterator[Capacitor]:
    """What a line that is open at one end draws at the other, as a capacitor bank there (positive sequence)."""
    for line in lines:
        if line.closed.count(True) != 1 or not np.any(line.b_s):
            continue
        node = line.from_node if line.closed[0] else line.to_node
        # Positive sequence of a matrix of equal phases: self less mutual.
        z, y = (complex(matrix[0, 0] - matrix[0, 1]) for matrix in (line.z_ohm, line.b_s))
        seen = y / 2 + 1 / (z + 2 / y)
        yield Capacitor(f"{line.id} open", node, "abc", 3 * seen.imag * nominal_v[node] ** 2)
