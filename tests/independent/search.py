"""The worst corner of a box: greedy search from several starts, and random corners, in every state of a day."""

from dataclasses import dataclass, field

import numpy as np

from tests.independent.circuit import Circuit

KINDS, UNITS = ("over-voltage", "under-voltage", "overload"), ("V", "V", "%")
CHUNK, ROUNDS, GAIN = 20_000, 8, 1e-4
KEPT = 16
"""patterns of the climbs that are tried in all states, per kind"""


@dataclass(frozen=True)
class States:
    """K states of a day: the interval each is in, VA that is fed in with no device running, and V at the source."""

    step: np.ndarray
    own_va: np.ndarray
    source_v: np.ndarray
    name: tuple[str, ...]

    def only(self, which: np.ndarray) -> "States":
        return States(self.step[which], self.own_va[which], self.source_v[which], tuple(self.name[k] for k in which))


@dataclass(frozen=True)
class Box:
    """(K, C) W fed in, lowest and highest; together: only all low or all high."""

    low_w: np.ndarray
    high_w: np.ndarray
    together: bool = False


@dataclass
class Worst:
    """The worst of one kind: how far beyond its limit, V or percent, where, and in how many states any is."""

    beyond: float = -np.inf
    state: str = ""
    element: str = ""
    broken: set[str] = field(default_factory=set)
    s_va: np.ndarray = field(default_factory=lambda: np.zeros(0))
    source_v: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def said(self, kind: int) -> str:
        many = f"{len(self.broken)} states"
        return f"{KINDS[kind]} {self.beyond:+.3f} {UNITS[kind]} at {self.element} in {self.state}, {many}"


@dataclass(frozen=True)
class Effort:
    """random: corners tried in every state; climbs: states from which each kind climbs, worst first; seed."""

    random: int = 8
    climbs: int = 8
    seed: int = 1


