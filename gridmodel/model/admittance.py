"""From equipment to arrays: primitive phase admittances of lines, transformers and the supply."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np

from gridmodel.arrays import TURN, Complex
from gridmodel.errors import GridError
from gridmodel.model.equipment import (
    JOINT_OHM,
    LARGEST,
    SMALLEST,
    Capacitor,
    CentreTap,
    Equipment,
    Line,
    Node,
    Supply,
    Transformer,
)
from gridmodel.model.network import SIDE, Branches, Network, Nodes, Source, Terminals, connect

# Phase quantities from sequence quantities, columns zero, positive, negative.
PHASE_OF_SEQUENCE: Complex = np.array([[1, 1, 1], [1, TURN**2, TURN], [1, TURN, TURN**2]], dtype=np.complex128)
SUPPLY_NODE = "supply"


def network(equipment: Equipment) -> Network:
    """The feeder in arrays. A line with an open end carries nothing and is left out (its charging is neglected)."""
    _refuse_sizes(equipment)
    nodes = (*equipment.nodes, *_supply_node(equipment))
    index = {node.id: k for k, node in enumerate(nodes)}
    terminals = Terminals([node.phases for node in nodes])
    blocks = _Blocks(index, terminals)
    for line in equipment.lines:
        if all(line.closed):
            blocks.add_line(line)
    for transformer in equipment.transformers:
        blocks.add_transformer(transformer)
    for centre_tap in equipment.centre_taps:
        blocks.add_centre_tap(centre_tap)
    for capacitor in equipment.capacitors:
        if capacitor.closed:
            blocks.add_capacitor(capacitor, nodes)
    source_node = blocks.add_supply(equipment.supply)
    for number, other in enumerate(equipment.other_supplies, 2):
        blocks.add_other_supply(other, f"supply{number}", nodes[source_node].id, equipment.supply)
    return Network(
        name=equipment.name,
        nodes=_nodes(nodes),
        branches=blocks.branches(),
        source=Source(
            node=source_node,
            terminals=np.array(terminals.side(source_node, "abc"), dtype=np.intp),
            v=np.asarray(equipment.supply.v, dtype=np.complex128),
        ),
        connections=connect(equipment.connections, index, terminals),
        terminal_node=terminals.node,
        terminal_phase=terminals.phase,
        equipment=equipment,
        frequency_hz=equipment.frequency_hz,
        source_file=equipment.source_file,
        own_elements=equipment.own_elements,
        own_load_va=equipment.own_load_va,
    )


SIZES = {
    "nodes": ("nominal_v",),
    "transformers": ("s_rated_va", "hv_v", "lv_v", "tap_ratio"),
    "centre_taps": ("s_rated_va", "hv_v", "lv_v"),
}
"""what has to be positive for an admittance to exist"""


def _refuse_sizes(equipment: Equipment) -> None:
    for kind, names in SIZES.items():
        for element in getattr(equipment, kind):
            for name in names:
                value = getattr(element, name)
                if not isinstance(value, Real) or not SMALLEST <= float(value) <= LARGEST:
                    raise GridError(f"{kind[:-1]} {element.id}: {name}: {value!r} is not a positive number")
    volts = np.asarray(equipment.supply.v)
    if volts.shape != (3,) or volts.dtype.kind not in "ifc" or not np.all((np.abs(volts) > 0) & np.isfinite(volts)):
        raise GridError(f"supply: v: {equipment.supply.v!r} is not three voltages")


def _position(index: dict[str, int], node: str, who: str) -> int:
    if node not in index:
        raise GridError(f"{who}: node {node} is not in the network")
    return index[node]


def _supply_node(equipment: Equipment) -> tuple[Node, ...]:
    """The stiff voltage's own node, where it stands behind an impedance."""
    supply = equipment.supply
    if supply.z1_ohm == 0:
        return ()
    at = next((node for node in equipment.nodes if node.id == supply.node), None)
    if at is None:
        raise GridError(f"supply: node {supply.node} is not in the network")
    return (Node(SUPPLY_NODE, at.nominal_v, "abc", at.x, at.y),)


def _nodes(nodes: Sequence[Node]) -> Nodes:
    return Nodes(
        id=tuple(node.id for node in nodes),
        phases=tuple(node.phases for node in nodes),
        nominal_v=np.array([node.nominal_v for node in nodes]),
        x=np.array([node.x for node in nodes]),
        y=np.array([node.y for node in nodes]),
    )


