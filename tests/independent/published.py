"""Limits as clients get them: whole watts of the table, of the interval before while late, or the default."""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

SPAN_S = {"days": 86_400, "hours": 3_600}


@dataclass(frozen=True)
class Published:
    """(T, C) W of each interval, and (C,) W of each default."""

    import_w: np.ndarray
    export_w: np.ndarray
    default_import_w: np.ndarray
    default_export_w: np.ndarray

    def loosest(self, step: np.ndarray, late: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(K, C) most import and export that anyone may hold in these steps.

        late: (K,) whether clients may not yet have taken up the interval's own limits; a silent one holds its default.
        """
        sides = []
        for limit, default in ((self.import_w, self.default_import_w), (self.export_w, self.default_export_w)):
            own = np.maximum(limit[step], default)
            before = limit[np.maximum(step - 1, 0)]
            sides.append(np.where(late[:, None], np.maximum(own, before), own).astype(float))
        return sides[0], sides[1]

    def tightest_export(self, step: np.ndarray, late: np.ndarray) -> np.ndarray:
        """(K, C) least export limit of an interval, or of the one before while clients are late; no default."""
        own, before = self.export_w[step], self.export_w[np.maximum(step - 1, 0)]
        return np.where(late[:, None], np.minimum(own, before), own).astype(float)


def read(
    path: Path, customers: tuple[str, ...], starts: np.ndarray, defaults: tuple[np.ndarray, np.ndarray]
) -> Published:
    """The table that `sep2 envelope run --out` writes; rows that say the same for a while are one row there."""
    column = {name: k for k, name in enumerate(customers)}
    shape = (len(starts), len(customers))
    found = [np.full(shape, -1, dtype=np.int64) for _ in range(2)]
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            begin = int(datetime.fromisoformat(row["start"]).timestamp())
            end = begin + _seconds(row["duration"])
            at = (starts >= begin) & (starts < end)
            for table, name in zip(found, ("import_limit_w", "export_limit_w"), strict=True):
                table[at, column[row["connection_point"]]] = int(row[name])
    assert all((table >= 0).all() for table in found), "an interval without a limit"
    return Published(*found, *(np.asarray(default, dtype=np.int64) for default in defaults))


def _seconds(text: str) -> int:
    """Such as "1 days 02:30:00"."""
    days, clock = text.split(" days ")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return SPAN_S["days"] * int(days) + SPAN_S["hours"] * hours + 60 * minutes + seconds
