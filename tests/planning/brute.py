"""The studies' figures once more: hour by hour with OpenDSS, plain loops, and no code of the studies."""

import math

import numpy as np

from gridmodel import port_va
from gridmodel.solvers.opendss import circuit_of

LIFE_H, REFERENCE_K, AGEING_K = 180_000.0, 383.0, 15_000.0


def loadings(reduced, drawn_va, source_v=None):
    """(T,) load over rating of the one transformer's most loaded phase, solved by OpenDSS one state after another."""
    circuit = circuit_of(reduced)
    rows = [k for k, b in enumerate(reduced.current_branch) if reduced.network.branches.kind[b] == "transformer"]
    found = []
    for t, row in enumerate(drawn_va):
        source = None if source_v is None else source_v[t : t + 1]
        solved = circuit.magnitudes(port_va(reduced.network, -row[None]), source)
        assert solved.converged.all()
        found.append(max(solved.i_a[0, k] / reduced.rating_a[k] for k in rows))
    return np.array(found)


def hours_and_longest(load, hours=1.0):
    """Hours over the rating, and the longest run of a series that begins again where it ends."""
    over = [one > 1.0 for one in load]
    longest = run = 0
    for one in over + over:
        run = run + 1 if one else 0
        longest = max(longest, min(run, len(over)))
    return sum(over) * hours, longest * hours


def hottest_and_life(load, ambient_c, step_s, repeats=6):
    """Hottest winding and life in years, by many small steps through the series until it repeats (IEEE C57.91)."""
    oil = winding = 0.0
    small_s = 10.0
    for _turn in range(repeats):
        hottest, used_h = -math.inf, 0.0
        for k in range(len(load)):
            oil_end = 50.0 * ((load[k] ** 2 * 5.0 + 1.0) / 6.0) ** 0.8
            winding_end = 30.0 * load[k] ** 1.6
            for _ in range(round(step_s / small_s)):
                oil += (oil_end - oil) * (1.0 - math.exp(-small_s / 10_800.0))
                winding += (winding_end - winding) * (1.0 - math.exp(-small_s / 300.0))
                hot = ambient_c + oil + winding
                hottest = max(hottest, hot)
                used_h += math.exp(AGEING_K / REFERENCE_K - AGEING_K / (hot + 273.0)) * small_s / 3600.0
    years = len(load) * step_s / 3600.0 / 8760.0
    return hottest, LIFE_H / used_h * years


def inside(reduced, base_va, share, power_w, source_v=None):
    """(S,) whether voltages at all connections and all currents are within 216 to 253 V and their ratings."""
    circuit = circuit_of(reduced)
    at, found = reduced.voltages_at_connections(), []
    for k in range(len(base_va)):
        source = None if source_v is None else source_v[k : k + 1]
        solved = circuit.magnitudes(base_va[k : k + 1] + power_w[k] * share, source)
        volts = solved.v_v[0, at]
        with np.errstate(invalid="ignore"):
            over = solved.i_a[0] > reduced.rating_a
        found.append(bool(solved.converged[0] and (volts > 216.0).all() and (volts < 253.0).all() and not over.any()))
    return np.array(found)