class _Blocks:
    """Collects branches row by row."""

    def __init__(self, index: dict[str, int], terminals: Terminals) -> None:
        self.index, self.terminals = index, terminals
        self.rows: list[tuple[str, str, int, int, float, int]] = []
        self.at: list[list[int]] = []
        self.y: list[Complex] = []

    def add_line(self, line: Line) -> None:
        row = ("line", line.id, line.from_node, line.to_node)
        self._add(row, (line.phases, line.phases), line_admittance(line), (line.rating_a, 0))

    def add_transformer(self, transformer: Transformer) -> None:
        row = ("transformer", transformer.id, transformer.hv_node, transformer.lv_node)
        self._add(row, ("abc", "abc"), transformer_admittance(transformer), (transformer.rating_a, 1))

    def add_centre_tap(self, transformer: CentreTap) -> None:
        row = ("transformer", transformer.id, transformer.hv_node, transformer.lv_node)
        y = centre_tap_admittance(transformer)
        self._add(row, (transformer.hv_phases, "12"), y, (transformer.rating_a, 1))

    def add_capacitor(self, capacitor: Capacitor, nodes: Sequence[Node]) -> None:
        who = f"capacitor {capacitor.id}"
        node = _position(self.index, capacitor.node, who)
        side = self.terminals.side(node, capacitor.phases)
        if not capacitor.phases or min(side[: len(capacitor.phases)]) < 0:
            raise GridError(f"{who}: node {capacitor.node} lacks a phase of {capacitor.phases}")
        each_s = 1j * capacitor.q_rated_var / len(capacitor.phases) / nodes[node].nominal_v ** 2
        self.rows.append((capacitor.id, "capacitor", node, node, np.nan, 0))
        self.at.append(side + [-1] * SIDE)
        self.y.append(np.diag(np.where(np.array(self.at[-1]) >= 0, each_s, 0.0)))

    def add_supply(self, supply: Supply) -> int:
        """Position of the node whose voltage is given."""
        at = _position(self.index, supply.node, "supply")
        if supply.z1_ohm == 0:
            return at
        y = _series(sequence_matrix(1 / (supply.z0_ohm or supply.z1_ohm), 1 / supply.z1_ohm))
        self._add(("source", "supply", SUPPLY_NODE, supply.node), ("abc", "abc"), y, (np.nan, 0))
        return self.index[SUPPLY_NODE]

    def add_other_supply(self, other: Supply, name: str, source: str, first: Supply) -> None:
        """A further source: its impedance, from the first source's voltage in a fixed complex ratio."""
        z1 = other.z1_ohm or complex(0.0, JOINT_OHM)
        y = sequence_matrix(1 / (other.z0_ohm or z1), 1 / z1)
        ratio = np.diag(np.asarray(other.v) / np.asarray(first.v))
        block = np.block([[ratio.conj().T @ y @ ratio, -ratio.conj().T @ y], [-y @ ratio, y]])
        self._add(("source", name, source, other.node), ("abc", "abc"), block, (np.nan, 0))

    def _add(
        self, row: tuple[str, str, str, str], phases: tuple[str, str], y: Complex, rating: tuple[float, int]
    ) -> None:
        """One branch: (kind, id, from, to), phases per side, admittance, (rating, side it belongs to)."""
        kind, name, *ends = row
        nodes = [_position(self.index, end, f"{kind} {name}") for end in ends]
        at: list[int] = []
        for node, own in zip(nodes, phases, strict=True):
            side = self.terminals.side(node, own)
            if min(side[: len(own)]) < 0:
                raise GridError(f"{kind} {name}: one of its nodes lacks a phase of {own}")
            at += side
        rating_a, rated_side = rating
        self.rows.append((name, kind, nodes[0], nodes[1], rating_a if rating_a > 0 else np.nan, rated_side))
        self.at.append(at)
        self.y.append(y)

    def branches(self) -> Branches:
        """All of them."""
        return Branches.of(self.rows, self.at, self.y)


def sequence_matrix(zero: complex, positive: complex, negative: complex | None = None) -> Complex:
    """(3, 3) phase matrix of the given sequence quantities (impedance or admittance alike)."""
    diagonal = np.diag([zero, positive, positive if negative is None else negative])
    return np.asarray(PHASE_OF_SEQUENCE @ diagonal @ np.linalg.inv(PHASE_OF_SEQUENCE))


def _series(y: Complex) -> Complex:
    """(6, 6) primitive admittance of a series admittance over k phases."""
    k = len(y)
    block = np.zeros((2 * SIDE, 2 * SIDE), dtype=np.complex128)
    block[:k, :k] = block[SIDE : SIDE + k, SIDE : SIDE + k] = y
    block[:k, SIDE : SIDE + k] = block[SIDE : SIDE + k, :k] = -y
    return block


def line_admittance(line: Line) -> Complex:
    """(6, 6) pi model of a line."""
    try:
        block = _series(np.linalg.inv(line.series_ohm).astype(np.complex128))
    except np.linalg.LinAlgError as e:
        raise GridError(f"line {line.id}: its impedance matrix is singular") from e
    k = len(line.z_ohm)
    block[:k, :k] += line.b_s / 2
    block[SIDE : SIDE + k, SIDE : SIDE + k] += line.b_s / 2
    return block


