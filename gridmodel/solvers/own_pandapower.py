"""A pandapower network with the rows of its own load tables at given injections."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gridmodel.errors import FileError, GridError
from gridmodel.readers.pandapower_tables import MODELLED
from gridmodel.readers.tables import read_json
from gridmodel.solvers.own_solution import Injections, OwnSolution

TABLES = ("load", "sgen", "storage", "asymmetric_load", "asymmetric_sgen")
GENERATES = ("sgen", "asymmetric_sgen")
NO_CORE_PERCENT, STIFF_MVA = 1e8, 1e9


class PandapowerNet:
    """A network in pandapower, made of the plain tables of its file: no class that the file names is loaded."""

    def __init__(self, path: Path) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pandapower
        except ImportError as e:
            raise GridError("an audit by pandapower needs pandapower: install sep2[envelope]") from e
        self.pandapower = pandapower
        self.net = self._net(path)
        self.elements = tuple(
            f"{table}.{row}" for table in TABLES for row in self.net[table].index if self.net[table].in_service[row]
        )
        self.three_phase = any(len(self.net[t]) for t in TABLES if t.startswith("asymmetric"))
        self.share = {t: self._shares(t) for t in TABLES if t.startswith("asymmetric")}
        self.head = self.net.ext_grid.vm_pu.copy()

    def _net(self, path: Path) -> Any:
        import pandas as pd

        content = read_json(path).get("_object")
        if not isinstance(content, dict) or "bus" not in content:
            raise FileError(path, "not a pandapower network: it has no bus table")
        net = self.pandapower.create_empty_network(f_hz=float(content.get("f_hz", 50.0)))
        for name in MODELLED:
            value = content.get(name)
            if not isinstance(value, dict) or name == "bus_geodata":
                continue
            table = value["_object"]
            table = json.loads(table) if isinstance(table, str) else table
            frame = pd.DataFrame(table["data"], index=table["index"], columns=table["columns"])
            net[name] = _typed(pd, frame, net[name])
        for name, value in (("mag0_percent", NO_CORE_PERCENT), ("mag0_rx", 0.0), ("si0_hv_partial", 0.9)):
            # A core in zero sequence is not modelled, as docs/feeders.md says.
            net.trafo[name] = value
        # Dyn5 is what pandapower calls Dyn: the shift has a column of its own.
        net.trafo["vector_group"] = net.trafo["vector_group"].astype(str).str.rstrip("0123456789")
        return net

    def _shares(self, table: str) -> dict[int, np.ndarray]:
        """Phases that a row has power at, which is where its injection is put."""
        found = {}
        for row, one in self.net[table].iterrows():
            has = np.array([bool(one[f"p_{p}_mw"] or one[f"q_{p}_mvar"]) for p in "abc"], dtype=float)
            found[int(str(row))] = has / has.sum() if has.any() else np.full(3, 1 / 3)
        return found

    def solve(self, cases: Sequence[Injections], head: Sequence[float] | None = None) -> OwnSolution:
        """Scenarios one after another."""
        self._zero()
        found = [self._case(case, 1.0 if head is None else float(head[k])) for k, case in enumerate(cases)]
        done = np.array([one is not None for one in found], dtype=np.bool_)
        names, nominal_v = self._voltage_names()
        loadings = self._loading_names()
        v, loading = np.full((len(cases), len(names)), np.nan), np.full((len(cases), len(loadings)), np.nan)
        for k, one in enumerate(found):
            if one is not None:
                v[k], loading[k] = one[0] * nominal_v, one[1]
        return OwnSolution(names, v, nominal_v, loadings, loading, done)

    def _zero(self) -> None:
        for table in TABLES:
            for column in self.net[table].columns:
                if (column.startswith(("p_", "q_")) and column.endswith(("_mw", "_mvar"))) or column.startswith(
                    "const_"
                ):
                    self.net[table][column] = 0.0
            if len(self.net[table]):
                self.net[table]["scaling"] = 1.0

    def _case(self, case: Injections, head: float) -> tuple[np.ndarray, np.ndarray] | None:
        """(voltages per unit, loadings) of one case; None where there is no solution."""
        if unknown := set(case) - set(self.elements):
            raise GridError(f"{sorted(unknown)[0]} is no row in service of a table of loads")
        self._zero()
        for name, power in case.items():
            self._set(name, power)
        self.net.ext_grid["vm_pu"] = self.head * head
        run = self.pandapower.runpp_3ph if self.three_phase else self.pandapower.runpp
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run(self.net, calculate_voltage_angles=True, numba=False, tolerance_mva=1e-9, max_iteration=100)
        except self.pandapower.LoadflowNotConverged:
            return None
        except (NotImplementedError, KeyError, ValueError, UserWarning) as wrong:
            raise GridError(f"pandapower does not solve the file: {' '.join(str(wrong).split())}") from None
        return self._read()

    def _set(self, name: str, power: complex) -> None:
        table, row = name.rsplit(".", 1)
        sign = 1.0 if table in GENERATES else -1.0
        p, q = sign * power.real / 1e6, sign * power.imag / 1e6
        if table in self.share:
            for phase, part in zip("abc", self.share[table][int(row)], strict=True):
                self.net[table].loc[int(row), f"p_{phase}_mw"] = p * part
                self.net[table].loc[int(row), f"q_{phase}_mvar"] = q * part
        else:
            self.net[table].loc[int(row), ["p_mw", "q_mvar"]] = p, q

    def _buses(self) -> Any:
        return self.net.bus[self.net.bus.in_service.astype(bool)]

    def _voltage_names(self) -> tuple[tuple[str, ...], np.ndarray]:
        buses = self._buses()
        names = tuple(f"bus {name or row}, phase {p}" for row, name in buses.name.items() for p in "abc")
        return names, np.repeat(buses.vn_kv.to_numpy(dtype=float) * 1e3 / math.sqrt(3), 3)

    def _loading_names(self) -> tuple[str, ...]:
        lines = [f"line {n or k}" for k, n in self.net.line.name.items()]
        windings = [
            f"transformer {n or k}, {side} side" for k, n in self.net.trafo.name.items() for side in ("hv", "lv")
        ]
        three = [
            f"transformer {n or k}, {side} side"
            for k, n in self.net.trafo3w.name.items()
            for side in ("hv", "mv", "lv")
        ]
        return (*lines, *windings, *three)

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        net, buses = self.net, self._buses().index
        if self.three_phase:
            v = net.res_bus_3ph.loc[buses, [f"vm_{p}_pu" for p in "abc"]].to_numpy(dtype=float).ravel()
            columns = [f"i_{p}_{end}_ka" for p in "abc" for end in ("from", "to")]
            line_ka = net.res_line_3ph[columns].max(axis=1).to_numpy(dtype=float)
            sides = [
                net.res_trafo_3ph[[f"i_{p}_{side}_ka" for p in "abc"]].max(axis=1).to_numpy(dtype=float)
                for side in ("hv", "lv")
            ]
        else:
            v = np.repeat(net.res_bus.vm_pu.loc[buses].to_numpy(dtype=float), 3)
            line_ka = net.res_line[["i_from_ka", "i_to_ka"]].max(axis=1).to_numpy(dtype=float)
            sides = [net.res_trafo[f"i_{side}_ka"].to_numpy(dtype=float) for side in ("hv", "lv")]
        return v, np.concatenate([self._of_lines(line_ka), self._of_transformers(sides), self._of_three_windings()])

    def _of_lines(self, line_ka: np.ndarray) -> np.ndarray:
        line = self.net.line
        rating = (line.max_i_ka * line.df.fillna(1.0) * line.parallel.fillna(1)).to_numpy(dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(rating > 0, line_ka / rating, 0.0)

    def _of_transformers(self, sides: list[np.ndarray]) -> np.ndarray:
        trafo = self.net.trafo
        size = (trafo.sn_mva * trafo.df.fillna(1.0) * trafo.parallel.fillna(1)).to_numpy(dtype=float) / math.sqrt(3)
        volts = [trafo[f"vn_{side}_kv"].to_numpy(dtype=float) for side in ("hv", "lv")]
        return np.stack([amps / (size / kv) for amps, kv in zip(sides, volts, strict=True)], axis=1).ravel()

    def _of_three_windings(self) -> np.ndarray:
        three = self.net.trafo3w
        if not len(three) or self.three_phase:
            return np.zeros(3 * len(three))
        rating = [three[f"sn_{s}_mva"] / math.sqrt(3) / three[f"vn_{s}_kv"] for s in ("hv", "mv", "lv")]
        amps = [self.net.res_trafo3w[f"i_{s}_ka"] for s in ("hv", "mv", "lv")]
        parts = [(i / r).to_numpy(dtype=float) for i, r in zip(amps, rating, strict=True)]
        return np.stack(parts, axis=1).ravel()


def _typed(pd: Any, frame: Any, template: Any) -> Any:
    """A table with the columns and types that pandapower gives it; further columns are numbers where they can be."""
    found = {}
    for column in dict.fromkeys([*template.columns, *frame.columns]):
        kind = template[column].dtype.kind if column in template else "?"
        values = frame[column] if column in frame else pd.Series([None] * len(frame), index=frame.index)
        numbers = (
            pd.to_numeric(values, errors="coerce")
            if kind != "b"
            else values.astype("boolean").fillna(False).astype(bool)
        )
        whole = kind in "iu" and numbers.notna().all()
        is_number = kind in "fiub" or (kind == "?" and numbers.notna().sum() == values.notna().sum())
        found[column] = numbers.astype(template[column].dtype) if whole else numbers if is_number else values
    return pd.DataFrame(found, index=frame.index)
