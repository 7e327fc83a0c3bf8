"""The CSV files that utilities have (nodes, lines, line types, transformers, switches, source) into equipment."""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gridmodel.arrays import Complex
from gridmodel.errors import FileError
from gridmodel.model.equipment import CentreTap, Equipment, Line, Node, Supply, Transformer
from gridmodel.readers.pandapower import ASSUMED_ZERO_RATIO, balanced
from gridmodel.readers.regulators import read_capacitors, read_regulators
from gridmodel.readers.tables import Row, by_id, read_csv

LINE_PHASES = ("abc", "a", "b", "c", "ab", "bc", "ca", "12")
NODE_PHASES = ("abc", "a", "b", "c", "ab", "bc", "ca", "ac", "12")
LINE_COLUMNS = ("line_id", "from_node", "to_node", "length_m", "line_type")
TRANSFORMER_COLUMNS = ("transformer_id", "hv_node", "lv_node", "connection", "kva", "hv_v", "lv_v", "x_percent")
CONNECTIONS = ("Dyn", "YNyn", "Yzn", "Yyn", "YNd", "Yd", "Dy", "Dd", "Yy")


def read_equipment(folder: Path, *, frequency_hz: float = 50.0) -> Equipment:
    """Equipment of a folder with nodes.csv and its companions, as docs/feeders.md lists them."""
    nodes = by_id(read_csv(folder / "nodes.csv", ("node", "nominal_v")), "node")
    types = by_id(read_csv(folder / "line_types.csv", ("line_type", "rating_a")), "line_type")
    rows = by_id(read_csv(folder / "lines.csv", LINE_COLUMNS), "line_id")
    switches = _switches(folder, rows)
    lines = tuple(_line(row, types, nodes, switches, frequency_hz=frequency_hz) for row in rows.values())
    three, split = _transformers(folder, nodes)
    supply, others = _supplies(folder, nodes)
    ends = _ends(lines, three, split)
    for one in (supply, *others):
        ends.setdefault(one.node, set()).update("abc")
    return Equipment(
        name=folder.name,
        nodes=tuple(_node(row, ends) for row in nodes.values()),
        lines=lines,
        transformers=three,
        supply=supply,
        connections=(),
        frequency_hz=frequency_hz,
        centre_taps=split,
        capacitors=read_capacitors(folder, nodes),
        regulators=read_regulators(folder, three),
        other_supplies=others,
    )


def _known(row: Row, field: str, nodes: Mapping[str, Row]) -> str:
    node = row.text(field)
    if node not in nodes:
        raise row.wrong(field, f"{node} is not in nodes.csv")
    return node


def _node(row: Row, ends: Mapping[str, set[str]]) -> Node:
    """A node with the file's phases, or those of what ends there."""
    phases = row.text("phases", "").lower() or "".join(sorted(ends.get(row.text("node"), ())))
    if not phases:
        raise row.wrong("node", f"nothing is connected to {row.text('node')}")
    if phases not in NODE_PHASES:
        raise row.wrong("phases", f"{phases!r} is none of {', '.join(NODE_PHASES)}")
    x, y = row.number("x", math.nan), row.number("y", math.nan)
    return Node(row.text("node"), row.positive("nominal_v"), phases, x, y)


def _ends(lines: tuple[Line, ...], three: tuple[Transformer, ...], split: tuple[CentreTap, ...]) -> dict[str, set[str]]:
    """The phases of everything that ends at each node."""
    found: dict[str, set[str]] = {}
    ends = [(node, x.phases) for x in lines for node in (x.from_node, x.to_node)]
    ends += [(node, "abc") for t in three for node in (t.hv_node, t.lv_node)]
    ends += [(t.hv_node, t.hv_phases) for t in split] + [(t.lv_node, "12") for t in split]
    for node, phases in ends:
        found.setdefault(node, set()).update(phases)
    return found


def _switches(folder: Path, lines: Mapping[str, Row]) -> dict[str, bool]:
    """Per line with switches: whether one of them is open at its own latest state."""
    if not (folder / "switches.csv").is_file():
        return {}
    latest: dict[tuple[str, str], tuple[float, bool]] = {}
    for row in read_csv(folder / "switches.csv", ("switch_id", "line_id", "state")):
        said, line = row.text("state").lower(), row.text("line_id")
        at, own = (row.epoch_s("at") if "at" in row else -math.inf), (line, row.text("switch_id"))
        if said not in {"open", "closed"}:
            raise row.wrong("state", f"{said!r} is neither open nor closed")
        if line not in lines:
            raise row.wrong("line_id", f"{line} is not in lines.csv")
        if own not in latest or at >= latest[own][0]:
            latest[own] = at, said == "open"
    found: dict[str, bool] = {}
    for (line, _), (_, is_open) in latest.items():
        found[line] = found.get(line, False) or is_open
    return found


