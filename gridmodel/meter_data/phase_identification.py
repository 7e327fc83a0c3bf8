"""Which phase a meter is on, by the feeder's model: every phase is tried, the one that explains its voltage wins.

Correlation alone is misled where neighbours behave alike on several phases, as PV systems do under one sun. Here the
meters' own powers go through the power flow, and what is compared is the voltage that a customer would see on each
phase of his node.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from gridmodel.arrays import Complex, Index, Real
from gridmodel.flow.kron import reduce
from gridmodel.flow.power_flow import solve
from gridmodel.model.equipment import Connection
from gridmodel.model.network import Network, Terminals, connect

ROUNDS = 6  # of trying all phases, each from the phases found before


def on_all_phases(network: Network, connections: Index) -> Network:
    """The same network with only these connections, each with its three phases as ports."""
    nodes, c = network.nodes, network.connections
    given = [Connection(c.id[k], nodes.id[c.node[k]], "unknown") for k in connections]
    index = {name: k for k, name in enumerate(nodes.id)}
    return replace(network, connections=connect(given, index, Terminals(nodes.phases)))


def likely_phases(network: Network, connections: Index, v: Real, s_va: Complex) -> tuple[Index, Real]:
    """(C,) most likely phase 0..2 of each connection, and (C,) the probability that it is not the second best.

    v, s_va: (T, C) measured voltage magnitude (NaN in gaps) and injection of the given connections.
    """
    reduced = reduce(on_all_phases(network, connections))
    count, own = len(connections), np.arange(len(connections))
    phases = [network.connections.phase[k] for k in connections]
    member = np.array(["abc".find(p) if p in "abc" else 0 for p in phases], dtype=np.intp)
    misfit = np.zeros((len(v), count, 3))
    for _ in range(ROUNDS):
        s = np.zeros((len(v), count, 3), dtype=np.complex128)
        s[:, own, member] = s_va
        flow = solve(reduced, s.reshape(len(v), -1))
        seen, i = flow.v.reshape(len(v), count, 3), flow.i.reshape(len(v), count, 3)
        z = reduced.Z.reshape(count, 3, count, 3)[own, :, own, :]
        # Each customer's own current is moved from the phase he is assumed on to the one that is tried.
        without = seen - np.einsum("ch,tc->tch", z[own, :, member], i[:, own, member])
        moved = np.conj(s_va[:, :, None] / seen) * z[own][:, range(3), range(3)]
        misfit = _without_source(v[:, :, None] - np.abs(without + moved), member)
        member = np.argmin(np.nanvar(misfit, axis=0), axis=1).astype(np.intp)
    return member, _probability(misfit, member)


def _without_source(misfit: Real, member: Index) -> Real:
    """(T, C, 3) less what the other meters on that phase miss on average: the source moves each phase by itself."""
    inside = member[:, None] == np.arange(3)
    missed = misfit - np.nanmean(misfit, axis=0)
    own = np.where(inside[None], np.nan_to_num(missed), 0.0)
    known = inside[None] & np.isfinite(missed)
    count = known.sum(axis=1)[:, None, :] - known
    common = np.divide(own.sum(axis=1)[:, None, :] - own, count, out=np.zeros_like(missed), where=count > 0)
    return np.asarray(missed - common)


def _probability(misfit: Real, member: Index) -> Real:
    """(C,) that the phase found misses by less than the second best, from their difference interval by interval.

    A paired test needs no assumption about the noise; intervals that follow one another count as fewer.
    """
    own = np.arange(len(member))
    square = (misfit - np.nanmean(misfit, axis=0)) ** 2
    second = np.argsort(np.nanmean(square, axis=0), axis=1)[:, 1]
    better = square[:, own, second] - square[:, own, member]
    mean = np.nanmean(better, axis=0)
    around = np.nan_to_num(better - mean)
    size = (around**2).sum(axis=0)
    lag = np.divide((around[1:] * around[:-1]).sum(axis=0), size, out=np.zeros_like(size), where=size > 0)
    lag, count = np.clip(lag, 0.0, 0.99), np.isfinite(better).sum(axis=0)
    spread = np.sqrt(size * (1 + lag) / (1 - lag)) / np.maximum(count, 1)
    z = np.divide(mean, spread, out=np.zeros_like(mean), where=spread > 0)
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in z])