def transformer_admittance(transformer: Transformer) -> Complex:
    """(6, 6) of a two-winding transformer, high-voltage terminals first.

    Each sequence is a pi model on the low-voltage base with a complex ratio; the three together are turned into
    phases. The winding connection decides the zero sequence alone and the sign of the shift the negative one.
    """
    t = transformer
    base_s = t.s_rated_va / t.lv_v**2
    hv, lv = (t.hv_v * t.tap_ratio, t.lv_v) if t.tap_side == "hv" else (t.hv_v, t.lv_v * t.tap_ratio)
    ratio = hv / lv * np.exp(1j * np.deg2rad(t.shift_degree))
    # Short-circuit impedance is given on the rated base of the low-voltage side, and moves with a tap on that side.
    base_s *= (t.lv_v / lv) ** 2
    series, shunt = base_s / t.z1_pu, base_s * t.magnetising_pu / 2
    positive = _two_port(series, shunt, ratio)
    negative = _two_port(series, shunt, np.conj(ratio))
    zero = _zero_sequence(t, base_s, ratio)
    block = np.zeros((2 * SIDE, 2 * SIDE), dtype=np.complex128)
    for row in range(2):
        for column in range(2):
            part = sequence_matrix(zero[row, column], positive[row, column], negative[row, column])
            block[SIDE * row : SIDE * row + SIDE, SIDE * column : SIDE * column + SIDE] = part
    return block


def centre_tap_admittance(transformer: CentreTap) -> Complex:
    """(6, 6) of a centre-tapped transformer; the usual split of its impedance over three windings.

    Half the resistance and 0.8 of the reactance stand in the high-voltage winding, the whole resistance and 0.4 of the
    reactance in each half of the secondary, so that the whole secondary in series sees what was measured.
    """
    t = transformer
    r, x = t.z_pu.real, t.z_pu.imag
    y = 1 / np.array([complex(0.5 * r, 0.8 * x), complex(r, 0.4 * x), complex(r, 0.4 * x)])
    star = np.diag(y) - np.outer(y, y) / y.sum()
    star += np.diag([0, t.magnetising_pu / 2, t.magnetising_pu / 2])
    base = 1 / np.array([t.hv_v, t.lv_v, t.lv_v])
    windings = star * np.outer(base, base) * t.s_rated_va
    # Winding voltages from terminal voltages; the second half runs from the earthed centre to leg 2.
    across = np.zeros((3, 2 * SIDE))
    across[0, : len(t.hv_phases)] = (1.0, -1.0)[: len(t.hv_phases)]
    across[1, SIDE], across[2, SIDE + 1] = 1.0, -1.0
    return np.asarray(across.T @ windings @ across)


def _two_port(series: complex, shunt: complex, ratio: complex) -> Complex:
    """(2, 2) admittance of an ideal ratio (high voltage side) and a pi model on the low-voltage side."""
    own = series + shunt
    return np.array([[own / abs(ratio) ** 2, -series / np.conj(ratio)], [-series / ratio, own]], dtype=np.complex128)


def _zero_sequence(t: Transformer, base_s: float, ratio: complex) -> Complex:
    """(2, 2) zero-sequence admittance: what each winding lets pass and where it is earthed."""
    y0 = base_s / t.z0_pu
    real_ratio = abs(ratio)
    through = {"YNyn"}
    earthed_lv = {"Dyn", "Yzn"}
    earthed_hv = {"YNd"}
    if t.connection in through:
        shunt = base_s / t.z0_magnetising_pu / 2 if np.isfinite(t.z0_magnetising_pu) else 0j
        # Even clock numbers only: six o'clock turns the zero sequence round, twelve does not.
        sign = -1.0 if round(t.shift_degree / 30) % 12 == 6 else 1.0
        return _two_port(y0, shunt, sign * real_ratio)
    if t.connection in earthed_lv:
        return np.array([[0, 0], [0, y0]], dtype=np.complex128)
    if t.connection in earthed_hv:
        return np.array([[y0 / real_ratio**2, 0], [0, 0]], dtype=np.complex128)
    if t.connection == "Yyn":
        # No return on the star side: the only path is through the core.
        magnetising = t.z0_magnetising_pu
        own = base_s / (t.z0_pu + magnetising) if np.isfinite(magnetising) else 0j
        return np.array([[0, 0], [0, own]], dtype=np.complex128)
    if t.connection in {"Yy", "Yd", "Dy", "Dd"}:
        return np.zeros((2, 2), dtype=np.complex128)
    raise GridError(f"transformer {t.id}: vector group {t.connection!r} is not known")
