"""The power flow with tap changers: where each control could come to rest, and where it does.

A control rests wherever its voltage is inside its band, so that for one state of the network there is a whole interval
of positions. Which of them it takes depends on where it came from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gridmodel.arrays import Complex, Index, Mask, Real
from gridmodel.errors import GridError
from gridmodel.flow.kron import Reduced, reduce
from gridmodel.flow.power_flow import currents, phasors, solve
from gridmodel.model.equipment import Equipment
from gridmodel.model.network import SIDE, Network
from gridmodel.model.regulators import HOLDING, Mode, Regulator

SWEEPS = 12  # over the controls, each with the others where they stand
LOW_VOLTAGE_V = 230.0  # what the power flow's tolerances are made for
GUESSES = 4  # positions tried by the voltage that is missing, before halving the interval


class State(NamedTuple):
    """S solved scenarios as R controls see them. Voltages are magnitudes behind the potential transformer."""

    v: Complex
    """(S, L) across the ports, V"""
    load_v: Real
    """(S, R) load side, line drop compensated by the forward settings"""
    backward_v: Real
    """(S, R) load side, by the reverse settings"""
    source_v: Real
    """(S, R) source side, by the reverse settings, at the load side's nominal voltage"""
    power_w: Real
    """(S, R) towards the load side"""
    converged: Mask
    """(S,)"""


class Resting(NamedTuple):
    """Positions between which a control would rest, (S,) each."""

    low: Index
    high: Index
    holds: Mask
    """whether it stands still wherever it is; low and high then are its whole range"""


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where a control's transformer is in the network."""

    branch: int
    ports: Index
    """(6,) place of phases a, b, c of the source side and of the load side among the branch's terminals, or -1"""
    phases: Mask
    """(3,) whose taps it moves"""
    nominal_ratio: float
    """nominal voltage of the load side over that of the source side"""


