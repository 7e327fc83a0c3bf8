"""Opens an OpenDSS circuit: its scripts are run without trust, it is solved once, and the engine's verdict is read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.errors import FileError, FileFaults, GridError
from gridmodel.model.findings import Finding
from gridmodel.readers.opendss_files import ScriptFolder
from gridmodel.readers.opendss_objects import Command, Declared
from gridmodel.readers.opendss_run import ScriptRun

LEAST_ITERATIONS = 100
"""of a solution: OpenDSS's own 15 are too few for a large circuit"""
NO_VOLTAGE_PU, COLLAPSED_PU = 0.01, 0.6
PHASES = 3
"""node numbers that are phases"""
NAMED = 20
"""dead buses and fuses that are named one by one"""
SKIPPED_WHY = {
    "command": "not run: a circuit is read, nothing is shown, written, sampled or started",
    "element": "not modelled: protection, measurement, or control that stands still",
    "option": "not followed: it does not change the network at one hour",
    "coordinates": "not read: no such file in the circuit's folder",
}


@dataclass(slots=True)
class OpenCircuit:
    """A circuit that stands solved in an engine of its own, and what its scripts say."""

    engine: Any
    declared: dict[tuple[str, str], Declared] = field(default_factory=dict)
    places: dict[str, tuple[float, float]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    folder: ScriptFolder | None = None
    """where its data files come from"""


def new_engine(commands: Iterable[str] = ()) -> Any:
    """An OpenDSS engine of its own, after some commands."""
    try:
        from dss import DSS
    except ImportError as e:
        raise GridError("this feeder takes OpenDSS (dss-python): install sep2[opendss]") from e
    engine = DSS.NewContext()
    engine.AllowForms = engine.AllowChangeDir = engine.AllowEditor = engine.AllowDOScmd = False
    for command in commands:
        engine.Text.Command = command
    return engine


def open_circuit(path: Path, folder: Path | None = None) -> OpenCircuit:
    """A circuit, solved at one hour; the files that it names come from `folder`, by default its own.

    Raises FileError where the scripts cannot be used or the circuit has no solution.
    """
    if not path.is_file():
        raise FileError(path, "no such file")
    root = (folder or path.parent).resolve()
    if not path.resolve().is_relative_to(root):
        raise FileError(path, f"is not in {folder}")
    run = ScriptRun(root)
    run.read(path)
    run.open_by_protection()
    if run.faults:
        raise FileFaults(run.faults)
    if ("vsource", "source") not in run.declared:
        raise FileError(path, "declares no circuit")
    engine = new_engine()
    with tempfile.TemporaryDirectory() as empty:
        engine.DataPath = empty
        _pass_on(engine, run.commands)
        found = OpenCircuit(engine, run.declared, run.places, folder=run.folder)
        found.findings = [*_solved(engine, path), *_skipped(run), *_fuses(run), *_dead(engine), *_open_phases(engine)]
    return found


def _pass_on(engine: Any, commands: Iterable[Command]) -> None:
    """Gives the commands to the engine, one by one."""
    from dss import DSSException

    for command in commands:
        try:
            engine.Text.Command = command.text
        except DSSException as e:
            if not command.quietly:
                said = " ".join(str(e).split())
                raise FileError(command.file, f"OpenDSS says: {said}", row=command.row) from None


def _solved(engine: Any, path: Path) -> list[Finding]:
    """Solves at one hour; findings where the controls do not come to rest."""
    from dss import DSSException

    solution = engine.ActiveCircuit.Solution
    most = max(LEAST_ITERATIONS, int(solution.MaxIterations))
    said = ""
    try:
        engine.Text.Command = f"Set mode=snapshot maxiterations={most}"
        solution.Solve()
    except DSSException as e:
        said = " ".join(str(e).split())
    if not solution.Converged:
        raise FileError(
            path, f"OpenDSS finds no solution in {most} iterations with the file's own loads. {said}".strip()
        )
    if solution.ControlIterations >= solution.MaxControlIterations:
        detail = (
            f"do not come to rest in {solution.MaxControlIterations} rounds; taps and capacitors stand where they are"
        )
        return [Finding("warning", "restless_control", path.name, "controls", detail)]
    return [Finding("warning", "opendss", path.name, "solution", f"OpenDSS says: {said}")] if said else []


def _skipped(run: ScriptRun) -> list[Finding]:
    found = []
    for (kind, name), place in run.skipped.items():
        count = f", and {place.count - 1} more" if place.count > 1 else ""
        where = f"{place.file} row {place.row}{count}"
        found.append(Finding("note", "not_followed", f"{kind} {name}", where, SKIPPED_WHY[kind]))
    return found


def _fuses(run: ScriptRun) -> list[Finding]:
    """The ratings of fuses, which limit nothing here."""
    fuses = [one for one in run.declared.values() if one.kind == "fuse" and "ratedcurrent" in one.given]
    return [
        Finding(
            "note",
            "fuse_rating",
            f"fuse {fuse.name}",
            "ratedcurrent",
            f"{fuse.given['ratedcurrent']} A on {fuse.given.get('monitoredobj', 'nothing')}: limits nothing here",
        )
        for fuse in fuses[:NAMED]
    ]


def _dead(engine: Any) -> list[Finding]:
    """Buses without voltage, or with far too little, in the engine's own solution."""
    circuit = engine.ActiveCircuit
    found: list[Finding] = []
    for k in range(circuit.NumBuses):
        bus = circuit.ActiveBus if circuit.SetActiveBusi(k) >= 0 else None
        if bus is None or not bus.kVBase or len(found) == NAMED:
            continue
        volts = [v for n, v in zip(bus.Nodes, np.asarray(bus.puVmagAngle)[0::2], strict=False) if n <= PHASES]
        nodes = [n for n in bus.Nodes if n <= PHASES]
        if any(v < NO_VOLTAGE_PU for v in volts):
            dead = ", ".join(str(n) for n, v in zip(nodes, volts, strict=True) if v < NO_VOLTAGE_PU)
            found.append(Finding("warning", "no_voltage", f"bus {bus.Name.lower()}", "voltage", f"0 V at node {dead}"))
        elif min(volts, default=1.0) < COLLAPSED_PU:
            detail = f"{min(volts):.2g} of its base with the file's own loads: more than the network carries"
            found.append(Finding("warning", "low_voltage", f"bus {bus.Name.lower()}", "voltage", detail))
    return found


def _open_phases(engine: Any) -> list[Finding]:
    """Lines and transformers some of whose phases are open."""
    circuit = engine.ActiveCircuit
    found = []
    for table, kind in ((circuit.Lines, "line"), (circuit.Transformers, "transformer")):
        for name in table.AllNames if table.Count else ():
            circuit.SetActiveElement(f"{kind}.{name}")
            active = circuit.ActiveCktElement
            for end in range(1, int(active.NumTerminals) + 1):
                opened = [k for k in range(1, int(active.NumPhases) + 1) if active.IsOpen(end, k)]
                if opened and len(opened) < int(active.NumPhases):
                    phases = ", ".join(map(str, opened))
                    detail = f"phase {phases} is open at end {end}: what stands behind it has no supply there"
                    found.append(Finding("warning", "open_phase", f"{kind} {name}", "phases", detail))
    return found
