"""Values that are unlikely in the unit of their field, and the unit that they are more likely in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gridmodel.model.equipment import Equipment
from gridmodel.model.feeder import Feeder
from gridmodel.model.findings import Finding

# Bounds beyond which a slip of unit is likelier than the value. (assumed)
SHORT_M, LONG_M = 2.0, 20_000.0
SMALL_VA, LARGE_VA = 2_000.0, 1e9
LOW_V = 50.0
SMALL_A = 3.0
LARGE_CUSTOMER_W, SMALL_CUSTOMER_W = 2e5, 20.0
LOW_VOLTAGE_V = 1_000.0
NO_LENGTH = {"switch", "impedance"}
"""line types that have an impedance and no length"""


def of_equipment(equipment: Equipment) -> Iterator[Finding]:
    """Lengths, ratings, sizes and voltages of a feeder that look like another unit."""
    yield from _lines(equipment)
    for t in equipment.transformers:
        element = f"transformer {t.id}"
        if not SMALL_VA <= t.s_rated_va <= LARGE_VA:
            unit = "MVA" if t.s_rated_va < SMALL_VA else "VA"
            yield _slip(element, "s_rated_va", f"{t.s_rated_va:g} VA", f"{unit} where kVA are expected")
        for field, volts in (("hv_v", t.hv_v), ("lv_v", t.lv_v)):
            if volts < LOW_V:
                yield _slip(element, field, f"{volts:g} V", "kV")
    for node in equipment.nodes:
        if node.nominal_v < LOW_V:
            yield _slip(f"node {node.id}", "nominal_v", f"{node.nominal_v:g} V", "kV")


def _lines(equipment: Equipment) -> Iterator[Finding]:
    low = {node.id for node in equipment.nodes if node.nominal_v < LOW_VOLTAGE_V}
    lengths = np.array([x.length_m for x in equipment.lines if x.length_m > 0 and x.line_type not in NO_LENGTH])
    if len(lengths) > 1 and lengths.max() < SHORT_M:
        yield _slip("lines", "length_m", f"none is longer than {lengths.max():.3g} m", "km")
    for line in equipment.lines:
        if line.length_m > LONG_M and line.from_node in low:
            yield _slip(f"line {line.id}", "length_m", f"{line.length_m:g} m at low voltage", "mm or ft")
        if 0 < line.rating_a < SMALL_A:
            yield _slip(f"line {line.id}", "rating_a", f"{line.rating_a:g} A", "kA")


def of_feeder(feeder: Feeder) -> Iterator[Finding]:
    """Sizes and measured powers of customers that look like another unit."""
    network, profile = feeder.network, feeder.profile
    names, low = network.connections.id, network.nodes.nominal_v[network.connections.node] < LOW_VOLTAGE_V
    for c in np.flatnonzero((feeder.pv_va > LARGE_CUSTOMER_W) & low):
        yield _slip(f"connection {names[c]}", "pv_kva", f"{feeder.pv_va[c] / 1e3:g} kVA at low voltage", "VA")
    if profile is None or not profile.demand_w.size:
        return
    peak = profile.demand_w.max(axis=0)
    for c in np.flatnonzero((peak > LARGE_CUSTOMER_W) & low):
        yield _slip(f"connection {names[c]}", "demand_kw", f"{peak[c] / 1e3:g} kW at low voltage", "W")
    if 0 < peak.max() < SMALL_CUSTOMER_W:
        yield _slip("connections", "demand_kw", f"none ever takes more than {peak.max() / 1e3:g} kW", "MW")


def _slip(element: str, field: str, what: str, unit: str) -> Finding:
    return Finding("warning", "unit_slip", element, field, f"{what}: likely given in {unit}")
