"""Limits as clients get them: whole watts of the table, of the interval before while late, or the default.

Where tightenings are published early, a late client holds an earlier limit only in place of one at capacity.
"""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

SPAN_S = {"days": 86_400, "hours": 3_600}


@dataclass(frozen=True)
class Published:
    """(T, C) W of each interval, and (C,) W of each default; import is load where a charger is limited."""

    import_w: np.ndarray
    export_w: np.ndarray
    at_capacity: tuple[np.ndarray, np.ndarray]
    """(T, C) of import and export"""
    of_charger: np.ndarray
    """(C,)"""
    default_import_w: np.ndarray
    default_export_w: np.ndarray
    early: bool = False

    def loosest(self, step: np.ndarray, late: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(K, C) most import and export that anyone may hold in these steps.

        late: (K,) whether clients may not yet have taken up the interval's own limits; a silent one holds its default.
        """
        sides = []
        limits, defaults = (self.import_w, self.export_w), (self.default_import_w, self.default_export_w)
        for limit, default, at_capacity in zip(limits, defaults, self.at_capacity, strict=True):
            own = np.maximum(limit[step], default)
            before = limit[np.maximum(step - 1, 0)]
            kept = late[:, None] & (at_capacity[step] | (not self.early))
            sides.append(np.where(kept, np.maximum(own, before), own).astype(float))
        return sides[0], sides[1]

    def tightest_export(self, step: np.ndarray, late: np.ndarray) -> np.ndarray:
        """(K, C) least export limit of an interval, or of the one before while clients are late; no default."""
        own, before = self.export_w[step], self.export_w[np.maximum(step - 1, 0)]
        return np.where(late[:, None], np.minimum(own, before), own).astype(float)


def read(
    path: Path,
    customers: tuple[str, ...],
    starts: np.ndarray,
    defaults: tuple[np.ndarray, np.ndarray],
    *,
    early: bool = False,
) -> Published:
    """The table that `sep2 envelope run --out` writes; rows that say the same for a while are one row there."""
    column = {name: k for k, name in enumerate(customers)}
    shape = (len(starts), len(customers))
    found = [np.full(shape, -1, dtype=np.int64) for _ in range(2)]
    at_capacity = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    of_charger = np.zeros(len(customers), dtype=bool)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            begin = int(datetime.fromisoformat(row["start"]).timestamp())
            end = begin + _seconds(row["duration"])
            at, who = (starts >= begin) & (starts < end), column[row["connection_point"]]
            of_charger[who] = row["control_point"] == "charger"
            for table, name in zip(found, ("load" if of_charger[who] else "import", "export"), strict=True):
                table[at, who] = int(row[f"{name}_limit_w"])
            for table, name in zip(at_capacity, ("import", "export"), strict=True):
                table[at, who] = row[f"{name}_binding"] == "capacity"
    assert all((table >= 0).all() for table in found), "an interval without a limit"
    imports, exports = (np.asarray(default, dtype=np.int64) for default in defaults)
    return Published(*found, at_capacity, of_charger, imports, exports, early)


def _seconds(text: str) -> int:
    """Such as "1 days 02:30:00"."""
    days, clock = text.split(" days ")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return SPAN_S["days"] * int(days) + SPAN_S["hours"] * hours + 60 * minutes + seconds
