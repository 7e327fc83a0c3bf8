"""Voltage at the head of a feeder, from measured magnitudes: angles are not measured, symmetric ones are assumed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmodel.arrays import SYMMETRIC, Complex
from gridmodel.meter_data.quantities import Quantity
from gridmodel.meter_data.reading import Window, read
from gridmodel.meter_data.scada import HEAD
from gridmodel.meter_data.store import Kind, MeasurementStore


@dataclass(frozen=True, eq=False)
class MeasuredHead:
    """Head voltage over time."""

    window: Window
    v: Complex
    """(T, 3) phase-to-neutral phasors, V; NaN where no phase is known"""
    assumed: str
    """a sentence"""


def head_voltage(
    store: MeasurementStore, window: Window, *, element: str = HEAD, kind: Kind = Kind.SCADA
) -> MeasuredHead:
    """The voltage that is measured at an element; a phase without a value has the mean of the others.

    Where the element has one value for all phases, it is that of each.
    """
    sizes = np.column_stack([read(store, [element], Quantity.VOLTAGE, window, kind=kind, phase=p).value for p in "abc"])
    together = read(store, [element], Quantity.VOLTAGE, window, kind=kind).value
    known = np.isfinite(sizes)
    mean = np.where(known, sizes, 0.0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    other = np.where(known.any(axis=1, keepdims=True), mean, together)
    filled = np.where(known, sizes, other)
    missing = int((~known & np.isfinite(filled)).sum())
    said = f"angles of the voltage at {element} are assumed symmetric: only magnitudes are measured"
    more = f"; {missing} values of single phases are taken from the other phases" if missing else ""
    return MeasuredHead(window, filled * SYMMETRIC, said + more)
