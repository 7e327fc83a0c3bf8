"""An OpenDSS circuit with its own loads, inverters, generators and storage at given injections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gridmodel.arrays import Index, Real
from gridmodel.errors import GridError
from gridmodel.readers.opendss_engine import open_circuit
from gridmodel.solvers.own_solution import Injections, OwnSolution

KINDS = ("load", "pvsystem", "generator", "storage")
CONTROLS = ("regcontrol", "capcontrol", "swtcontrol")
PHASES, NEUTRAL = 3, 4
WIDE = "vminpu=0.01 vmaxpu=9"


@dataclass(frozen=True, slots=True)
class _Rated:
    """One end of an element: its conductors among the element's currents, and what they may carry."""

    element: str
    name: str
    conductors: tuple[int, ...]
    rating_a: float


class OpenDSSCircuit:
    """A circuit as its file has it, taps and capacitors as they stand with the file's own loads."""

    def __init__(self, path: Path, folder: Path | None = None) -> None:
        self.engine = open_circuit(path, folder).engine
        self.circuit = self.engine.ActiveCircuit
        names = [str(name).lower() for name in self.circuit.AllElementNames]
        self.elements = tuple(n for n in names if n.split(".")[0] in KINDS and self._enabled(n))
        for name in names:
            if name.split(".")[0] in CONTROLS:
                self._say(f'Edit "{name}" enabled=no')
        self.sources = [(str(n), *self._source(str(n))) for n in self.circuit.Vsources.AllNames]
        self._say("Set mode=snapshot controlmode=off loadmult=1 genmult=1 tolerance=1e-9 maxiterations=500")
        self.present: dict[str, complex] = {}
        for name in self.elements:
            self._set(name, 0j)
        self.circuit.Solution.Solve()
        self.rated = self._rated()
        self.ratings_a = np.array([one.rating_a for one in self.rated])
        self.conductors, self.first = self._places()
        self.names, self.plus, self.minus, self.nominal_v = self._voltages()

    def solve(self, cases: Sequence[Injections], head: Sequence[float] | None = None) -> OwnSolution:
        """Scenarios one after another."""
        v = np.full((len(cases), len(self.names)), np.nan)
        loading = np.full((len(cases), len(self.rated)), np.nan)
        done = np.zeros(len(cases), dtype=np.bool_)
        for k, case in enumerate(cases):
            if unknown := set(case) - set(self.elements):
                raise GridError(f"{sorted(unknown)[0]} is no load, inverter, generator or storage of the circuit")
            for name in self.elements:
                self._set(name, complex(case.get(name, 0j)))
            self._set_head(1.0 if head is None else float(head[k]))
            self.circuit.Solution.Solve()
            done[k] = self.circuit.Solution.Converged
            if done[k]:
                raw = np.asarray(self.circuit.YNodeVarray)
                volts = np.append(raw[0::2] + 1j * raw[1::2], 0.0)
                v[k] = np.abs(volts[self.plus] - volts[self.minus])
                loading[k] = self._loading()
        names = tuple(one.name for one in self.rated)
        return OwnSolution(tuple(self.names), v, self.nominal_v, names, loading, done)

    def _say(self, command: str) -> None:
        self.engine.Text.Command = command

    def _enabled(self, name: str) -> bool:
        self.circuit.SetActiveElement(name)
        return bool(self.circuit.ActiveCktElement.Enabled)

    def _source(self, name: str) -> tuple[float, float]:
        self.circuit.Vsources.Name = name
        return float(self.circuit.Vsources.pu), float(self.circuit.Vsources.AngleDeg)

    def _set_head(self, factor: float) -> None:
        for name, pu, _ in self.sources:
            self.circuit.Vsources.Name = name
            self.circuit.Vsources.pu = pu * factor

    def _set(self, name: str, power: complex) -> None:
        """Constant power at an element, injection positive; only where it changes."""
        if self.present.get(name) == power:
            return
        kind, p, q = name.split(".", maxsplit=1)[0], power.real / 1e3, power.imag / 1e3
        if kind == "load":
            self._say(f'Edit "{name}" model=1 {WIDE} status=fixed kW={-p:.12g} kvar={-q:.12g}')
        elif kind == "generator":
            self._say(f'Edit "{name}" model=1 {WIDE} status=fixed kW={p:.12g} kvar={q:.12g}')
        elif kind == "storage":
            size = max(abs(power) / 1e3, 1e-3) * 2
            self._say(
                f'Edit "{name}" model=1 {WIDE} kwhrated={size * 10:.12g} %stored=50 kwrated={size:.12g} kva={size:.12g}'
                f" %idlingkw=0 %effcharge=100 %effdischarge=100 state={'discharging' if p > 0 else 'charging'}"
                f" kW={p:.12g} kvar={q:.12g}"
            )
        else:
            if p < 0:
                raise GridError(f"{name} cannot take power, and no load stands with it at its connection")
            size = max(abs(power) / 1e3, 1e-3) * 2
            self._say(
                f'Edit "{name}" model=1 {WIDE} kva={size:.12g} kvarmax={size:.12g} kvarmaxabs={size:.12g}'
                f" %cutin=0 %cutout=0 irradiance=1 %pmpp=100 temperature=25 pmpp={p:.12g} kvar={q:.12g}"
            )
        self.present[name] = power

    def _voltages(self) -> tuple[list[str], Index, Index, Real]:
        """(names, node, neutral node or the earth behind the last, base) of every phase that has a base."""
        order = {str(name).lower(): k for k, name in enumerate(self.circuit.YNodeOrder)}
        names, plus, minus, base = [], [], [], []
        for k in range(self.circuit.NumBuses):
            self.circuit.SetActiveBusi(k)
            bus = self.circuit.ActiveBus
            own = str(bus.Name).lower()
            for node in bus.Nodes if bus.kVBase > 0 else ():
                if node <= PHASES:
                    names.append(f"bus {own}.{node}")
                    plus.append(order[f"{own}.{node}"])
                    minus.append(order.get(f"{own}.{NEUTRAL}", len(order)))
                    base.append(1e3 * float(bus.kVBase))
        return names, np.array(plus, dtype=np.intp), np.array(minus, dtype=np.intp), np.array(base)

    def _rated(self) -> list[_Rated]:
        found: list[_Rated] = []
        for name in self.circuit.Lines.AllNames if self.circuit.Lines.Count else ():
            self.circuit.SetActiveElement(f"line.{name}")
            one = self.circuit.ActiveCktElement
            if one.Enabled and one.NormalAmps > 0:
                width = int(one.NumConductors)
                for end in range(2):
                    places = tuple(range(end * width, (end + 1) * width))
                    found.append(_Rated(f"line.{name}", f"line {name}, end {end + 1}", places, float(one.NormalAmps)))
        for name in self.circuit.Transformers.AllNames if self.circuit.Transformers.Count else ():
            self.circuit.SetActiveElement(f"transformer.{name}")
            if self.circuit.ActiveCktElement.Enabled:
                found += self._rated_windings(str(name))
        return found

    def _rated_windings(self, name: str) -> list[_Rated]:
        """Every winding of a transformer, by its own kVA and kV; halves of a split secondary share the first's kVA."""
        active, one = self.circuit.ActiveCktElement, self.circuit.Transformers
        phases, width = int(active.NumPhases), int(active.NumConductors)
        buses = [str(bus).lower().split(".")[0] for bus in active.BusNames]
        one.Name, found, first = name, [], 0.0
        for winding in range(int(one.NumWindings)):
            one.Wdg = winding + 1
            size = float(one.kVA)
            first = first or size
            halves = buses.count(buses[winding]) if winding and phases == 1 else 1
            size = min(size, first / halves) if halves > 1 else size
            rating_a = size / float(one.kV) / (np.sqrt(3) if phases == PHASES else 1.0)
            places = tuple(range(winding * width, winding * width + phases))
            # A single-phase winding may have its phase in either of its two conductors.
            places = tuple(range(winding * width, (winding + 1) * width)) if phases == 1 else places
            found.append(_Rated(f"transformer.{name}", f"transformer {name}, winding {winding + 1}", places, rating_a))
        one.Wdg = 1
        return found

    def _places(self) -> tuple[Index, Index]:
        """Position of each rated end's conductors among the currents of all elements, and where each end's begin.

        All currents in one call are several times as fast as those of each element.
        """
        every = self.circuit.PDElements
        sizes = np.array(every.AllNumConductors) * np.array(every.AllNumTerminals)
        begin = np.concatenate([[0], np.cumsum(sizes)])
        at = {str(name).lower(): int(first) for name, first in zip(every.AllNames, begin, strict=False)}
        places = [at[one.element.lower()] + k for one in self.rated for k in one.conductors]
        counts = [len(one.conductors) for one in self.rated]
        return np.array(places, dtype=np.intp), np.concatenate([[0], np.cumsum(counts)])[:-1].astype(np.intp)

    def _loading(self) -> Real:
        """The most current of each rated end over its rating."""
        if not self.rated:
            return np.zeros(0)
        raw = np.asarray(self.circuit.PDElements.AllCurrents)
        amps = np.abs(raw[0::2] + 1j * raw[1::2])
        return np.asarray(np.maximum.reduceat(amps[self.conductors], self.first) / self.ratings_a)
