"""The network of the market's day: a substation with feeders A and B, each a transformer with a street of batteries."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from envelope.demo.criteria import limits_of
from envelope.problem import Problem, steps_from
from envelope.problem.default_policy import with_default_policy
from gridmodel import read_feeder, reduce

FEEDERS = ("A", "B")
SITES = 12
"""Batteries of each feeder; each has a connection of its own."""
RATED_W = 50_000
STEP_S = 1800
KVA = 500
SPAN_M, SERVICE_M = 35, 15
TABLES = {
    "feeder.toml": "frequency_hz = 60\n",
    "source.csv": "node,v_pu,short_circuit_mva,x_over_r\nsubstation,1.01,300,10\n",
    "line_types.csv": (
        "line_type,r1_ohm_per_km,x1_ohm_per_km,r0_ohm_per_km,x0_ohm_per_km,rating_a\n"
        "overhead,0.19,0.38,0.55,1.5,400\nstreet,0.06,0.08,0.2,0.25,700\nservice,0.16,0.08,0.5,0.25,190\n"
    ),
}


def site_name(feeder: str, number: int) -> str:
    """Return the name of a site, its node and its connection, such as A07."""
    return f"{feeder}{number:02d}"


def sites() -> list[str]:
    """Return the names of all sites."""
    return [site_name(feeder, number) for feeder in FEEDERS for number in range(1, SITES + 1)]


def write(folder: Path) -> Path:
    """Write the tables of the network, and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    nodes: list[list[object]] = [["substation", 7200, 0, 0]]
    lines: list[list[object]] = []
    transformers: list[list[object]] = []
    for up, feeder in enumerate(FEEDERS):
        at, y = 800.0, 300.0 * (1 - 2 * up)
        nodes += [[f"{feeder} pole", 7200, at, y], [f"{feeder} street", 277, at, y]]
        lines.append([f"{feeder}1", "substation", f"{feeder} pole", "abc", 1500, "overhead"])
        transformers.append([feeder, f"{feeder} pole", f"{feeder} street", "Dyn11", KVA, 12470, 480, 1.0, 5.0])
        before = f"{feeder} street"
        for number in range(1, SITES + 1):
            name, pole = site_name(feeder, number), f"{feeder} span {number}"
            nodes += [[pole, 277, at + SPAN_M * number, y], [name, 277, at + SPAN_M * number, y + SERVICE_M]]
            span = f"{feeder}2" if number == 1 else f"{feeder}2.{number}"
            lines.append([span, before, pole, "abc", SPAN_M, "street"])
            lines.append([f"service {name}", pole, name, "abc", SERVICE_M, "service"])
            before = pole
    tables: dict[str, tuple[str, list[list[object]]]] = {
        "nodes.csv": ("node,nominal_v,x,y", nodes),
        "lines.csv": ("line_id,from_node,to_node,phases,length_m,line_type", lines),
        "transformers.csv": (
            "transformer_id,hv_node,lv_node,connection,kva,hv_v,lv_v,r_percent,x_percent", transformers
        ),
        "connections.csv": ("connection_id,node,phases", [[name, name, "abc"] for name in sites()]),
        "devices.csv": (
            "device_id,connection_id,type,max_gen_w,max_load_w",
            [[f"battery {name}", name, "battery", RATED_W, RATED_W] for name in sites()],
        ),
    }  # fmt: skip
    for file, text in TABLES.items():
        (folder / file).write_text(text, encoding="utf-8")
    for file, (header, rows) in tables.items():
        text = "\n".join([header, *(",".join(map(str, row)) for row in rows)])
        (folder / file).write_text(text + "\n", encoding="utf-8")
    return folder


def problem(folder: Path, start: int, hours: int) -> Problem:
    """Return what the engine plans with: every battery may charge or feed as much as it can, at any time."""
    reduced = reduce(read_feeder(folder).network)
    shape = hours * 3600 // STEP_S, len(reduced.network.connections.id)
    return with_default_policy(
        Problem(
            reduced=reduced,
            step_start=steps_from(start, STEP_S, shape[0]),
            step_s=STEP_S,
            base_load_w=np.zeros(shape),
            base_load_var=np.zeros(shape),
            flex_gen_w=np.full(shape, float(RATED_W)),
            flex_load_w=np.full(shape, float(RATED_W)),
            limits=limits_of(reduced),
        )
    )