class Search:
    """One circuit, one day, one box, one band of volts."""

    def __init__(self, circuit: Circuit, states: States, band_v: tuple[float, float], effort: Effort) -> None:
        self.circuit, self.states, self.band_v, self.effort = circuit, states, band_v, effort
        self.rng = np.random.default_rng(effort.seed)
        self.worst = [Worst() for _ in KINDS]
        self.most = np.full((len(KINDS), len(states.step)), -np.inf)
        """(3, K) how far beyond its limit the worst of each kind is in each state"""
        self.outside = np.zeros((len(states.step), len(circuit.voltage_name)), dtype=bool)
        """(K, N) whether the voltage at a node is beyond a limit at any corner"""
        self.tried = 0

    def run(self, box: Box) -> None:
        """Looks into one box; what is worst so far stays."""
        count, everyone = len(self.circuit.ports), np.arange(len(self.states.step))
        patterns = [np.zeros(count, dtype=bool), np.ones(count, dtype=bool)]
        if box.together:
            self._try_all(box, patterns)
            return
        node = np.array([port.nodes[0] for port in self.circuit.ports])
        patterns += [np.isin(node, [k + 1 for k in range(3) if code >> k & 1]) for code in range(1, 7)]
        patterns += [self.rng.random(count) < 0.5 for _ in range(self.effort.random)]
        values, elements = self._try_all(box, patterns)
        for kind in range(3):
            best = values[:, :, kind].argmax(axis=1)
            most = values[everyone, best, kind]
            order = np.argsort(-most)[: self.effort.climbs]
            some = self.rng.choice(everyone, min(4, len(everyone)), replace=False)
            at = np.unique(np.concatenate([order, some]))
            # From the worst pattern of each state, and from a random one for the same element.
            start = np.stack([patterns[k] for k in best[at]])
            again = self.rng.random(start.shape) < 0.5
            element = elements[at, best[at], kind]
            found = self._climb(box, np.tile(at, 2), np.tile(element, 2), kind=kind, x=np.concatenate([start, again]))
            self._try_all(box, list(np.unique(found[:KEPT], axis=0)))

    def _try_all(self, box: Box, patterns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(K, n, 3) worst of each kind and (K, n, 3) where, at these patterns in every state."""
        count = len(self.states.step)
        values, places = np.empty((count, len(patterns), 3)), np.empty((count, len(patterns), 3), dtype=int)
        every = np.arange(count)
        for k, pattern in enumerate(patterns):
            values[:, k], places[:, k] = self._note(box, every, np.tile(pattern, (count, 1)))
        return values, places

    def _note(self, box: Box, at: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s, source = self._injected(box, at, x), self.states.source_v[at]
        tables = self._beyond(s, source)
        values, places = np.empty((len(at), 3)), np.empty((len(at), 3), dtype=int)
        names = (self.circuit.voltage_name, self.circuit.voltage_name, self.circuit.branch_name)
        row, node = np.nonzero(np.maximum(tables[0], tables[1]) > 0.0)
        self.outside[at[row], node] = True
        for kind, (table, worst) in enumerate(zip(tables, self.worst, strict=True)):
            places[:, kind] = table.argmax(axis=1)
            values[:, kind] = table.max(axis=1)
            np.maximum.at(self.most[kind], at, values[:, kind])
            worst.broken |= {self.states.name[at[k]] for k in np.flatnonzero(values[:, kind] > 0.0)}
            top = int(values[:, kind].argmax())
            if values[top, kind] > worst.beyond:
                worst.beyond, worst.state = float(values[top, kind]), self.states.name[at[top]]
                worst.element = names[kind][places[top, kind]]
                worst.s_va, worst.source_v = s[top], source[top]
        self.tried += len(at)
        return values, places

    def _injected(self, box: Box, at: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.where(x, box.high_w[at], box.low_w[at]) + 1j * self.states.own_va[at].imag

    def _beyond(self, s: np.ndarray, source: np.ndarray) -> list[np.ndarray]:
        """Three tables of how far beyond the limits; what has no solution is infinitely far."""
        found = self.circuit.solve(s, source)
        low, high = self.band_v
        tables = [found.volts - high, low - found.volts, found.loading - 100.0]
        return [np.where(np.isnan(table), np.inf, table) for table in tables]

    def _climb(self, box: Box, at: np.ndarray, element: np.ndarray, *, kind: int, x: np.ndarray) -> np.ndarray:
        """(n, C) patterns at which no single customer's other end is worse for its element."""
        x = x.copy()
        going = np.arange(len(at))
        for _ in range(ROUNDS):
            now = self._of(box, at[going], x[going], (kind, element[going]))
            gain = self._flips(box, at[going], x[going], (kind, element[going])) - now[:, None]
            going, gain, now = (table[gain.max(axis=1) > GAIN] for table in (going, gain, now))
            if not len(going):
                break
            # All that helps at once; where that helps less than the best one alone, only that one.
            many = x[going] ^ (gain > GAIN)
            one = x[going].copy()
            one[np.arange(len(going)), gain.argmax(axis=1)] ^= True
            better = self._of(box, at[going], many, (kind, element[going])) >= now + gain.max(axis=1)
            x[going] = np.where(better[:, None], many, one)
        values, _ = self._note(box, at, x)
        return x[np.argsort(-values[:, kind])]

    def _of(self, box: Box, at: np.ndarray, x: np.ndarray, what: tuple[int, np.ndarray]) -> np.ndarray:
        """(n,) how far beyond its limit each one's element is."""
        kind, element = what
        found = np.empty(len(at))
        for start in range(0, len(at), CHUNK):
            part = slice(start, start + CHUNK)
            table = self._beyond(self._injected(box, at[part], x[part]), self.states.source_v[at[part]])[kind]
            found[part] = table[np.arange(len(table)), element[part]]
        return found

    def _flips(self, box: Box, at: np.ndarray, x: np.ndarray, what: tuple[int, np.ndarray]) -> np.ndarray:
        """(n, C) the same with each customer in turn at its other end."""
        count = x.shape[1]
        flipped = (x[:, None, :] ^ np.eye(count, dtype=bool)[None]).reshape(-1, count)
        kind, element = what
        return self._of(box, np.repeat(at, count), flipped, (kind, np.repeat(element, count))).reshape(-1, count)

    def confirmed(self) -> list[float]:
        """The worst of each kind by OpenDSS itself."""
        found = []
        for kind, worst in enumerate(self.worst):
            solved = self.circuit.confirm(worst.s_va, worst.source_v)
            low, high = self.band_v
            names = self.circuit.branch_name if kind == 2 else self.circuit.voltage_name
            table = (solved.volts - high, low - solved.volts, solved.loading - 100.0)[kind][0]
            found.append(float(table[names.index(worst.element)]))
        return found