class Tapped:
    """A network with its controls, reduced once for every set of positions that is asked for."""

    def __init__(self, network: Network, regulators: Sequence[Regulator] | None = None) -> None:
        """`regulators` default to those of the network's equipment."""
        own = () if network.equipment is None else network.equipment.regulators
        self.network, self.regulators = network, tuple(own if regulators is None else regulators)
        self.places = tuple(_place(network, regulator) for regulator in self.regulators)
        moved = Counter((r.transformer, phase) for r in self.regulators for phase in r.phases)
        for (transformer, phase), count in moved.items():
            if count > 1:
                raise GridError(f"transformer {transformer}: {count} regulators move the taps of phase {phase}")
        self._known: dict[tuple[int, ...], tuple[Network, Reduced]] = {}
        self._base = base_of(network)

    @property
    def present(self) -> Index:
        """(R,) where the controls stand now."""
        return np.array([regulator.tap for regulator in self.regulators], dtype=np.intp)

    def reduced(self, taps: Sequence[int] | Index) -> Reduced:
        """The network with its taps there."""
        return self._at(taps)[1]

    def moved(self, taps: Sequence[int] | Index) -> Network:
        """The network with its taps there. Its equipment is dropped where the phases of a transformer differ."""
        branches, scale = self.network.branches, np.ones(self.network.branches.y_s.shape[:2])
        for tap, regulator, place in zip(taps, self.regulators, self.places, strict=True):
            side = place.ports[:SIDE] if regulator.tap_side == "hv" else place.ports[SIDE : 2 * SIDE]
            # The same voltage at a winding of more turns is less flux: its rows and its columns are divided.
            scale[place.branch, side[place.phases]] *= regulator.ratio(regulator.tap) / regulator.ratio(int(tap))
        y = branches.y_s * scale[:, :, None] * scale[:, None, :]
        equipment = (
            None if self.network.equipment is None else _equipment(self.network.equipment, self.regulators, taps)
        )
        return replace(self.network, branches=replace(branches, y_s=y), equipment=equipment)

    def state(self, taps: Index, s_va: Complex, source_v: Complex | None = None) -> State:
        """Power flow of S scenarios, each at its own positions: (R,) or (S, R), (S, L) and (3,) or (S, 3)."""
        s = np.atleast_2d(s_va)
        shape = len(s), len(self.regulators)
        found = State(
            np.empty(s.shape, dtype=np.complex128),
            np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(len(s), dtype=bool),
        )  # fmt: skip
        positions, group = np.unique(np.broadcast_to(taps, shape), axis=0, return_inverse=True)
        for k, position in enumerate(positions):
            of = np.flatnonzero(group.ravel() == k)
            for into, value in zip(found, self._seen(position, s[of], _rows(source_v, of)), strict=True):
                into[of] = value
        return found

    def loading(self, taps: Index, s_va: Complex, source_v: Complex | None = None) -> dict[str, float]:
        """Per rated branch, the most that any phase carries in any of S scenarios, over its rating."""
        s = np.atleast_2d(s_va)
        positions, group = np.unique(np.broadcast_to(taps, (len(s), len(self.regulators))), axis=0, return_inverse=True)
        worst: dict[str, float] = {}
        for k, position in enumerate(positions):
            of = np.flatnonzero(group.ravel() == k)
            reduced = scaled(self.reduced(position), self._base)
            part = currents(reduced, solve(reduced, s[of], _rows(source_v, of))) / reduced.rating_a
            branches = reduced.network.branches
            for branch, share in zip(reduced.current_branch, part.max(axis=0), strict=True):
                name = f"{branches.kind[branch]} {branches.id[branch]}"
                worst[name] = max(worst.get(name, 0.0), float(share))
        return worst

    def resting(self, taps: Index, s_va: Complex, source_v: Complex | None = None, *, which: int) -> Resting:
        """Where control `which` would rest in S scenarios while the others stand at `taps`, (R,) or (S, R)."""
        regulator, s = self.regulators[which], np.atleast_2d(s_va)
        at = np.array(np.broadcast_to(taps, (len(s), len(self.regulators))))
        now = self.state(at, s, source_v)
        holds = _holds(regulator, now.power_w[:, which] < 0.0) | ~now.converged
        low, high = np.full(len(s), regulator.tap_min), np.full(len(s), regulator.tap_max)
        todo = np.flatnonzero(~holds)
        if len(todo):
            given = at[todo], s[todo], _rows(source_v, todo)
            up, down = (self._end(which, *given, sign=sign) for sign in (1, -1))
            # Where the band is narrower than a step the control goes to and fro between the two.
            low[todo], high[todo] = np.minimum(up, down), np.maximum(up, down)
        return Resting(low.astype(np.intp), high.astype(np.intp), holds)

    def settle(self, s_va: Complex, source_v: Complex | None = None) -> Index:
        """(S, R) where the controls come to rest, moving from where they stand now."""
        s = np.atleast_2d(s_va)
        at = np.tile(self.present, (len(s), 1))
        for _ in range(SWEEPS):
            before = at.copy()
            for which in range(len(self.regulators)):
                found = self.resting(at, s, source_v, which=which)
                at[:, which] = np.clip(at[:, which], found.low, found.high)
            if np.array_equal(at, before):
                break
        return at

    def _end(self, which: int, taps: Index, s: Complex, source_v: Complex | None, *, sign: int) -> Index:
        """(S,) with sign 1 the lowest position from which a control does not go up, with -1 the highest for down."""
        regulator = self.regulators[which]
        first, last = (regulator.tap_min, regulator.tap_max)[::sign]
        goes, rests = np.full(len(s), first - sign), np.full(len(s), last)
        at, todo, tries = taps[:, which].copy(), np.arange(len(s)), 0
        while len(todo):
            inner, outer = goes[todo] + sign, rests[todo] - sign
            middle = (inner + outer) // 2
            trial = np.clip(at[todo] if tries < GUESSES else middle, np.minimum(inner, outer), np.maximum(inner, outer))
            positions = taps[todo].copy()
            positions[:, which] = trial
            state = self.state(positions, s[todo], _rows(source_v, todo))
            push, missing = _asked(regulator, state, which, trial, sign=sign)
            moves = push * sign > 0
            goes[todo[moves]], rests[todo[~moves]] = trial[moves], trial[~moves]
            at[todo], tries = trial + missing, tries + 1
            todo = todo[np.abs(rests[todo] - goes[todo]) > 1]
        return rests

    def _at(self, taps: Sequence[int] | Index) -> tuple[Network, Reduced]:
        key = tuple(int(tap) for tap in taps)
        if key not in self._known:
            network = self.moved(key)
            self._known[key] = network, reduce(network)
        return self._known[key]

    def _seen(self, taps: Index, s: Complex, source_v: Complex | None) -> State:
        """All scenarios at the same positions."""
        network, whole = self._at(taps)
        ends = network.branches.terminals[[place.branch for place in self.places]]
        reduced = whole.watching(np.isin(whole.node_terminal, ends), np.zeros(0, dtype=np.intp))
        reduced = scaled(reduced, self._base)
        flow = solve(reduced, s, source_v)
        u, found = phasors(reduced, flow), np.zeros((4, len(s), len(self.regulators)))
        for r, (regulator, place) in enumerate(zip(self.regulators, self.places, strict=True)):
            # A terminal that is not there has a column and a row of zeros.
            v = np.where(ends[r] >= 0, u[:, np.searchsorted(reduced.node_terminal, ends[r])], 0.0)
            i = v @ network.branches.y_s[place.branch].T
            v, i = (np.where(place.ports >= 0, table[:, place.ports], 0.0) for table in (v, i))
            found[:, :, r] = _measured(regulator, place, v, i)
        return State(self._base * flow.v, found[0], found[1], found[2], found[3], flow.converged)


