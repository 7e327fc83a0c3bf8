"""What meters say about the map: on which phase and behind which transformer a customer really is.

By correlation: neighbours on one phase of one transformer see the same voltage move. Per group (transformer and phase)
the mean movement of its members is a reference; what all groups have in common (the source) is taken out; a meter
belongs to the group it correlates with best, and never counts in the reference it is compared with. Where the meters'
powers are known too, the phase is found by the feeder's model (`phase_model`), which equal neighbours do not mislead.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gridmodel.arrays import Complex, Index, Real
from gridmodel.errors import FileError, GridError
from gridmodel.meter_data.phase_identification import likely_phases
from gridmodel.model.findings import Finding
from gridmodel.model.network import Network
from gridmodel.readers.tables import Row, read_csv
from gridmodel.validate import fault

CONFIDENT = 0.95  # below, all phases count as possible
ROUNDS = 3  # of moving meters to the group they belong to and taking references anew
FEWEST_INTERVALS = 24
LOSS_SHARE = (-0.02, 0.12)  # of the energy through a transformer that its customers' meters may not explain (assumed)
COLUMNS = ("connection_id", "interval_start", "v_avg")
OPTIONAL = (
    "duration_s", "import_wh", "export_wh", "import_varh", "export_varh", "v_min", "v_max", "quality", "received_at",
    "meter_id", "register", "phase",
)  # fmt: skip
KNOWN_SHARE = 0.9  # of all powers, for the model to be asked


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Meter readings in the order of a network's connections; NaN where there is none."""

    v: Real
    """(T, C) mean phase-to-neutral voltage, V"""
    s_va: Complex
    """(T, C) mean injection, export positive, VA; NaN where there is none"""
    transformer_w: dict[str, Real]
    """per transformer id that has a meter: (T,) the same for all that lies behind it, W"""


@dataclass(frozen=True, slots=True)
class Belonging:
    """Where a connection is drawn, and where its voltage says it is."""

    connection: str
    transformer: str
    phase: str
    likely_transformer: str
    likely_phase: str
    confidence: float
    """probability that the likely group is the right one rather than the next best"""

    @property
    def contradicts(self) -> bool:
        """The likely place is another than the drawn one."""
        return (self.transformer, self.phase) != (self.likely_transformer, self.likely_phase)


def read_readings(path: str | Path, network: Network) -> Readings:
    """Readings of an AMI file (one row per meter and interval); unknown connections are refused."""
    columns: dict[str, int] = {name: k for k, name in enumerate(network.connections.id)}
    transformers = [
        i for i, kind in zip(network.branches.id, network.branches.kind, strict=True) if kind == "transformer"
    ]
    columns |= {name: len(network.connections) + k for k, name in enumerate(transformers) if name not in columns}
    cells: dict[str, dict[int, tuple[float, complex]]] = {}
    for row in read_csv(Path(path), COLUMNS, optional=OPTIONAL):
        name = row.text("connection_id")
        if name not in columns:
            raise row.wrong("connection_id", f"{name} is no connection and no transformer of this network")
        own = cells.setdefault(row.text("interval_start"), {})
        if columns[name] in own:
            raise row.wrong("interval_start", f"{name} has this interval twice")
        own[columns[name]] = _volts(row), _injection_va(row)
    if len(cells) < FEWEST_INTERVALS:
        raise FileError(path, f"{len(cells)} intervals; {FEWEST_INTERVALS} are needed", field="interval_start")
    v = np.full((len(cells), len(columns)), np.nan)
    s_va = np.full(v.shape, complex(np.nan, np.nan))
    for k, start in enumerate(sorted(cells)):
        for column, (volts, power) in cells[start].items():
            v[k, column], s_va[k, column] = volts, power
    count = len(network.connections)
    through = {t: s_va[:, columns[t]].real for t in transformers}
    metered = {t: power for t, power in through.items() if np.isfinite(power).any()}
    return Readings(v[:, :count], s_va[:, :count], metered)


