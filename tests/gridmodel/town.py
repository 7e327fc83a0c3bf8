"""A town of any size as tables: medium-voltage lines, transformers along them, streets of homes behind each."""

import csv
from collections.abc import Iterable
from pathlib import Path

MV_V, LV_V = 12_701.7, 230.94
PER_LINE = 20
"""transformers along one medium-voltage line"""


def write_town(folder: Path, transformers: int, streets: int, homes: int, *, mv_rating_a: float = 400.0) -> Path:
    """The tables; two nodes per home. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    nodes, lines = [("substation", MV_V, 0.0, 0.0)], list[tuple[str, str, str, float, str]]()
    units, customers = list[tuple[object, ...]](), list[tuple[str, str, str]]()
    for k in range(transformers):
        x, y = 300.0 * (k % PER_LINE + 1), 1_500.0 * (k // PER_LINE)
        before = f"mv{k - 1}" if k % PER_LINE else "substation"
        nodes += [(f"mv{k}", MV_V, x, y), (f"bar{k}", LV_V, x, y + 5)]
        lines.append((f"w{k}", before, f"mv{k}", 300.0, "overhead"))
        units.append((f"t{k}", f"mv{k}", f"bar{k}", "Dyn11", 400, 22_000, 415, 1.2, 4.0))
        for street in range(streets):
            at = f"bar{k}"
            for home in range(homes):
                pole, house = f"p{k}_{street}_{home}", f"h{k}_{street}_{home}"
                place = x + 10 * street, y + 10 * (home + 1)
                nodes += [(pole, LV_V, *place), (house, LV_V, place[0] + 4, place[1])]
                lines += [(f"l{pole}", at, pole, 25.0, "street"), (f"s{house}", pole, house, 12.0, "service")]
                customers.append((house, house, "abc"[(street + home) % 3]))
                at = pole
    _write(folder, "nodes", ("node", "nominal_v", "x", "y"), nodes)
    _write(folder, "lines", ("line_id", "from_node", "to_node", "length_m", "line_type"), lines)
    columns = "transformer_id hv_node lv_node connection kva hv_v lv_v r_percent x_percent"
    _write(folder, "transformers", columns.split(), units)
    _write(folder, "connections", ("connection_id", "node", "phases"), customers)
    columns = "line_type r1_ohm_per_km x1_ohm_per_km r0_ohm_per_km x0_ohm_per_km rating_a"
    types = (
        ("overhead", 0.2, 0.35, 0.4, 1.2, mv_rating_a),
        ("street", 0.2, 0.08, 0.8, 0.25, 280),
        ("service", 0.9, 0.08, 2.5, 0.3, 90),
    )
    _write(folder, "line_types", columns.split(), types)
    _write(folder, "source", ("node", "v_pu", "short_circuit_mva", "x_over_r"), [("substation", 1.02, 300, 10)])
    return folder


def _write(folder: Path, name: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(rows)