def base_of(network: Network) -> float:
    """By how much to scale a network with `scaled`: 1 at low voltage."""
    ports_v = network.terminal_nominal_v[network.connections.port_plus]
    return float(ports_v.max(initial=LOW_VOLTAGE_V)) / LOW_VOLTAGE_V


def scaled(reduced: Reduced, base: float) -> Reduced:
    """The same with port voltages divided by `base` and port currents multiplied by it; powers stay what they are.

    Single precision has no millivolts at ten thousand volts: the power flow settles where ports are at low voltage.
    """
    return replace(
        reduced,
        Z=reduced.Z / base**2,
        W=reduced.W / base,
        nominal_v=reduced.nominal_v / base,
        Zn=reduced.Zn / base,
        H=reduced.H / base,
    )


def _rows(source_v: Complex | None, of: Index) -> Complex | None:
    """The source voltages of some scenarios."""
    return source_v if source_v is None or np.ndim(source_v) == 1 or len(source_v) == 1 else source_v[of]


def _place(network: Network, regulator: Regulator) -> _Place:
    branches, nominal_v = network.branches, network.nodes.nominal_v
    found = [
        k for k, name in enumerate(branches.id) if name == regulator.transformer and branches.kind[k] == "transformer"
    ]
    if len(found) != 1:
        raise GridError(f"regulator {regulator.id}: transformer {regulator.transformer} is not in the network")
    phases = [network.terminal_phase[t] if t >= 0 else "" for t in branches.terminals[found[0]]]
    sides = phases[:SIDE], phases[SIDE : 2 * SIDE]
    ports = [sides[k].index(p) + SIDE * k if p in sides[k] else -1 for k in range(2) for p in "abc"]
    moved = np.array([phase in regulator.phases for phase in "abc"])
    if min(np.array(ports)[np.tile(moved, 2)]) < 0:
        raise GridError(f"regulator {regulator.id}: transformer {regulator.transformer} lacks phase {regulator.phases}")
    ratio = nominal_v[branches.to_node[found[0]]] / nominal_v[branches.from_node[found[0]]]
    return _Place(found[0], np.array(ports, dtype=np.intp), moved, float(ratio))