def _injection_va(row: Row) -> complex:
    """Mean injection of the interval; NaN where no energy is given."""
    if "import_wh" not in row and "export_wh" not in row:
        return complex(math.nan, math.nan)
    duration_s = row.number("duration_s")
    if duration_s <= 0:
        raise row.wrong("duration_s", f"{duration_s:g} is not positive")
    watt_hours = row.number("export_wh", 0.0) - row.number("import_wh", 0.0)
    var_hours = row.number("export_varh", 0.0) - row.number("import_varh", 0.0)
    return complex(watt_hours, var_hours) * 3600 / duration_s


def _volts(row: Row) -> float:
    value = row.number("v_avg", math.nan)
    if value < 0:
        raise row.wrong("v_avg", f"{value:g} is negative")
    return value


def upstream(network: Network) -> list[str]:
    """Per connection: id of the nearest transformer on the way to the source, "" where there is none."""
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for k, (a, b) in enumerate(zip(network.branches.from_node, network.branches.to_node, strict=True)):
        neighbours.setdefault(int(a), []).append((int(b), k))
        neighbours.setdefault(int(b), []).append((int(a), k))
    nearest = {network.source.node: ""}
    order = [network.source.node]
    for node in order:
        for other, branch in neighbours.get(node, []):
            if other not in nearest:
                passes = network.branches.kind[branch] == "transformer"
                nearest[other] = network.branches.id[branch] if passes else nearest[node]
                order.append(other)
    return [nearest.get(int(node), "") for node in network.connections.node]


def belongings(network: Network, readings: Readings) -> list[Belonging]:
    """Where every single-phase connection with readings is, by its voltage."""
    transformers, phases = upstream(network), network.connections.phase
    judged = [c for c, phase in enumerate(phases) if phase in {"a", "b", "c", "unknown"}]
    groups = sorted({(t, p) for t in {transformers[c] for c in judged} for p in "abc"})
    if len(groups) < 2:
        raise GridError("no single-phase connection: nothing to compare")
    moves = np.diff(readings.v[:, judged], axis=0)
    member = np.array([_position(groups, (transformers[c], phases[c])) for c in judged], dtype=np.intp)
    for _ in range(ROUNDS):
        score = correlations(moves, member, len(groups))
        member = np.where(np.isnan(score).all(axis=1), member, np.argmax(np.nan_to_num(score, nan=-2.0), axis=1))
    usable = np.isfinite(score).sum(axis=1) >= 2
    seen = np.isfinite(moves).sum(axis=0)
    confidence = [_confidence(row, int(n)) if ok else 0.0 for row, n, ok in zip(score, seen, usable, strict=True)]
    likely = [groups[m] for m in member]
    at = np.array(judged, dtype=np.intp)[usable]
    if len(at) and np.isfinite(readings.s_va[:, at]).mean() >= KNOWN_SHARE:
        phase, sure = likely_phases(network, at, readings.v[:, at], np.nan_to_num(readings.s_va[:, at]))
        for k, p, q in zip(np.flatnonzero(usable), phase, sure, strict=True):
            # Behind another transformer the model would ask at the wrong node.
            if likely[k][0] == transformers[judged[k]]:
                likely[k], confidence[k] = (likely[k][0], "abc"[p]), float(q)
    return [
        Belonging(network.connections.id[c], transformers[c], phases[c], likely[k][0], likely[k][1], confidence[k])
        for k, c in enumerate(judged)
        if usable[k]
    ]


def _position(groups: list[tuple[str, str]], group: tuple[str, str]) -> int:
    return groups.index(group) if group in groups else -1


