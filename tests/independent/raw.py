"""Circuits for OpenDSS, written from the raw tables of each feeder: its own files, read as what they are."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from tests.independent.circuit import Circuit, Port

NUMBER = {"a": 1, "b": 2, "c": 3}


def pandapower_tables(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table of a pandapower file, each with its index as `index`."""
    found = {}
    for name, value in json.loads(path.read_text())["_object"].items():
        if isinstance(value, dict) and value.get("_class") == "DataFrame":
            table = json.loads(value["_object"]) if isinstance(value["_object"], str) else value["_object"]
            found[name] = [
                dict(zip(table["columns"], row, strict=True)) | {"index": index}
                for index, row in zip(table["index"], table["data"], strict=True)
            ]
    return found


def pandapower_circuit(tables: dict[str, list[dict[str, Any]]]) -> Circuit:
    """Lines, one transformer, one external grid; every load on one phase is a customer."""
    (grid,), (trafo,) = tables["ext_grid"], tables["trafo"]
    kv = {row["index"]: row["vn_kv"] for row in tables["bus"]}
    size = kv[grid["bus"]] ** 2 / grid["s_sc_max_mva"]
    x = size / math.hypot(1.0, grid["rx_max"])
    x0 = grid["x0x_max"] * x
    impedance = f"r1={grid['rx_max'] * x} x1={x} r0={grid['r0x0_max'] * x0} x0={x0}"
    commands = [
        "Clear",
        "Set DefaultBaseFrequency=50",
        f"New Circuit.raw phases=3 bus1=b{grid['bus']} basekv={kv[grid['bus']]} pu={grid['vm_pu']} {impedance}",
        *(_line(row) for row in tables["line"] if row["in_service"]),
        _transformer(trafo),
    ]
    ports = []
    for row in tables["asymmetric_load"]:
        phase = max("abc", key=lambda p, row=row: row[f"p_{p}_mw"])
        ports.append(Port(row["name"], f"b{row['bus']}", (NUMBER[phase],)))
    rating = trafo["sn_mva"] * 1e6 / (math.sqrt(3.0) * trafo["vn_lv_kv"] * 1e3)
    return Circuit(commands, ports, rating_a={"transformer.t": rating})


def _line(row: dict[str, Any]) -> str:
    sequence = " ".join(
        f"{name}={row[f'{name[0]}{zero}_{unit}_per_km']}"
        for name, zero, unit in (
            ("r1", "", "ohm"),
            ("x1", "", "ohm"),
            ("r0", "0", "ohm"),
            ("x0", "0", "ohm"),
            ("c1", "", "nf"),
            ("c0", "0", "nf"),
        )
    )
    ends = f"bus1=b{row['from_bus']}.1.2.3 bus2=b{row['to_bus']}.1.2.3 phases=3"
    amps = 1e3 * row["max_i_ka"] * row["df"] * row["parallel"]
    length = f"length={row['length_km'] / row['parallel']} units=km"
    return f"New Line.l{row['index']} {ends} {sequence} {length} normamps={amps}"


def _transformer(row: dict[str, Any]) -> str:
    assert row["vk0_percent"] == row["vk_percent"], "a core of its own in zero sequence is not written here"
    x = math.sqrt(row["vk_percent"] ** 2 - row["vkr_percent"] ** 2)
    steps = 0.0 if row["tap_pos"] is None else row["tap_pos"] - row["tap_neutral"]
    tap = 1.0 + steps * (row["tap_step_percent"] or 0.0) / 100.0
    kva = row["sn_mva"] * 1e3
    return (
        f"New Transformer.t phases=3 windings=2 buses=[b{row['hv_bus']} b{row['lv_bus']}] conns=[delta wye] "
        f"kVs=[{row['vn_hv_kv']} {row['vn_lv_kv']}] kVAs=[{kva} {kva}] %loadloss={row['vkr_percent']} xhl={x} "
        f"%noloadloss=0 ppm_antifloat=0 wdg=1 tap={tap}"
    )