def _measured(regulator: Regulator, place: _Place, v: Complex, i: Complex) -> list[Real]:
    """load_v, backward_v, source_v and power_w of a State, from (S, 6) voltages and currents into the branch."""
    of_v, of_i, of_power = regulator.weights()
    forward, backward = regulator.forward, regulator.backward
    load_v, load_a = v[:, SIDE:] @ of_v / regulator.pt, -i[:, SIDE:] @ of_i / regulator.ct
    source_v = v[:, :SIDE] @ of_v * place.nominal_ratio / regulator.pt
    source_a = -i[:, :SIDE] @ of_i / place.nominal_ratio / regulator.ct
    return [
        np.abs(load_v - load_a * complex(forward.ldc_r, forward.ldc_x)),
        np.abs(load_v - load_a * complex(backward.ldc_r, backward.ldc_x)),
        np.abs(source_v - source_a * complex(backward.ldc_r, backward.ldc_x)),
        -(v[:, SIDE:] * np.conj(i[:, SIDE:])).real @ of_power.real,
    ]


def _holds(regulator: Regulator, backwards: Mask) -> Mask:
    """Whether a control stands still."""
    if regulator.mode is Mode.FIXED:
        return np.ones_like(backwards)
    return backwards & (regulator.mode in HOLDING)


def _asked(regulator: Regulator, state: State, which: int, at: Index, *, sign: int) -> tuple[Index, Index]:
    """(S,) each: which way a control asks its position to go; about how far it is to the end on side `sign`."""
    backwards, mode = state.power_w[:, which] < 0.0, regulator.mode
    other = backwards & (mode in (Mode.BIDIRECTIONAL, Mode.COGENERATION))
    backward_v = state.source_v if mode is Mode.BIDIRECTIONAL else state.backward_v
    volts = np.where(other, backward_v[:, which], state.load_v[:, which])
    low = np.where(other, regulator.backward.low_v, regulator.forward.low_v)
    high = np.where(other, regulator.backward.high_v, regulator.forward.high_v)
    # More turns raise the voltage on their own side and lower it on the other.
    up = np.where(other & (mode is Mode.BIDIRECTIONAL), -1, 1) * (1 if regulator.tap_side == "lv" else -1)
    push = up * ((volts < low).astype(np.intp) - (volts > high))
    edge = np.where(up * sign > 0, low, high)
    with np.errstate(all="ignore"):
        missing = sign * np.ceil(sign * up * (edge / volts - 1.0) * 100.0 / regulator.tap_step_percent)
    missing = np.where(np.abs(missing) < 1e3, missing, 0.0).astype(np.intp)
    if mode is Mode.NEUTRAL_IDLE:
        home = regulator.neutral - at
        push, missing = np.where(backwards, np.sign(home), push), np.where(backwards, home, missing)
    return push.astype(np.intp), missing


def _equipment(equipment: Equipment, regulators: Sequence[Regulator], taps: Sequence[int] | Index) -> Equipment | None:
    """The same equipment with its taps there; None where the phases of a transformer stand differently."""
    ratio: dict[str, dict[str, tuple[int, float]]] = {}
    for regulator, tap in zip(regulators, taps, strict=True):
        change = int(tap), regulator.ratio(int(tap)) / regulator.ratio(regulator.tap)
        ratio.setdefault(regulator.transformer, {}).update(dict.fromkeys(regulator.phases, change))
    for name, phases in ratio.items():
        changes = {phases.get(phase, (0, 1.0))[1] for phase in "abc"}
        if max(changes) - min(changes) > 1e-12:
            return None
        ratio[name] = {"abc": phases[min(phases)]}
    transformers = tuple(
        replace(t, tap=ratio[t.id]["abc"][0], tap_ratio=t.tap_ratio * ratio[t.id]["abc"][1]) if t.id in ratio else t
        for t in equipment.transformers
    )
    standing = tuple(regulator.at(int(tap)) for regulator, tap in zip(regulators, taps, strict=True))
    return replace(equipment, transformers=transformers, regulators=standing)
