"""Which home's client does what in the demonstration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envelope import EnvelopeSchedule
from envelope.demo.day import STEPS
from envelope.demo.scenario import Scenario
from gridmodel.arrays import Real

AGGREGATOR, GATEWAY = "aggregator", "gateway"


@dataclass(frozen=True, slots=True)
class Roles:
    """Positions of the connections by the role of their client."""

    aggregator: tuple[int, ...]
    gateway: int
    silent: tuple[int, ...]
    disobeying: tuple[int, ...]


def roles_of(
    scenario: Scenario, schedule: EnvelopeSchedule, *, seed: int, silent_percent: float, disobey_percent: float
) -> Roles:
    """Return the roles: one gateway polls, others go silent or disobey, and an aggregator serves the rest."""
    flexible = np.flatnonzero(scenario.day.flexible)
    order = [int(at) for at in np.random.default_rng([seed, 6]).permutation(flexible)]
    silent = round(silent_percent / 100 * len(order))
    disobeying = round(disobey_percent / 100 * len(order))
    gateway, quiet, rest = order[0], order[1 : 1 + silent], order[1 + silent :]
    beyond = beyond_w(scenario, schedule)
    rest.sort(key=lambda at: -beyond[at])
    return Roles(tuple(sorted(rest)), gateway, tuple(sorted(quiet)), tuple(sorted(rest[:disobeying])))


def beyond_w(scenario: Scenario, schedule: EnvelopeSchedule) -> Real:
    """Return by how much each home would exceed its limits without obeying them, (C,) W summed over the intervals."""
    net = scenario.grown.powers.s_va.real.reshape(schedule.steps, STEPS // schedule.steps, -1).mean(axis=1)
    beyond = np.maximum(net - schedule.export_limit_w, -net - schedule.import_limit_w)
    return np.asarray(np.maximum(beyond, 0.0).sum(axis=0), dtype=float)
