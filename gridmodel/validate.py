"""Findings about a network: what a planner would want to know before trusting a number.

A finding is data, never an exception. `error` means that a power flow is impossible or meaningless, `warning` that a
result may be wrong, `note` that something was assumed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from gridmodel import open_phases, plausible
from gridmodel.errors import FileError, GridError
from gridmodel.flow.kron import energised, no_load_voltages
from gridmodel.model import admittance as build
from gridmodel.model.equipment import Equipment, Line, Transformer
from gridmodel.model.feeder import Feeder
from gridmodel.model.findings import Finding
from gridmodel.model.network import PORT_PHASES, Network
from gridmodel.plausible import NO_LENGTH

# Ranges outside which a value is more likely a slip of unit than a fact: ohm/km, percent. (assumed)
LOW_VOLTAGE_V = 1_000.0
R_OHM_PER_KM = (0.005, 15.0)
X_OHM_PER_KM = (0.005, 2.0)
Z0_OVER_Z1 = (0.5, 12.0)
SHORT_CIRCUIT_PU = (0.01, 0.2)
NOMINAL_SHARE = (0.9, 1.12)


def check_folder(path: str | Path, within: str | Path | None = None) -> tuple[Feeder | None, list[Finding]]:
    """The feeder of a folder or file, if it can be read, and every finding about its files and its network.

    within: the folder that an OpenDSS circuit may read files from; by default its own.
    """
    from gridmodel.readers.folder import load

    try:
        feeder, faults = load(path, within)
    except GridError as e:
        return None, [Finding("error", "unusable", str(path), "network", str(e))]
    except OSError as e:
        return None, [Finding("error", "bad_file", str(e.filename or path), "file", e.strerror or str(e))]
    if feeder is None:
        return None, [fault(error) for error in faults]
    return feeder, [*check(feeder), _base_load(feeder)]


def check(what: Feeder | Network | Equipment) -> list[Finding]:
    """Everything worth saying about a feeder, a network or its equipment; the gravest first."""
    found: list[Finding] = []
    network = what.network if isinstance(what, Feeder) else what
    equipment = network.equipment if isinstance(network, Network) else network
    if equipment is not None:
        for rule in EQUIPMENT_RULES:
            found += rule(equipment)
    if isinstance(network, Equipment):
        try:
            network = build.network(network)
        except GridError as e:
            return [Finding("error", "unusable", equipment.name if equipment else "", "network", str(e)), *found]
    found += [*_islands(network), *_unrated(network), *_no_customers(network)]
    if all(f.severity != "error" for f in found):
        found += _no_load(network)
    if isinstance(what, Feeder):
        found += [*_measurements(what), *(Finding("note", "assumed", what.name, "file", note) for note in what.notes)]
        found += [*what.findings, *plausible.of_feeder(what)]
        found += [
            Finding("note", "changed", c.element, c.field, f"{c.after:g} instead of {c.before:g}: {c.why}")
            for c in what.changes
        ]
    return by_severity(found)


def by_severity(found: list[Finding]) -> list[Finding]:
    """Findings with the gravest first."""
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda finding: order[finding.severity])


def fault(error: FileError) -> Finding:
    """What is wrong with a file, as a finding."""
    row = f" row {error.row}" if error.row is not None else ""
    return Finding("error", "bad_file", f"{error.file}{row}", error.field or "file", error.detail)


def _duplicates(equipment: Equipment) -> Iterator[Finding]:
    """Ids used twice."""
    groups = {
        "node": [n.id for n in equipment.nodes],
        "line": [x.id for x in equipment.lines],
        "transformer": [t.id for t in equipment.transformers],
        "connection": [c.id for c in equipment.connections],
        "regulator": [r.id for r in equipment.regulators],
        "capacitor": [c.id for c in equipment.capacitors],
    }
    for kind, ids in groups.items():
        for name, count in Counter(ids).items():
            if count > 1:
                yield Finding("error", "duplicate_id", f"{kind} {name}", "id", f"used {count} times")


def _unknown_nodes(equipment: Equipment) -> Iterator[Finding]:
    """Ends that lead to no node."""
    known = {node.id for node in equipment.nodes}
    ends = [(f"line {x.id}", f, getattr(x, f)) for x in equipment.lines for f in ("from_node", "to_node")]
    ends += [(f"transformer {t.id}", f, getattr(t, f)) for t in equipment.transformers for f in ("hv_node", "lv_node")]
    ends += [(f"connection {c.id}", "node", c.node) for c in equipment.connections]
    ends.append(("supply", "node", equipment.supply.node))
    for element, field, node in ends:
        if node not in known:
            yield Finding("error", "unknown_node", element, field, f"{node} is not in the network")


def _missing_phases(equipment: Equipment) -> Iterator[Finding]:
    """Lines and connections with phases that their nodes lack; connections whose phase nobody knows."""
    phases = {node.id: set(node.phases) for node in equipment.nodes}
    for line in equipment.lines:
        for field, node in (("from_node", line.from_node), ("to_node", line.to_node)):
            if lacking := set(line.phases) - phases.get(node, set(line.phases)):
                detail = f"node {node} lacks phase {', '.join(sorted(lacking))}"
                yield Finding("error", "missing_phase", f"line {line.id}", field, detail)
    for connection in equipment.connections:
        element = f"connection {connection.id}"
        if connection.phase not in PORT_PHASES:
            yield Finding("error", "unknown_phase", element, "phase", f"{connection.phase!r} is no phase")
        elif connection.phase == "unknown":
            yield Finding("warning", "unknown_phase", element, "phase", "not known: all three are considered")
        else:
            needed = {p for _, plus, minus in PORT_PHASES[connection.phase] for p in plus + minus}
            if lacking := needed - phases.get(connection.node, needed):
                detail = f"node {connection.node} lacks phase {', '.join(sorted(lacking))}"
                yield Finding("error", "missing_phase", element, "phase", detail)


def _open_lines(equipment: Equipment) -> Iterator[Finding]:
    """Lines open at one end only, which usually is a forgotten switch."""
    for line in equipment.lines:
        if line.closed.count(True) == 1:
            end = line.to_node if line.closed[0] else line.from_node
            yield Finding("note", "open_end", f"line {line.id}", "switch", f"open at {end}; left out")


def _lines(equipment: Equipment) -> Iterator[Finding]:
    """Lengths, ratings and impedances that cannot be or are unlikely."""
    nominal = {node.id: node.nominal_v for node in equipment.nodes}
    for line in equipment.lines:
        element = f"line {line.id}"
        if line.length_m < 0 or not np.isfinite(line.length_m):
            yield Finding("error", "negative_length", element, "length_m", f"{line.length_m:g} m")
            continue
        if line.length_m == 0:
            yield Finding("warning", "zero_length", element, "length_m", "0 m: its nodes are taken as joined")
            continue
        if line.rating_a < 0:
            yield Finding("error", "negative_rating", element, "rating_a", f"{line.rating_a:g} A")
        if line.line_type in NO_LENGTH:
            continue
        if not line.zero_sequence_given:
            yield Finding("warning", "no_zero_sequence", element, "z0_ohm", "absent; four times positive assumed")
        yield from _impedance(line, element, nominal.get(line.from_node, 0.0) * np.sqrt(3) <= LOW_VOLTAGE_V)


def _impedance(line: Line, element: str, low_voltage: bool) -> Iterator[Finding]:
    size = len(line.z_ohm)
    own = np.trace(line.z_ohm) / size / line.length_m * 1e3
    mutual = (line.z_ohm.sum() - np.trace(line.z_ohm)) / max(size * (size - 1), 1) / line.length_m * 1e3
    positive, zero = own - mutual, own + 2 * mutual
    if positive.real <= 0 or not np.isfinite(positive):
        yield Finding("error", "implausible_impedance", element, "r_ohm_per_km", f"{positive.real:g} ohm/km")
    elif low_voltage:
        for field, value, (low, high) in (
            ("r_ohm_per_km", positive.real, R_OHM_PER_KM),
            ("x_ohm_per_km", positive.imag, X_OHM_PER_KM),
        ):
            if not low <= value <= high:
                detail = f"{value:.4g} ohm/km is outside {low:g}..{high:g}"
                yield Finding("warning", "implausible_impedance", element, field, detail)
        ratio = abs(zero) / abs(positive)
        if line.zero_sequence_given and size == 3 and not Z0_OVER_Z1[0] <= ratio <= Z0_OVER_Z1[1]:
            detail = f"zero over positive sequence is {ratio:.3g}"
            yield Finding("warning", "implausible_impedance", element, "z0_ohm", detail)


def _transformers(equipment: Equipment) -> Iterator[Finding]:
    """Ratings, impedances and voltages of transformers."""
    nominal = {node.id: node.nominal_v * np.sqrt(3) for node in equipment.nodes}
    for t in equipment.transformers:
        element = f"transformer {t.id}"
        if not t.s_rated_va > 0:
            yield Finding("error", "negative_rating", element, "s_rated_va", f"{t.s_rated_va:g} VA")
        regulates = t.hv_v == t.lv_v  # windings in series: next to no impedance
        if not regulates and not SHORT_CIRCUIT_PU[0] <= abs(t.z1_pu) <= SHORT_CIRCUIT_PU[1]:
            detail = f"short-circuit impedance of {100 * abs(t.z1_pu):.3g} %"
            yield Finding("warning", "implausible_impedance", element, "z1_pu", detail)
        if not t.zero_sequence_given:
            yield Finding("warning", "no_zero_sequence", element, "z0_pu", "absent; positive sequence assumed")
        yield from _winding(t, element, nominal)


def _winding(t: Transformer, element: str, nominal: dict[str, float]) -> Iterator[Finding]:
    for field, node, rated in (("hv_v", t.hv_node, t.hv_v), ("lv_v", t.lv_node, t.lv_v)):
        if node in nominal and not NOMINAL_SHARE[0] <= rated / nominal[node] <= NOMINAL_SHARE[1]:
            detail = f"rated {rated:g} V at node {node} of {nominal[node]:.4g} V"
            yield Finding("warning", "implausible_voltage", element, field, detail)
    if t.tap_min < t.tap_max and not t.tap_min <= t.tap <= t.tap_max:
        yield Finding("warning", "tap_range", element, "tap", f"{t.tap} is outside {t.tap_min}..{t.tap_max}")
    if t.connection in {"Yy", "Yd", "Dy", "Dd"} or (t.connection == "Yyn" and not np.isfinite(t.z0_magnetising_pu)):
        detail = f"{t.connection} gives its low-voltage side no path for zero sequence"
        yield Finding("error", "no_earth", element, "connection", detail)


def _regulators(equipment: Equipment) -> Iterator[Finding]:
    """Controls that would hold an unlikely voltage, or that can not rest."""
    nominal = {node.id: node.nominal_v for node in equipment.nodes}
    load_side = {t.id: t.lv_node for t in equipment.transformers}
    for r in equipment.regulators:
        element, across = f"regulator {r.id}", np.sqrt(3) if len(r.watches) == 2 else 1.0
        if r.transformer not in load_side:
            yield Finding("error", "unknown_transformer", element, "transformer", f"{r.transformer} is not here")
            continue
        for name, setting in (("set_v", r.forward), ("reverse_set_v", r.backward)):
            share = setting.set_v * r.pt / (across * nominal.get(load_side[r.transformer], np.nan))
            if not NOMINAL_SHARE[0] <= share <= NOMINAL_SHARE[1] and (name == "set_v" or r.reverse):
                detail = f"{setting.set_v:g} V times {r.pt:g} is {share:.3g} of nominal at {load_side[r.transformer]}"
                yield Finding("warning", "implausible_voltage", element, name, detail)
        if r.forward.band_v < r.forward.set_v * r.tap_step_percent / 100.0:
            detail = f"{r.forward.band_v:g} V is less than a step of {r.tap_step_percent:g} %: it goes to and fro"
            yield Finding("warning", "narrow_band", element, "band_v", detail)


def _islands(network: Network) -> Iterator[Finding]:
    """Nodes and connections without a path to the source."""
    dead = ~energised(network)
    counted = Counter(network.nodes.id[n] for n in network.terminal_node[dead])
    for node in counted:
        yield Finding("warning", "island", f"node {node}", "branches", "no path to the source")
    dead_ports = dead[network.connections.port_plus]
    for c in np.unique(network.connections.port_connection[dead_ports]):
        detail = f"node {network.nodes.id[network.connections.node[c]]} has no path to the source"
        yield Finding("error", "island", f"connection {network.connections.id[c]}", "node", detail)


def _no_customers(network: Network) -> Iterator[Finding]:
    """A network in which nobody uses power."""
    if not len(network.connections):
        yield Finding(
            "warning", "no_customers", network.name, "connections", "there is not one: nothing can be limited"
        )


def _unrated(network: Network) -> Iterator[Finding]:
    """Branches whose loading can never be judged."""
    branches = network.branches
    for k in np.flatnonzero(~np.isfinite(branches.rating_a)):
        if branches.kind[k] in {"line", "transformer"}:
            element = f"{branches.kind[k]} {branches.id[k]}"
            yield Finding("warning", "no_rating", element, "rating_a", "absent or zero: it limits nothing")


def _no_load(network: Network) -> Iterator[Finding]:
    """Voltages that are wrong before anyone uses power: a slip in a ratio, a tap or a nominal voltage."""
    try:
        terminals, volts = no_load_voltages(network)
    except GridError as e:
        yield Finding("error", "unusable", network.name, "branches", str(e))
        return
    share = np.abs(volts) / network.terminal_nominal_v[terminals]
    wrong = np.flatnonzero((share < NOMINAL_SHARE[0]) | (share > NOMINAL_SHARE[1]) | ~np.isfinite(share))
    if len(wrong):
        detail = f"{share[wrong[0]]:.3g} of nominal without load, as at {len(wrong) - 1} others"
        yield Finding(
            "warning", "implausible_voltage", network.terminal_name(int(terminals[wrong[0]])), "nominal_v", detail
        )


def _base_load(feeder: Feeder) -> Finding:
    """What the base load of a run stands on."""
    taken, day = feeder.declared_va, feeder.declared_day()
    said = "none is measured and the file declares none: a run assumes one"
    if feeder.profile is not None:
        said = "measured, from the feeder's own day"
    elif taken is not None:
        shape = "by its load shapes" if day is not None else "the same at every hour"
        said = f"{feeder.declared_sum}, {shape}"
    return Finding("note", "base_load", feeder.name, "load", said)


def _measurements(feeder: Feeder) -> Iterator[Finding]:
    """Measured values that cannot be."""
    profile, ids = feeder.profile, feeder.network.connections.id
    if profile is None:
        return
    for c in np.flatnonzero((profile.pv_w < 0).any(axis=0)):
        worst = profile.pv_w[:, c].min() / 1e3
        yield Finding("warning", "negative_production", f"connection {ids[c]}", "pv_kw", f"down to {worst:g} kW")
    for c in np.flatnonzero(profile.pv_w.max(axis=0, initial=0.0) > np.maximum(feeder.pv_va, 1.0) * 1.05):
        peak = profile.pv_w[:, c].max() / 1e3
        detail = f"{peak:g} kW from an inverter of {feeder.pv_va[c] / 1e3:g} kVA"
        yield Finding("warning", "production_above_size", f"connection {ids[c]}", "pv_kw", detail)
    if profile.source_v is not None:
        nominal_v = feeder.network.nodes.nominal_v[feeder.network.source.node]
        share = np.abs(profile.source_v) / nominal_v
        if share.min() < 0.85 or share.max() > 1.15:
            detail = f"{share.min():.3g} to {share.max():.3g} of nominal: phase-to-neutral volts are expected"
            yield Finding("error", "implausible_voltage", "source", "head_voltage", detail)


EQUIPMENT_RULES: tuple[Callable[[Equipment], Iterator[Finding]], ...] = (
    _duplicates,
    _unknown_nodes,
    _missing_phases,
    _open_lines,
    _lines,
    _transformers,
    _regulators,
    plausible.of_equipment,
    open_phases.of_equipment,
)
