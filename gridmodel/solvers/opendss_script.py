"""A feeder's equipment as OpenDSS commands, so that OpenDSS can audit any feeder that was not read from it.

Buses and elements are numbered, since OpenDSS's names bear neither blanks nor dots. Three single-phase sources stand
behind the upstream impedance, so that an unbalanced source is nothing special.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gridmodel.arrays import Real
from gridmodel.errors import GridError
from gridmodel.model.admittance import SUPPLY_NODE, sequence_matrix
from gridmodel.model.equipment import CentreTap, Equipment, Line, Supply, Transformer

NUMBER = {"a": 1, "b": 2, "c": 3, "1": 1, "2": 2}
STIFF_OHM = 1e-6
# LV terminals of each winding when the low-voltage side lags by 0, 120 and 240 degrees more.
TURNED = ("1.2.3", "3.1.2", "2.3.1")
# OpenDSS's LeadLag and the position in TURNED, per vector group and clock number.
GROUPS = {("Dyn", 1 + 4 * k): ("lag", k) for k in range(3)}
GROUPS |= {("Dyn", (11 + 4 * k) % 12): ("lead", k) for k in range(3)}
GROUPS |= {("YNyn", 4 * k): ("lag", k) for k in range(3)}


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """Commands that make the circuit, and what our nodes and branches are called in it."""

    commands: tuple[str, ...]
    bus: dict[str, str]
    element: dict[tuple[str, str], str]
    """per (kind, id) of a branch"""


def script(equipment: Equipment) -> Script:
    """OpenDSS commands for a feeder without its customers."""
    supply = equipment.supply
    bus = {node.id: f"n{k}" for k, node in enumerate(equipment.nodes)}
    if supply.z1_ohm:
        bus[SUPPLY_NODE] = "supply"
    lines = [line for line in equipment.lines if all(line.closed)]
    element = {("line", line.id): f"line.l{k}" for k, line in enumerate(lines)}
    element |= {("transformer", t.id): f"transformer.t{k}" for k, t in enumerate(equipment.transformers)}
    element |= {("transformer", t.id): f"transformer.s{k}" for k, t in enumerate(equipment.centre_taps)}
    commands = [f"Set DefaultBaseFrequency={equipment.frequency_hz:g}"]
    for k, one in enumerate((supply, *equipment.other_supplies)):
        commands += _source(one, f"supply{k or ''}", bus, k)
    omega = 2 * math.pi * equipment.frequency_hz
    commands += [_line(line, element["line", line.id], bus, omega) for line in lines]
    commands += [_transformer(t, element["transformer", t.id], bus) for t in equipment.transformers]
    commands += [_centre_tap(t, element["transformer", t.id], bus) for t in equipment.centre_taps]
    commands += _capacitors(equipment, bus)
    return Script(tuple(commands), bus, element)


def _source(supply: Supply, name: str, bus: dict[str, str], position: int) -> Iterator[str]:
    """One stiff source per phase, and the impedance behind which they stand."""
    at = name if supply.z1_ohm else bus[supply.node]
    for number, volts in enumerate(supply.v, 1):
        what = "Circuit.audit" if number == 1 and not position else f"Vsource.source{position or ''}{number}"
        yield (
            f"New {what} phases=1 bus1={at}.{number} basekv={abs(volts) / 1e3:.12g} pu=1"
            f" angle={np.angle(volts, deg=True):.12g} R1=0 X1={STIFF_OHM:g} R0=0 X0={STIFF_OHM:g}"
        )
    if supply.z1_ohm:
        upstream = _upstream(supply, name)
        yield _line(upstream, f"line.upstream{position or ''}", {**bus, name: name}, 1.0)


def _upstream(supply: Supply, name: str) -> Line:
    z = sequence_matrix(supply.z0_ohm or supply.z1_ohm, supply.z1_ohm)
    return Line("upstream", name, supply.node, "abc", 1.0, z, np.zeros_like(z), math.nan)


def _line(line: Line, name: str, bus: dict[str, str], omega: float) -> str:
    places = "".join(f".{NUMBER[phase]}" for phase in line.phases)
    ends = f"bus1={bus[line.from_node]}{places} bus2={bus[line.to_node]}{places}"
    z, nf = line.series_ohm, 1e9 * line.b_s.imag / omega
    said = f"rmatrix=({_lower(z.real)}) xmatrix=({_lower(z.imag)}) cmatrix=({_lower(nf)})"
    return f"New {name} {ends} phases={len(line.phases)} length=1 units=none {said}"


def _lower(matrix: Real) -> str:
    return " | ".join(" ".join(f"{x:.15g}" for x in row[: k + 1]) for k, row in enumerate(matrix))


def _transformer(t: Transformer, name: str, bus: dict[str, str]) -> str:
    clock = round(t.shift_degree / 30) % 12
    if (t.connection, clock) not in GROUPS:
        raise GridError(f"transformer {t.id}: no audit by OpenDSS for vector group {t.connection}{clock}")
    lead, turns = GROUPS[t.connection, clock]
    delta = t.connection == "Dyn"
    # A zero-sequence impedance of its own is what an impedance at the neutral adds, three times.
    taps = (t.tap_ratio, 1.0) if t.tap_side == "hv" else (1.0, t.tap_ratio)
    extra = (t.z0_pu - t.z1_pu) / 3 * (t.lv_v * taps[1]) ** 2 / t.s_rated_va
    neutral = f"4 Rneut={extra.real:.12g} Xneut={extra.imag:.12g}" if extra else "0"
    r, x, kva = 100 * t.z1_pu.real, 100 * t.z1_pu.imag, t.s_rated_va / 1e3
    return (
        f"New {name} phases=3 windings=2 LeadLag={lead} XHL={x:.12g} ppm_antifloat=0 {_core(t.magnetising_pu)}"
        f" wdg=1 bus={bus[t.hv_node]}.1.2.3{'' if delta else '.0'} conn={'delta' if delta else 'wye'}"
        f" kV={t.hv_v / 1e3:.12g} kVA={kva:.12g} %r={r / 2:.12g} tap={taps[0]:.12g}"
        f" wdg=2 bus={bus[t.lv_node]}.{TURNED[turns]}.{neutral} conn=wye"
        f" kV={t.lv_v / 1e3:.12g} kVA={kva:.12g} %r={r / 2:.12g} tap={taps[1]:.12g}"
    )


def _centre_tap(t: CentreTap, name: str, bus: dict[str, str]) -> str:
    """The usual split of a centre-tapped transformer's impedance over its windings."""
    r, x, kva = 100 * t.z_pu.real, 100 * t.z_pu.imag, t.s_rated_va / 1e3
    first, second = [NUMBER[phase] for phase in t.hv_phases] + [0] * (2 - len(t.hv_phases))
    halves = "".join(
        f" wdg={k} bus={bus[t.lv_node]}.{nodes} kV={t.lv_v / 1e3:.12g} kVA={kva:.12g} %r={r:.12g}"
        for k, nodes in ((2, "1.0"), (3, "0.2"))
    )
    return (
        f"New {name} phases=1 windings=3 ppm_antifloat=0 {_core(t.magnetising_pu)}"
        f" wdg=1 bus={bus[t.hv_node]}.{first}.{second} kV={t.hv_v / 1e3:.12g} kVA={kva:.12g} %r={r / 2:.12g}"
        f"{halves} xhl={1.2 * x:.12g} xht={1.2 * x:.12g} xlt={0.8 * x:.12g}"
    )


def _capacitors(equipment: Equipment, bus: dict[str, str]) -> Iterator[str]:
    """One capacitor per phase of each bank that is closed."""
    nominal_v = {node.id: node.nominal_v for node in equipment.nodes}
    for k, bank in enumerate(equipment.capacitors):
        for phase in bank.phases if bank.closed else "":
            kind, sign = ("Capacitor", 1.0) if bank.q_rated_var >= 0 else ("Reactor", -1.0)
            yield (
                f"New {kind}.c{k}{phase} bus1={bus[bank.node]}.{NUMBER[phase]} phases=1"
                f" kV={nominal_v[bank.node] / 1e3:.12g} kvar={sign * bank.q_rated_var / len(bank.phases) / 1e3:.12g}"
            )


def _core(y_pu: complex) -> str:
    return f"%noloadloss={100 * y_pu.real:.12g} %imag={100 * abs(y_pu.imag):.12g}"