def _line(
    row: Row, types: Mapping[str, Row], nodes: Mapping[str, Row], switches: Mapping[str, bool], *, frequency_hz: float
) -> Line:
    kind = row.text("line_type")
    if kind not in types:
        raise row.wrong("line_type", f"{kind} is not in line_types.csv")
    phases = row.text("phases", "abc").lower()
    if phases not in LINE_PHASES:
        raise row.wrong("phases", f"{phases!r} is none of {', '.join(LINE_PHASES)}")
    if row.text("from_node") == row.text("to_node"):
        raise row.wrong("to_node", f"{row.text('to_node')} is where the line begins")
    length_m = row.number("length_m")
    if length_m < 0:
        raise row.wrong("length_m", f"{length_m:g} is negative")
    name = row.text("line_id")
    closed = not switches.get(name, row.flag("normally_open", False))
    z, given = _impedance(types[kind], len(phases))
    rating_a = types[kind].number("rating_a", math.nan)
    if rating_a < 0:
        raise types[kind].wrong("rating_a", f"{rating_a:g} is negative")
    return Line(
        id=name,
        from_node=_known(row, "from_node", nodes),
        to_node=_known(row, "to_node", nodes),
        phases=phases,
        length_m=length_m,
        z_ohm=z * length_m / 1e3,
        b_s=_charging(types[kind], z, frequency_hz) * length_m / 1e3,
        rating_a=rating_a,
        line_type=kind,
        zero_sequence_given=given,
        closed=(closed, closed),
    )


def _impedance(row: Row, size: int) -> tuple[Complex, bool]:
    """((k, k) ohm per km, whether zero sequence was given) from self and mutual or sequence values."""
    if "rs_ohm_per_km" in row:
        own = complex(row.number("rs_ohm_per_km"), row.number("xs_ohm_per_km"))
        mutual = complex(row.number("rm_ohm_per_km", 0.0), row.number("xm_ohm_per_km", 0.0))
        given = True
    else:
        z1 = complex(row.number("r1_ohm_per_km"), row.number("x1_ohm_per_km"))
        given = "r0_ohm_per_km" in row and "x0_ohm_per_km" in row
        z0 = complex(row.number("r0_ohm_per_km"), row.number("x0_ohm_per_km")) if given else ASSUMED_ZERO_RATIO * z1
        own, mutual = (z0 + 2 * z1) / 3, (z0 - z1) / 3
    return np.full((size, size), mutual) + np.eye(size) * (own - mutual), given


def _charging(row: Row, z: Complex, frequency_hz: float) -> Complex:
    """(k, k) S per km of self and mutual, or of positive- and zero-sequence capacitances; none where none is given."""
    own, mutual = row.number("cs_nf_per_km", 0.0), row.number("cm_nf_per_km", 0.0)
    if "c1_nf_per_km" in row:
        c1 = row.number("c1_nf_per_km")
        c0 = row.number("c0_nf_per_km", c1)
        own, mutual = (c0 + 2 * c1) / 3, (c0 - c1) / 3
    nf = np.full_like(z, mutual) + np.eye(len(z)) * (own - mutual)
    return np.asarray(2j * math.pi * frequency_hz * nf * 1e-9)


def _transformers(folder: Path, nodes: Mapping[str, Row]) -> tuple[tuple[Transformer, ...], tuple[CentreTap, ...]]:
    three: list[Transformer] = []
    split: list[CentreTap] = []
    if (folder / "transformers.csv").is_file():
        for row in by_id(read_csv(folder / "transformers.csv", TRANSFORMER_COLUMNS), "transformer_id").values():
            if row.text("connection").lower() == "split":
                split.append(_centre_tap(row, nodes))
            else:
                three.append(_transformer(row, nodes))
    return tuple(three), tuple(split)


def _short_circuit(row: Row) -> complex:
    """Per-unit impedance; the resistance from load losses where it is not given."""
    kva = row.positive("kva")
    r = row.number("r_percent", row.number("load_loss_w", 0.0) / (10 * kva))
    x = row.number("x_percent")
    if not r and not x:
        raise row.wrong("x_percent", "0 is no impedance")
    return complex(r, x) / 100


