"""The worst corners that a verification has found, by kind of limit and step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envelope.verification.box_corners import At
from gridmodel.arrays import Real

Corner = tuple[str, int, int, Real]
Distinct = tuple[int, int, bytes]


class WorstCorners:
    """Worst of the three kinds in each step, and where it was found."""

    def __init__(self, steps: int, ports: int) -> None:
        self.beyond = np.full((3, steps), -np.inf)
        self.element = np.zeros((3, steps), dtype=np.intp)
        self.away = np.zeros((3, steps, ports))
        self.state = np.zeros((3, steps), dtype=np.intp)
        self.kind = np.full((3, steps), "", dtype=object)

    def note(self, which: int, kind: str, at: At, *, table: Real, away: Real) -> None:
        """Keeps what is worse than before; (S, E) against (S, L)."""
        steps = at.steps
        element = table.argmax(axis=1)
        beyond = table[np.arange(len(steps)), element]
        order = np.argsort(beyond, kind="stable")
        last = order[np.unique(steps[order][::-1], return_index=True)[1] * -1 + len(order) - 1]
        worse = last[beyond[last] > self.beyond[which, steps[last]]]
        now = steps[worse]
        self.beyond[which, now], self.element[which, now] = beyond[worse], element[worse]
        self.away[which, now], self.kind[which, now] = away[worse], kind
        self.state[which, now] = at.states[worse]

    def distinct(self, sample: Sequence[tuple[str, At, Real]]) -> dict[Distinct, Corner]:
        """The worst of each kind and step, and a sample of other corners, each once: kind, state, step, (L,) W away."""
        chosen: list[Corner] = [
            (kind, int(state), int(step), away)
            for kind, at, table in sample
            for state, step, away in zip(*at, table, strict=True)
        ]
        for which in range(3):
            chosen += [
                (str(self.kind[which, step]), int(self.state[which, step]), int(step), self.away[which, step])
                for step in np.flatnonzero(np.isfinite(self.beyond[which]))
            ]
        return {(state, step, away.tobytes()): (kind, state, step, away) for kind, state, step, away in chosen}

    def of_voltages(self, sample: Sequence[tuple[str, At, Real]]) -> tuple[At, Real]:
        """The worst corners of voltages in each step, and a sample of others: (S, L) W away in their states."""
        found = [(at, away) for _, at, away in sample]
        for which in (0, 1):
            steps = np.flatnonzero(np.isfinite(self.beyond[which]))
            found.append((At(self.state[which, steps], steps), self.away[which, steps]))
        at = At(*(np.concatenate(index) for index in zip(*(at for at, _ in found), strict=True)))
        return at, np.concatenate([away for _, away in found])
