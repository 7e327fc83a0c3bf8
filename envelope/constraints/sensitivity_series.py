"""Exact sensitivities of single values, each in a state of its own: a series of products in place of a solution."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from envelope.constraints.base_case import BaseCase
from envelope.constraints.monitored_feeder import COARSE_V
from gridmodel.arrays import Complex, ComplexSingle, Index, Mask, Real, Single
from gridmodel.flow import power_flow
from gridmodel.flow.kron import Reduced

TERMS = 5
"""of the series; each is a fraction of the one before, about the relative drop of voltage"""
BLOCK = 256
"""values handled together: what is multiplied again and again stays in the processor's cache"""


class MonitoredValues(Protocol):
    """R values of a feeder."""

    @property
    def kind(self) -> Index:
        """(R,) 0 over-voltage, 1 under-voltage, 2 overload."""
        ...

    @property
    def element(self) -> Index:
        """(R,) monitored voltage, or monitored current."""
        ...


def own_sensitivities(
    base: BaseCase, values: MonitoredValues, steps: Index, away: Single | Real
) -> tuple[Single, Single]:
    """(R, L) derivative of each value in its own state: (R,) steps, and (R, L) W away from the base."""
    return sensitivities_at(base, values, base.injections(steps, away), base.source_v[steps])


def sensitivities_at(
    base: BaseCase, values: MonitoredValues, injected: Complex, source_v: Complex, *, alike: Index | None = None
) -> tuple[Single, Single]:
    """(R, L) derivative of each value in its own state, for power above and below the base load, V or A per W.

    injected: (R, L) VA; source_v: (R, 3) V; alike: (R,) the same number where they are the same.
    Per W, the current of a port changes by c dp - d conj(Z di), so
    that a row vector g of effects of currents becomes the sum of g, -conj(g d) Z, and so on: one product per term.
    A current counts by its size, and so does a group's sum.
    """
    reduced = base.feeder.reduced
    found = _solved_once(reduced, injected, source_v, alike)
    group = (values.kind == 2) & (values.element >= len(reduced.H))
    total = _by_current(base, values, found, apart=group)
    d, less_z = np.conj(injected / found.v**2).astype(np.complex64), -reduced.Z.astype(np.complex64)
    for start in range(0, len(total), BLOCK):
        part = slice(start, start + BLOCK)
        _add_series(total[part], d[part], less_z)
    per_va = total / np.conj(found.v)
    fall = np.asarray(per_va.real, dtype=np.float32)
    rise = np.asarray((per_va * (1.0 + 1j * base.port_tan_phi)).real, dtype=np.float32) if base.absorbs else fall
    if group.any():
        which = values.element[group] - len(reduced.H)
        sums = base.feeder.group_sums(injected.real[group])[np.arange(len(which)), which]
        rise[group] = fall[group] = np.sign(sums)[:, None] * base.feeder.membership[which]
    return rise, fall


def _add_series(total: ComplexSingle, d: ComplexSingle, less_z: ComplexSingle) -> None:
    """Add to (B, L) first terms what follows from them, in place: each term t makes the next one, -conj(t d) Z."""
    term, product = total.copy(), np.empty_like(total)
    for _ in range(TERMS):
        np.multiply(term, d, out=product)
        np.conjugate(product, out=product)
        np.matmul(product, less_z, out=term)
        total += term


def _solved_once(reduced: Reduced, injected: Complex, source_v: Complex, alike: Index | None) -> power_flow.Flow:
    """Power flow of all states, those that are alike solved once."""
    if alike is None:
        return power_flow.solve(reduced, injected, source_v, tol_v=COARSE_V)
    first, again = np.unique(alike, return_index=True, return_inverse=True)[1:]
    found = power_flow.solve(reduced, injected[first], source_v[first], tol_v=COARSE_V)
    return replace(found, v=found.v[again], i=found.i[again], converged=found.converged[again], source_v=source_v)


def _by_current(base: BaseCase, values: MonitoredValues, found: power_flow.Flow, *, apart: Mask) -> ComplexSingle:
    """(R, L) g of each value in its state: it changes by the real part of g di; zeros for what is `apart`."""
    reduced, load = base.feeder.reduced, (values.kind == 2) & ~apart
    by = np.zeros((len(values.kind), reduced.ports), dtype=np.complex128)
    by_source = np.zeros((len(values.kind), 3), dtype=np.complex128)
    volts = values.kind != 2
    for chosen, of_ports, of_source in ((load, reduced.H, reduced.Hw), (volts, reduced.Zn, reduced.Wn)):
        by[chosen], by_source[chosen] = of_ports[values.element[chosen]], of_source[values.element[chosen]]
    value = (by * found.i).sum(axis=1) + (by_source * found.source_v).sum(axis=1)
    sign = np.where(values.kind == 1, -1.0, 1.0)
    return np.asarray((sign * np.conj(value) / np.maximum(np.abs(value), 1e-9))[:, None] * by, dtype=np.complex64)
