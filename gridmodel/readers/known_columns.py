"""The files and columns of a feeder folder that are used; what else stands there is named, with what may be meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from gridmodel.errors import FileError
from gridmodel.model.findings import Finding
from gridmodel.readers.tables import read_csv

COLUMNS = {
    "nodes.csv": "node nominal_v phases x y crs",
    "lines.csv": "line_id from_node to_node phases length_m line_type normally_open",
    "line_types.csv": "line_type rating_a r1_ohm_per_km x1_ohm_per_km r0_ohm_per_km x0_ohm_per_km rs_ohm_per_km "
    "xs_ohm_per_km rm_ohm_per_km xm_ohm_per_km cs_nf_per_km cm_nf_per_km c1_nf_per_km c0_nf_per_km",
    "transformers.csv": "transformer_id hv_node lv_node phases connection kva hv_v lv_v r_percent x_percent r0_percent "
    "x0_percent no_load_w i0_percent load_loss_w tap tap_min tap_max tap_step_percent tap_side",
    "source.csv": "node v_pu angle_degree short_circuit_mva x_over_r r1_ohm x1_ohm r0_ohm x0_ohm",
    "regulators.csv": "regulator_id node transformer_id phases set_v band_v ldc_r ldc_x pt ct mode measured "
    "reverse_set_v reverse_band_v reverse_ldc_r reverse_ldc_x tap_min tap_max tap_step_percent",
    "capacitors.csv": "capacitor_id node phases kvar state",
    "switches.csv": "switch_id line_id state at",
    "devices.csv": "device_id connection_id lfdi aggregator_id type max_gen_w max_load_w s_max_va energy_wh "
    "device_phases standard volt_var control_point",
    "customers.csv": "customer bus phase pv_kva active",
    "connections.csv": "connection_id node phases pv_kva active",
}
SERIES = ("demand_kw.csv", "demand_kvar.csv", "pv_kw.csv")
ELSEWHERE = ("ami.csv", "limits.csv", "contracts.csv", "weather.csv", "scada.csv", "scada_tags.csv")
"""read by other commands"""


def unused(folder: Path) -> Iterator[Finding]:
    """Columns of known files, and CSV files, that nothing reads."""
    if not folder.is_dir():
        return
    for path in sorted(folder.glob("*.csv")):
        known = COLUMNS.get(path.name)
        if known is not None:
            yield from _unused_columns(path, known.split())
        elif path.name not in (*SERIES, *ELSEWHERE) and not path.name.startswith("head_voltage"):
            meant = difflib.get_close_matches(path.name, [*COLUMNS, *SERIES], 1, 0.8)
            if meant and not (folder / meant[0]).exists():
                yield Finding("warning", "unused_file", path.name, "file", f"is not read: did you mean {meant[0]}?")
    yield from _unused_series(folder)


def _unused_series(folder: Path) -> Iterator[Finding]:
    """Series that go with another one that is not there, and head voltages beside the one that is read."""
    heads = sorted(path.name for path in folder.glob("head_voltage*.csv"))
    for name in heads[1:]:
        yield Finding("warning", "unused_file", name, "file", f"is not read: {heads[0]} is the head voltage")
    if not (folder / SERIES[0]).exists():
        present = [name for name in SERIES[1:] if (folder / name).exists()]
        for name in (*present, *heads[:1]):
            detail = f"is not read: a day is measured where {SERIES[0]} is there too"
            yield Finding("warning", "unused_file", name, "file", detail)


def _unused_columns(path: Path, known: list[str]) -> Iterator[Finding]:
    try:
        columns = read_csv(path).columns
    except FileError:
        return
    free = [name for name in known if name not in columns]
    for name in columns:
        if name in known:
            continue
        meant = difflib.get_close_matches(name.lower(), free, 1, 0.6)
        if meant:
            detail = f"column is not used: did you mean {meant[0]}?"
            yield Finding("warning", "unused_column", path.name, name, detail)
        else:
            yield Finding("note", "unused_column", path.name, name, "column is not used")
