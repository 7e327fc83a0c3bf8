"""Small feeders on disk with a few measured days, for the planning studies."""

import csv
from pathlib import Path

import numpy as np

STEPS = 24


def write_lane(folder: Path, *, homes: int = 5, days: int = 3, kva: float = 25.0, name: str = "lane") -> Path:
    """Homes along a thin cable behind a transformer: an evening peak, solar at the second, hourly for some days."""
    folder.mkdir(parents=True)
    nodes = "".join(f"n{k},230.94\n" for k in range(homes + 1))
    lines = "".join(f"L{k},n{k},n{k + 1},{120 if k else 20},thin\n" for k in range(homes))
    at = "".join(f"h{k},n{k},{'abc'[k % 3]}\n" for k in range(1, homes + 1))
    files = {
        "nodes.csv": f"node,nominal_v\nmv,6350.853\n{nodes}",
        "line_types.csv": "line_type,r1_ohm_per_km,x1_ohm_per_km,r0_ohm_per_km,x0_ohm_per_km,rating_a\n"
        "thin,0.64,0.08,2.4,0.1,120\n",
        "lines.csv": f"line_id,from_node,to_node,length_m,line_type\n{lines}",
        "transformers.csv": "transformer_id,hv_node,lv_node,connection,kva,hv_v,lv_v,r_percent,x_percent\n"
        f"TX,mv,n0,Dyn11,{kva},11000,400,1.2,4.0\n",
        "source.csv": "node,v_pu,short_circuit_mva\nmv,1.02,120\n",
        "connections.csv": f"connection_id,node,phases\n{at}",
        "feeder.toml": f'name = "{name}"\nstep_s = 3600\nfirst_day = 2026-01-30\n',
    }
    for file, text in files.items():
        (folder / file).write_text(text)
    demand, solar = series(homes, days)
    write_series(folder / "demand_kw.csv", demand)
    write_series(folder / "demand_kvar.csv", 0.2 * demand)
    write_series(folder / "pv_kw.csv", solar)
    return folder


def series(homes: int, days: int) -> tuple[np.ndarray, np.ndarray]:
    """(T, homes) kW of demand and of solar generation."""
    rng = np.random.default_rng(4)
    hour = np.arange(days * STEPS) % STEPS
    shape = 0.3 + 1.2 * np.exp(-(((hour - 19.0) / 2.0) ** 2))
    demand = shape[:, None] * rng.uniform(0.7, 1.3, (days * STEPS, homes))
    sun = np.clip(np.sin((hour - 6.0) / 12.0 * np.pi), 0.0, None) * np.repeat(rng.uniform(0.5, 1.0, days), STEPS)
    return demand, sun[:, None] * np.where(np.arange(homes) == 1, 3.0, 0.0)


def write_series(path: Path, values: np.ndarray) -> None:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["interval", *(f"h{k + 1}" for k in range(values.shape[1]))])
        out.writerows([k, *row] for k, row in enumerate(np.round(values, 4).tolist()))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
