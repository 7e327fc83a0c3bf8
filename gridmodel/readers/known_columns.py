"""The files and columns of a feeder folder that are used; what else stands there is named, with what may be meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from gridmodel.errors import FileError
from gridmodel.model.findings import Finding
from gridmodel.readers.meant import unused_names
from gridmodel.readers.tables import read_csv

COLUMNS = {
    "nodes.csv": "node nominal_v phases x y crs",
    "lines.csv": "line_id from_node to_node phases length_m line_type normally_open",
    "line_types.csv": "line_type rating_a r1_ohm_per_km x1_ohm_per_km r0_ohm_per_km x0_ohm_per_km rs_ohm_per_km "
    "xs_ohm_per_km rm_ohm_per_km xm_ohm_per_km cs_nf_per_km cm_nf_per_km c1_nf_per_km c0_nf_per_km",
    "transformers.csv": "transformer_id hv_node lv_node phases connection kva hv_v lv_v r_percent x_percent r0_percent "
    "x0_percent no_load_w i0_percent load_loss_w tap tap_min tap_max tap_step_percent tap_side "
    "rating_factor",
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
CUSTOMERS = ("customers.csv", "connections.csv", "devices.csv")
"""go with a network of any format"""
SETTINGS_FILE = "feeder.toml"
SETTINGS = ("name", "step_s", "first_day", "frequency_hz", "snap_m")
CLOSE_FILE = 0.8
"""likeness of two names of files above which one may be meant by the other"""


def unused(folder: Path, settings: Iterable[str] = ()) -> Iterator[Finding]:
    """Columns of known files, CSV files and settings of feeder.toml that nothing reads."""
    for name, meant in unused_names(settings, SETTINGS):
        yield _named(SETTINGS_FILE, name, meant, "setting is not used")
    if not folder.is_dir():
        return
    has_tables = (folder / "nodes.csv").is_file()
    # Load shapes of a circuit are read from files of any name.
    is_circuit = any(folder.glob("*.[dD][sS][sS]"))
    for path in sorted(folder.glob("*.csv")):
        known = COLUMNS.get(path.name)
        if known is not None and (has_tables or path.name in CUSTOMERS):
            yield from _unused_columns(path, known.split())
        elif known is not None:
            detail = "is not read: the tables of a network are read where nodes.csv is one of them"
            yield Finding("warning", "unused_file", path.name, "file", detail)
        elif path.name not in (*SERIES, *ELSEWHERE) and not path.name.startswith("head_voltage"):
            finding = unread(path.name, [name for name in (*COLUMNS, *SERIES) if not (folder / name).exists()])
            if finding.severity == "warning" or not is_circuit:
                yield finding
    yield from _unused_series(folder)


def unread(name: str, free: Collection[str]) -> Finding:
    """The finding about a file, layer or sheet that nothing reads; free: names of which there is none yet."""
    meant = difflib.get_close_matches(name.lower(), free, 1, CLOSE_FILE)
    if meant:
        return Finding("warning", "unused_file", name, "file", f"is not read: did you mean {meant[0]}?")
    return Finding("note", "unused_file", name, "file", "is not read")


def _named(file: str, name: str, meant: str, said: str) -> Finding:
    if meant:
        return Finding("warning", "unused_column", file, name, f"{said}: did you mean {meant}?")
    return Finding("note", "unused_column", file, name, said)


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
    for name, meant in unused_names(columns, known):
        yield _named(path.name, name, meant, "column is not used")
