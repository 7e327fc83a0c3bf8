"""A schedule read back from its limits file, so that it can be verified or published without being calculated again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from envelope.field_rules import BadProblem
from envelope.problem import Direction
from envelope.problem.file_content import HOW_TO_GET, LIMITS, content_of, not_a
from envelope.schedule.codes import STATUS, special_bindings
from envelope.schedule.schedule import Binding, EnvelopeSchedule
from gridmodel.arrays import Index, Watts

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".parquet")
ONE_VALUE = ("step_s", "early_s", "guarantee", "allocation", "reference", "margin_v", "pf_rule", "run_id")
"""columns that hold the same in every row"""
COLUMNS = (
    "connection_point", "start", "duration", "control_point", "import_limit_w", "export_limit_w", "gen_limit_w",
    "load_limit_w", "firm_import_w", "firm_export_w", "default_import_w", "default_export_w", "double_counted",
    "q_min_var", "q_max_var", "import_binding", "export_binding", "status", *ONE_VALUE,
)  # fmt: skip
UNREADABLE = (KeyError, ValueError, TypeError, OverflowError, EOFError)
"""raised by pandas where a file is damaged, or a column holds another type of value"""


def read(path: Path | str) -> EnvelopeSchedule:
    """The schedule in a limits file, .csv or .parquet: limits, defaults, guarantee, and the problem's `run_id`.

    Headroom and capacity are not in the file: they are NaN.

    Raises `BadProblem` for a file that holds no whole schedule.
    """
    from envelope.schedule.table import load

    path = Path(path)
    if not path.exists():
        raise BadProblem(f"{path}: no such file")
    if content_of(path) != LIMITS:
        raise BadProblem(not_a(LIMITS, path))
    if path.suffix not in ENDINGS:
        raise BadProblem(f"{path}: a limits file ends in {' or '.join(ENDINGS)}; rename it")
    try:
        return _Rows(load(path)).schedule()
    except BadProblem as wrong:
        raise BadProblem(f"{path}: {wrong.detail}") from None
    except UNREADABLE:
        raise BadProblem(f"{path}: this limits file is damaged; {HOW_TO_GET[LIMITS]}") from None


class _Rows:
    """The rows of a limits file, spread over C connections and T steps."""

    def __init__(self, table: pd.DataFrame) -> None:
        if missing := [name for name in COLUMNS if name not in table]:
            raise BadProblem(f"has no column {missing[0]}; files of an earlier version are to be written anew")
        if not len(table):
            raise BadProblem("has no rows")
        self.table = table
        self.step_s = int(self._one("step_s"))
        if self.step_s <= 0:
            raise BadProblem(f"step_s: {self.step_s}: expected > 0")
        self.connection_id = tuple(dict.fromkeys(table["connection_point"].tolist()))
        self.row, self.step_start = self._spread()

    def schedule(self) -> EnvelopeSchedule:
        """The schedule that the rows hold."""
        imports, exports = (self._codes(direction) for direction in (Direction.IMPORT, Direction.EXPORT))
        names = tuple(dict.fromkeys(name for name, code in (*imports, *exports) if code is None))
        unknown = np.full(self.row.shape, np.nan)
        return EnvelopeSchedule(
            connection_id=self.connection_id,
            step_start=self.step_start,
            step_s=self.step_s,
            import_limit_w=self._watts("import_limit_w")[self.row],
            export_limit_w=self._watts("export_limit_w")[self.row],
            gen_limit_w=self._watts("gen_limit_w")[self.row],
            load_limit_w=self._watts("load_limit_w")[self.row],
            firm_import_w=self._per_connection("firm_import_w", self._watts("firm_import_w")),
            firm_export_w=self._per_connection("firm_export_w", self._watts("firm_export_w")),
            default_import_w=self._per_connection("default_import_w", self._watts("default_import_w")),
            default_export_w=self._per_connection("default_export_w", self._watts("default_export_w")),
            import_room_w=unknown,
            export_room_w=unknown,
            import_reach_w=unknown,
            export_reach_w=unknown,
            status=self._status(),
            names=names,
            import_binding=self._binding(imports, names),
            export_binding=self._binding(exports, names),
            guarantee=str(self._one("guarantee")),
            allocation=str(self._one("allocation")),
            reference=str(self._one("reference")),
            # Stored in single precision: the shortest decimal that means the same is what was asked for.
            margin_v=float(str(np.float32(self._one("margin_v")))),
            run_id=str(self._one("run_id")),
            early_s=int(self._one("early_s")),
            double_counted=self._per_connection("double_counted", self.table["double_counted"].to_numpy(dtype=bool)),
            control_point=tuple(self._per_connection("control_point", self._texts("control_point")).tolist()),
            reactive=self._reactive(),
            pf_rule=str(self._one("pf_rule")),
        )

    def _spread(self) -> tuple[Index, NDArray[np.int64]]:
        """(T, C) position of the row that holds each step of a connection, and (T,) the steps' beginnings."""
        starts = self.table["start"].astype("datetime64[ns, UTC]").astype("int64").to_numpy() // 10**9
        seconds = self.table["duration"].dt.total_seconds().to_numpy()
        times = np.rint(seconds / self.step_s).astype(np.int64)
        if wrong := np.flatnonzero((times < 1) | (times * self.step_s != seconds)).tolist():
            said = f"duration: {seconds[wrong[0]]:g} s: expected a multiple of step_s, {self.step_s} s"
            raise BadProblem(f"row {wrong[0] + 1}: {said}")
        rows = np.repeat(np.arange(len(times)), times)
        at = np.concatenate([start + self.step_s * np.arange(n) for start, n in zip(starts, times, strict=True)])
        of = self.table["connection_point"].to_numpy()[rows]
        found = [np.flatnonzero(of == name) for name in self.connection_id]
        first = self.connection_id[0]
        for name, own in zip(self.connection_id, found, strict=True):
            if not np.array_equal(at[own], at[found[0]]) or np.any(np.diff(at[own]) < self.step_s):
                raise BadProblem(f"connection {name}: its intervals are not those of connection {first}")
        return np.stack([rows[own] for own in found], axis=1).astype(np.intp), at[found[0]]

    def _one(self, name: str) -> Any:
        """The value that a column holds in every row."""
        found = self.table[name].unique().tolist()
        if len(found) != 1:
            raise BadProblem(f"{name}: holds {len(found)} values; expected one for the whole schedule")
        return found[0]

    def _texts(self, name: str) -> NDArray[Any]:
        return np.array(self.table[name].astype(str).tolist(), dtype=object)

    def _watts(self, name: str) -> Watts:
        """(rows,) whole watts, never negative."""
        found: Watts = self.table[name].to_numpy(dtype=np.int64)
        if wrong := np.flatnonzero(found < 0).tolist():
            raise BadProblem(f"row {wrong[0] + 1}: {name}: {found[wrong[0]]}: expected >= 0")
        return found

    def _per_connection(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """(C,) values that do not change from step to step."""
        found = values[self.row]
        if wrong := np.flatnonzero((found != found[0]).any(axis=0)).tolist():
            raise BadProblem(f"connection {self.connection_id[wrong[0]]}: {name}: differs between intervals")
        return np.asarray(found[0])

    def _status(self) -> NDArray[np.int8]:
        texts = self._texts("status")
        if unknown := np.flatnonzero(~np.isin(texts, STATUS)).tolist():
            raise BadProblem(f"row {unknown[0] + 1}: status: expected one of {', '.join(STATUS)}")
        codes = {name: code for code, name in enumerate(STATUS)}
        return np.array([codes[text] for text in texts.tolist()], dtype=np.int8)[self.row]

    def _reactive(self) -> tuple[Watts, Watts] | None:
        """(T, C) least and most var; None where they were not considered."""
        columns = [self.table[name] for name in ("q_min_var", "q_max_var")]
        if all(column.isna().all() for column in columns):
            return None
        least, most = (column.to_numpy(dtype=np.int64)[self.row] for column in columns)
        return least, most

    def _codes(self, direction: Direction) -> list[tuple[str, int | None]]:
        """Each row's binding by name, with its code where it is no constraint."""
        special = {name: code for code, name in special_bindings(direction).items()}
        return [(name, special.get(name)) for name in self._texts(f"{direction}_binding").tolist()]

    def _binding(self, of_rows: list[tuple[str, int | None]], names: tuple[str, ...]) -> Binding:
        place = {name: k for k, name in enumerate(names)}
        codes = np.array([place[name] if code is None else code for name, code in of_rows], dtype=np.intp)
        steps = np.arange(len(self.row), dtype=np.intp)[:, None]
        return Binding(codes[self.row], np.broadcast_to(steps, self.row.shape))
