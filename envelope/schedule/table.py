"""A schedule as a table: one row per connection and interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from envelope.schedule.codes import STATUS, unnamed
from envelope.schedule.schedule import EnvelopeSchedule
from gridmodel.arrays import Index


def frame(schedule: EnvelopeSchedule, *, merged: bool = False) -> pd.DataFrame:
    """Columns as documented in docs/envelope.md, ordered by connection and start.

    merged: neighbours that say the same are one row with their whole duration.
    """
    table = _tall(schedule)
    return _merged(table) if merged else table


def _merged(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each run of rows that differ in their start alone."""
    others = table.drop(columns="start")
    # Codes compare faster than what they stand for, and missing values are the same as each other.
    codes = np.stack([pd.factorize(others[name], use_na_sentinel=False)[0] for name in others])
    first = np.ones(len(table), dtype=bool)
    first[1:] = (codes[:, 1:] != codes[:, :-1]).any(axis=0)
    found = table[first].reset_index(drop=True)
    found["duration"] = table["duration"].groupby(np.cumsum(first)).sum().to_numpy()
    return found


def _tall(schedule: EnvelopeSchedule) -> pd.DataFrame:
    steps, count = schedule.import_limit_w.shape

    def tall(table: np.ndarray) -> np.ndarray:
        return np.asarray(table).T.ravel()

    start = pd.to_datetime(np.tile(schedule.step_start, count), unit="s", utc=True)
    return pd.DataFrame(
        {
            "connection_point": np.repeat(np.array(schedule.connection_id, dtype=object), steps),
            "start": start,
            "duration": pd.to_timedelta(np.full(steps * count, schedule.step_s), unit="s"),
            "control_point": pd.Categorical(np.repeat(schedule.control_point or ("site",) * count, steps)),
            "import_limit_w": tall(schedule.import_limit_w),
            "export_limit_w": tall(schedule.export_limit_w),
            "gen_limit_w": tall(schedule.gen_limit_w),
            "load_limit_w": tall(schedule.load_limit_w),
            "firm_import_w": np.repeat(schedule.firm_import_w, steps),
            "firm_export_w": np.repeat(schedule.firm_export_w, steps),
            "q_min_var": _vars(schedule, 0),
            "q_max_var": _vars(schedule, 1),
            "pf_rule": pd.Categorical([schedule.pf_rule] * (steps * count)),
            "import_binding": _names(schedule, "import", schedule.import_binding.row),
            "export_binding": _names(schedule, "export", schedule.export_binding.row),
            "status": pd.Categorical(np.array(STATUS, dtype=object)[tall(schedule.status)], categories=list(STATUS)),
            "double_counted": np.repeat(_mask(schedule), steps),
            "guarantee": pd.Categorical([schedule.guarantee] * (steps * count)),
            "allocation": pd.Categorical([schedule.allocation] * (steps * count)),
            "margin_v": np.full(steps * count, schedule.margin_v, dtype=np.float32),
            "run_id": schedule.run_id,
        }
    )


def _vars(schedule: EnvelopeSchedule, which: int) -> pd.Series:
    """Least or most var; missing where nobody considered them."""
    if schedule.reactive is None:
        return pd.Series(pd.NA, index=range(schedule.import_limit_w.size), dtype="Int64")
    return pd.Series(schedule.reactive[which].T.ravel(), dtype="Int64")


def _mask(schedule: EnvelopeSchedule) -> np.ndarray:
    """(C,) whose reach counts twice."""
    nobody = np.zeros(len(schedule.connection_id), dtype=bool)
    return nobody if schedule.double_counted is None else schedule.double_counted


def _names(schedule: EnvelopeSchedule, direction: str, row: Index) -> pd.Categorical:
    """Bindings by name."""
    others = unnamed(direction)
    names = [*schedule.names, *(others[-1 - k] for k in range(len(others)))]
    code = np.where(row < 0, len(schedule.names) - 1 - row, row)
    used, position = np.unique(code.T.ravel(), return_inverse=True)
    wanted = [names[k] for k in used]
    categories = list(dict.fromkeys(wanted))
    return pd.Categorical(np.array(wanted, dtype=object)[position], categories=categories)


CATEGORIES = ("control_point", "import_binding", "export_binding", "status", "guarantee", "allocation", "pf_rule")


def load(path: Path) -> pd.DataFrame:
    """A table that `save` wrote, with the same types whichever of the two files it is."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    table = pd.read_csv(path, dtype={"connection_point": str, "run_id": str})
    table["start"] = pd.to_datetime(table["start"], utc=True).astype("datetime64[ns, UTC]")
    table["duration"] = pd.to_timedelta(table["duration"])
    for name in table.columns:
        if name.endswith("_w"):
            table[name] = table[name].astype("int64")
        elif name.endswith("_var"):
            table[name] = table[name].astype("Int64")
        elif name in CATEGORIES:
            known = list(STATUS) if name == "status" else None
            table[name] = pd.Categorical(table[name].astype(str), categories=known)
    return table.astype({"margin_v": "float32"})


def save(schedule: EnvelopeSchedule, path: Path) -> None:
    """Write the table, equal neighbours merged, as CSV or Parquet, by the file's ending."""
    table = frame(schedule, merged=True)
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