def _no_load(row: Row) -> complex:
    """Per-unit shunt admittance from no-load losses and, where it is given, the no-load current."""
    iron = row.number("no_load_w", 0.0) / (row.number("kva") * 1e3)
    whole = row.number("i0_percent", 0.0) / 100
    return complex(iron, -math.sqrt(max(whole**2 - iron**2, 0.0)))


def _centre_tap(row: Row, nodes: Mapping[str, Row]) -> CentreTap:
    phases = row.text("phases").lower()
    if phases not in {"a", "b", "c", "ab", "bc", "ca"}:
        raise row.wrong("phases", f"{phases!r} is none of a, b, c, ab, bc, ca")
    return CentreTap(
        id=row.text("transformer_id"),
        hv_node=_known(row, "hv_node", nodes),
        hv_phases=phases,
        lv_node=_known(row, "lv_node", nodes),
        s_rated_va=row.positive("kva") * 1e3,
        hv_v=row.positive("hv_v"),
        lv_v=row.positive("lv_v"),
        z_pu=_short_circuit(row),
        magnetising_pu=_no_load(row),
    )


def _transformer(row: Row, nodes: Mapping[str, Row]) -> Transformer:
    group = row.text("connection")
    name, clock = group.rstrip("0123456789"), group[len(group.rstrip("0123456789")) :]
    if name not in CONNECTIONS:
        raise row.wrong("connection", f"{group!r} is none of {', '.join(CONNECTIONS)}, split")
    if clock and int(clock) > 12:
        raise row.wrong("connection", f"{group!r}: a clock has twelve hours")
    z = _short_circuit(row)
    given = "r0_percent" in row and "x0_percent" in row
    tap, step, side = row.whole("tap", 0), row.number("tap_step_percent", 0.0), row.text("tap_side", "hv")
    if not 1.0 + tap * step / 100 > 0.0:
        raise row.wrong("tap", f"{tap} steps of {step:g} % leave no turns")
    if side not in ("hv", "lv"):
        raise row.wrong("tap_side", f"{side!r} is neither hv nor lv")
    return Transformer(
        id=row.text("transformer_id"),
        hv_node=_known(row, "hv_node", nodes),
        lv_node=_known(row, "lv_node", nodes),
        s_rated_va=row.positive("kva") * 1e3,
        hv_v=row.positive("hv_v"),
        lv_v=row.positive("lv_v"),
        z1_pu=z,
        z0_pu=complex(row.number("r0_percent"), row.number("x0_percent")) / 100 if given else z,
        connection=name,
        shift_degree=30.0 * int(clock or (1 if "D" in name or "d" in name else 0)),
        tap_ratio=1.0 + tap * step / 100,
        tap_side=side,
        magnetising_pu=_no_load(row),
        zero_sequence_given=given,
        tap=tap,
        tap_min=row.whole("tap_min", 0),
        tap_max=row.whole("tap_max", 0),
        tap_step_percent=step,
        rating_factor=row.positive("rating_factor", 1.0),
    )


def _supplies(folder: Path, nodes: Mapping[str, Row]) -> tuple[Supply, tuple[Supply, ...]]:
    """The first source, and the others."""
    path = folder / "source.csv"
    found = [_supply(row, nodes) for row in by_id(read_csv(path, ("node", "v_pu")), "node").values()]
    if not found:
        raise FileError(path, "0 sources; one is needed")
    return found[0], tuple(found[1:])


def _supply(row: Row, nodes: Mapping[str, Row]) -> Supply:
    node = _known(row, "node", nodes)
    nominal_v = nodes[node].number("nominal_v")
    z1 = 0j
    if "short_circuit_mva" in row:
        x_over_r = row.number("x_over_r", 10.0)
        size = 3 * nominal_v**2 / (row.positive("short_circuit_mva") * 1e6)
        z1 = complex(1.0, x_over_r) * size / math.hypot(1.0, x_over_r)
    z0 = z1
    if "x1_ohm" in row:
        z1 = complex(row.number("r1_ohm", 0.0), row.number("x1_ohm"))
        z0 = complex(row.number("r0_ohm", z1.real), row.number("x0_ohm", z1.imag))
    angle = cmath.exp(1j * math.radians(row.number("angle_degree", 0.0)))
    return Supply(node, balanced(row.positive("v_pu") * nominal_v * angle), z1, z0)
