"""Each finding: what provokes it, and that a sound feeder provokes none."""

from dataclasses import replace

import numpy as np
import pytest

from gridmodel.model.equipment import Connection
from gridmodel.model.feeder import Feeder, Profile
from gridmodel.readers.example_feeders import european_lv
from gridmodel.readers.pandapower import balanced
from gridmodel.validate import check
from tests.gridmodel.feeders import radial, radial_equipment, transformer


def test_sound_feeders_have_no_findings(lv28):
    assert check(radial(8)) == []
    # What a published file says beyond a power flow is named, and where a feeder was changed to be usable.
    assert {(finding.severity, finding.code) for finding in check(lv28)} == {("note", "unused_column")}
    assert {(finding.severity, finding.code) for finding in check(european_lv())} == {("note", "changed")}


def with_line(name="L2", **changes):
    def spoil(e):
        return replace(e, lines=tuple(replace(x, **changes) if x.id == name else x for x in e.lines))

    return spoil


def with_transformer(**changes):
    return lambda e: replace(e, transformers=(transformer(**changes),))


def with_connection(**changes):
    return lambda e: replace(
        e, connections=(*e.connections[:-1], Connection(**({"id": "c9", "node": "lv3", "phase": "a"} | changes)))
    )


TWO = np.eye(2) * (0.1 + 0j)
CASES = [
    ("duplicate line", lambda e: replace(e, lines=(*e.lines, e.lines[-1])), "error", "duplicate_id", "line L3"),
    ("unknown end", with_line(to_node="gone"), "error", "unknown_node", "line L2"),
    ("unknown node of a customer", with_connection(node="gone"), "error", "unknown_node", "connection c9"),
    ("no such phase", with_connection(phase="x"), "error", "unknown_phase", "connection c9"),
    ("nobody knows the phase", with_connection(phase="unknown"), "warning", "unknown_phase", "connection c9"),
    ("phase is not there", with_connection(phase="12"), "error", "missing_phase", "connection c9"),
    ("negative rating", with_line(rating_a=-5.0), "error", "negative_rating", "line L2"),
    ("rating is zero", with_line(rating_a=0.0), "warning", "no_rating", "line L2"),
    ("rating is missing", with_line(rating_a=float("nan")), "warning", "no_rating", "line L2"),
    ("no length", with_line(length_m=0.0), "warning", "zero_length", "line L2"),
    ("negative length", with_line(length_m=-3.0), "error", "negative_length", "line L2"),
    ("ohm taken for milliohm", with_line(z_ohm=np.eye(3) * 30 + 1j), "warning", "implausible_impedance", "line L2"),
    ("negative resistance", with_line(z_ohm=-np.eye(3) + 0j), "error", "implausible_impedance", "line L2"),
    ("no zero sequence", with_line(zero_sequence_given=False), "warning", "no_zero_sequence", "line L2"),
    ("a phase less", with_line("L1", phases="ab", z_ohm=TWO, b_s=0 * TWO), "warning", "open_phase", "line L1"),
    ("one end open", with_line(closed=(True, False)), "note", "open_end", "line L2"),
    ("customer on an island", with_line(closed=(False, False)), "error", "island", "connection c2"),
    ("transformer of no size", with_transformer(s_rated_va=-1.0), "error", "negative_rating", "transformer T1"),
    ("percent for per unit", with_transformer(z1_pu=4 + 1j), "warning", "implausible_impedance", "transformer T1"),
    ("no zero sequence", with_transformer(zero_sequence_given=False), "warning", "no_zero_sequence", "transformer T1"),
    ("no earth", with_transformer(connection="Dy"), "error", "no_earth", "transformer T1"),
    ("another voltage level", with_transformer(lv_v=690.0), "warning", "implausible_voltage", "transformer T1"),
    ("tap beyond its end", with_transformer(tap=3, tap_min=-2, tap_max=2), "warning", "tap_range", "transformer T1"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "spoil", "severity", "code", "element"), CASES, ids=[f"{c[0]}: {c[3]}" for c in CASES])
def test_a_finding(why, spoil, severity, code, element):
    found = check(spoil(radial_equipment(3, seed=1)))
    assert (severity, code, element) in {(f.severity, f.code, f.element) for f in found}
    assert all(str(f).startswith(f.severity) and f.field and f.detail for f in found)


def test_the_gravest_comes_first():
    spoiled = with_line(rating_a=-5.0, zero_sequence_given=False)(radial_equipment(3))
    order = [f.severity for f in check(spoiled)]
    assert order == sorted(order, key=["error", "warning", "note"].index)
    assert len(order) > 1


def test_a_no_load_voltage_far_from_nominal():
    spoiled = with_transformer(tap_ratio=0.8)(radial_equipment(3))
    assert [f.code for f in check(spoiled)] == ["implausible_voltage"]


def measured(**changes):
    network = radial(3)
    zero = np.zeros((24, 3))
    profile = Profile(3600, zero, zero, zero, None)
    return Feeder(
        "f", network, pv_va=np.array([5e3, 0, 0]), active=np.ones(3, bool), profile=replace(profile, **changes)
    )


@pytest.mark.parametrize(
    ("why", "changes", "codes"),
    [
        ("a quiet day", {}, []),
        ("production below zero", {"pv_w": np.full((24, 3), -10.0)}, ["negative_production"] * 3),
        ("more than the inverter can", {"pv_w": np.full((24, 3), [6e3, 0, 0])}, ["production_above_size"]),
        ("line-to-line for phase-to-neutral", {"source_v": np.tile(balanced(11e3), (24, 1))}, ["implausible_voltage"]),
    ],
)
def test_measurements(why, changes, codes):
    assert [f.code for f in check(measured(**changes))] == codes