def european_lv(ratings: Path) -> Circuit:
    """The test feeder as pandapower ships it, with the ratings, transformer and source that the demonstration takes."""
    import pandapower

    tables = pandapower_tables(Path(pandapower.__file__).parent / "networks" / "IEEE_European_LV_On_Peak_566.json")
    with ratings.open(newline="") as file:
        amps = {row["line_type"]: float(row["rating_a"]) for row in csv.DictReader(file)}
    for row in tables["line"]:
        row["max_i_ka"] = amps[row["std_type"]] / 1e3
    tables["trafo"][0]["sn_mva"], tables["ext_grid"][0]["vm_pu"] = 0.2, 1.0
    return pandapower_circuit(tables)


def lv28(folder: Path) -> Circuit:
    """The published OpenDSS files; source impedance and no-load loss, which the engine's own file lacks, left out."""
    source = "phases=1 basekv=12.701706 MVAsc3=1e9 MVAsc1=1e9"
    head = "bus1=sourcebus bus2=linebus2 phases=3 length=2 units=km r1=2 x1=20 c1=400 r0=2 x0=20 c0=400"
    commands = [
        "Clear",
        "Set DefaultBaseFrequency=50",
        f"New Circuit.raw bus1=sourcebus.1 angle=0 pu=1 {source}",
        f"New Vsource.source2 bus1=sourcebus.2 angle=-120 pu=1 {source}",
        f"New Vsource.source3 bus1=sourcebus.3 angle=120 pu=1 {source}",
        *(f'Redirect "{folder / "opendss" / name}.txt"' for name in ("LineCodes", "Transformer", "Lines")),
        "Edit Transformer.hv_F0_LV28_TX %noloadloss=0 ppm_antifloat=0",
        f"New Line.line {head} normamps=2000",
    ]
    with (folder / "customers.csv").open(newline="") as file:
        ports = [Port(row["customer"], row["bus"], (NUMBER[row["phase"]],)) for row in csv.DictReader(file)]
    return Circuit(commands, ports, rating_a={"transformer.hv_f0_lv28_tx": 500e3 / (math.sqrt(3.0) * 433.0)})


def us_service(folder: Path) -> Circuit:
    """The split-phase service as its OpenDSS file has it, each home between the two legs, with ratings by conductor."""
    lines = [line for line in folder.joinpath("audit.dss").read_text().splitlines() if line.strip()]
    amps = {"lateral": 230.0, "main": 275.0, "drop": 185.0}
    names = ["lateral", "main1", "main2", *(f"drop{k}" for k in range(1, 9))]
    rating = {f"line.{name}": amps[name.rstrip("0123456789")] for name in names}
    ports = [Port(f"home{k}", f"home{k}", (1, 2)) for k in range(1, 9)]
    return Circuit(lines, ports, rating_a=rating | {"transformer.service": 25e3 / 240.0})


def lv28_day(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(288, C) VA fed in by households and their solar of today, solar alone in W, and (288, 3) V, from midnight."""
    with (folder / "customers.csv").open(newline="") as file:
        names = [row["customer"] for row in csv.DictReader(file)]

    def table(name: str) -> dict[str, np.ndarray]:
        with (folder / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {column: np.array([float(row[column]) for row in rows]) for column in rows[0]}

    kw, kvar, pv, head = (table(f"{name}.csv") for name in ("demand_kw", "demand_kvar", "pv_kw", "head_voltage_22kv"))
    nothing = np.zeros(288)
    solar = 1e3 * np.stack([pv.get(name, nothing) for name in names], axis=1)
    demand = 1e3 * np.stack([kw[name] + 1j * kvar[name] for name in names], axis=1)
    volts = np.stack([head[f"v{p}_v"] * np.exp(1j * np.radians(head[f"v{p}_deg"])) for p in "abc"], axis=1)
    return solar - demand, solar, volts