def correlations(moves: Real, member: Index, groups: int) -> Real:
    """(C, G) correlation of each meter with each group's reference, its own part in it taken out.

    moves: (T, C) voltage changes, NaN in gaps. member: (C,) group of each meter, -1 for none.
    """
    inside = member[:, None] == np.arange(groups)
    known = np.isfinite(moves)
    filled = np.where(known, moves, 0.0)
    sums, counts = filled @ inside, known @ inside.astype(float)
    found = np.full((moves.shape[1], groups), np.nan)
    for c in range(moves.shape[1]):
        own = np.where(inside[c], 1.0, 0.0)
        count = counts - known[:, c, None] * own
        with np.errstate(invalid="ignore", divide="ignore"):
            reference = (sums - filled[:, c, None] * own) / count
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # an interval in which nobody was read
            common = np.nanmean(reference, axis=1)
        found[c] = _correlation(moves[:, c] - common, reference - common[:, None])
    return found


def _correlation(x: Real, references: Real) -> Real:
    """(G,) Pearson correlation of x (T,) with each column of references (T, G), over what both know."""
    found = np.full(references.shape[1], np.nan)
    for g, y in enumerate(references.T):
        both = np.isfinite(x) & np.isfinite(y)
        if np.count_nonzero(both) >= FEWEST_INTERVALS - 1 and x[both].std() > 0 and y[both].std() > 0:
            found[g] = np.corrcoef(x[both], y[both])[0, 1]
    return found


def _confidence(score: Real, intervals: int) -> float:
    """Probability that the best correlation is really above the second (Fisher's z)."""
    first, second = np.sort(score[np.isfinite(score)])[::-1][:2]
    z = np.arctanh(np.clip([first, second], -0.999999, 0.999999))
    return float(0.5 * math.erfc(-(z[0] - z[1]) / math.sqrt(2 * 2 / max(intervals - 3, 1))))


def check_readings(path: str | Path, network: Network) -> list[Finding]:
    """Findings about a file of readings, and of the readings about the map."""
    try:
        return check_meters(network, read_readings(path, network))
    except FileError as e:
        return [fault(e)]
    except GridError as e:
        return [Finding("error", "unusable", str(path), "readings", str(e))]


def check_meters(network: Network, readings: Readings, *, confident: float = CONFIDENT) -> list[Finding]:
    """Findings of the meters about the map: wrong or uncertain phases, wrong transformers, energy that is missing."""
    found: list[Finding] = []
    judged = belongings(network, readings)
    for b in judged:
        element, said = f"connection {b.connection}", f"its voltage says phase {b.likely_phase}"
        if b.confidence < confident:
            detail = f"{said}, confidence {b.confidence:.0%}: all phases count"
            found.append(Finding("note", "uncertain_phase", element, "phase", detail))
        elif b.likely_transformer != b.transformer:
            detail = (
                f"{said} of transformer {b.likely_transformer}, not {b.transformer} (confidence {b.confidence:.0%})"
            )
            found.append(Finding("warning", "wrong_transformer", element, "node", detail))
        elif b.contradicts:
            detail = f"{said}, the map says {b.phase} (confidence {b.confidence:.0%})"
            found.append(Finding("warning", "wrong_phase", element, "phase", detail))
    silent = set(network.connections.id) - {b.connection for b in judged}
    if silent:
        detail = f"{len(silent)} connections have no usable voltage, as {min(silent)}"
        found.append(Finding("note", "no_readings", network.name, "v_avg", detail))
    return found + list(_balance(network, readings))


def _balance(network: Network, readings: Readings) -> Iterator[Finding]:
    """Energy through a metered transformer that its customers' meters do not explain."""
    behind = np.array(upstream(network))
    for transformer, measured in readings.transformer_w.items():
        own = readings.s_va[:, behind == transformer].real
        complete = np.isfinite(measured) & np.isfinite(own).all(axis=1)
        through = float(np.abs(measured[complete]).sum())
        if through > 0:
            missing = float((own[complete].sum(axis=1) - measured[complete]).sum()) / through
            if not LOSS_SHARE[0] <= missing <= LOSS_SHARE[1]:
                detail = f"{missing:.1%} of its energy is not at its customers' meters (losses are below 12 %)"
                yield Finding("warning", "energy_balance", f"transformer {transformer}", "import_wh", detail)
