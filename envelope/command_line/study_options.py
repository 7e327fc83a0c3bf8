"""Options that the studies share: the days studied, temperatures, obedience, workers and the folder written to."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from envelope.command_line.options import refuse_missing, warn
from envelope.field_rules import BadProblem
from envelope.planning.year import YEAR_DAYS, Year, year_of, year_of_profiles, year_of_store
from envelope.problem.thermal_ratings import AMBIENT_COLUMNS, ambient_of, unused_of_ambient
from gridmodel.arrays import Real
from gridmodel.errors import FileError
from gridmodel.model.feeder import Feeder
from gridmodel.readers.tables import read_csv

DAYS_STUDIED = "The days studied"
OBEDIENCE_COLUMNS = ("obedience", "obedience_percent")


@dataclass(frozen=True)
class DaysAsked:
    """Options: which days of which series are studied."""

    days: Annotated[
        int, typer.Option(help="Days studied; shorter series repeat.", min=1, max=3660, rich_help_panel=DAYS_STUDIED)
    ] = YEAR_DAYS
    profiles: Annotated[
        Path | None,
        typer.Option(
            help="Net import: CSV or Parquet with connection_id, start, net_w, or a forecast (.npz).",
            rich_help_panel=DAYS_STUDIED,
        ),
    ] = None
    store: Annotated[
        Path | None, typer.Option(help="Take them from this folder of measurements.", rich_help_panel=DAYS_STUDIED)
    ] = None
    since: Annotated[
        str, typer.Option("--from", help="With --store: the first midnight, local.", rich_help_panel=DAYS_STUDIED)
    ] = ""
    power_factor: Annotated[
        float,
        typer.Option(help="Power factor of what --profiles draw.", min=0.1, max=1.0, rich_help_panel=DAYS_STUDIED),
    ] = 0.95

    def __post_init__(self) -> None:
        if self.profiles is not None and self.store is not None:
            raise BadProblem("--profiles and --store: one of the two")
        if self.store is not None and not self.since:
            raise BadProblem("--store: needs --from, the first midnight such as 2026-01-01T00:00+10:00")
        if self.profiles is not None:
            refuse_missing(str(self.profiles))

    def year(self, feeder: Feeder) -> Year:
        """The days of a feeder."""
        if self.profiles is not None:
            return year_of_profiles(feeder, self.profiles, self.days, self.power_factor)
        if self.store is not None:
            from envelope.command_line.measurement_options import epoch_of

            return year_of_store(feeder, self.store, epoch_of("--from", self.since), self.days)
        return year_of(feeder, self.days)


def ambient_series(said: str, year: Year) -> Real:
    """(T,) C: a number; or a CSV file with at and temp_c, at each step or, where it is shorter, on its hottest day."""
    warn(unused_of_ambient(said))
    starts = _starts(year)
    path = Path(said)
    if path.suffix == ".csv":
        rows = sorted((row.epoch_s("at"), row.number("temp_c")) for row in read_csv(path, AMBIENT_COLUMNS))
        if rows and rows[0][0] <= starts[0] and rows[-1][0] >= starts[-1] - year.step_s:
            at = np.array([one for one, _ in rows])
            return np.array([value for _, value in rows])[np.searchsorted(at, starts, side="right") - 1]
    return ambient_of(said, starts, year.step_s)


def _starts(year: Year) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    first = datetime.combine(year.first_day, datetime.min.time()) - datetime(1970, 1, 1)  # noqa: DTZ001
    return first // timedelta(seconds=1) + year.step_s * np.arange(len(year.load_w), dtype=np.int64)


def obedience_of(said: str, feeder: Feeder) -> Real:
    """(C,) chance that a home keeps its limits: a number, or a CSV file with connection_id and obedience.

    A connection that the file does not name has the mean of those that it names.
    """
    names = feeder.network.connections.id
    try:
        return np.full(len(names), _share("--obedience", float(said)))
    except ValueError:
        pass
    path = Path(said)
    if path.suffix != ".csv":
        raise BadProblem(f"--obedience {said!r}: neither a number from 0 to 1 nor a .csv file")
    known = _known_obedience(path)
    if not known:
        raise FileError(path, "names no connection")
    mean = float(np.mean(list(known.values())))
    return np.array([known.get(name, mean) for name in names])


def _known_obedience(path: Path) -> dict[str, float]:
    """Per connection the share of intervals in which it kept its limits; as `sep2 compliance export` writes it, too."""
    found: dict[str, float] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        columns = rows.fieldnames or []
        name = next((one for one in ("connection_id", "connection", "name") if one in columns), "")
        value = next((one for one in OBEDIENCE_COLUMNS if one in columns), "")
        if not name or not value:
            raise FileError(path, f"columns connection_id and obedience are missing; found {', '.join(columns)}")
        for number, row in enumerate(rows, start=2):
            if not (text := (row[value] or "").strip()):
                continue
            try:
                share = float(text) / (100.0 if value.endswith("percent") else 1.0)
            except ValueError:
                raise FileError(path, f"{text!r} is no number", row=number, field=value) from None
            found[row[name]] = _share(f"{path}: row {number}: {value}", share)
    return found


def _share(name: str, value: float) -> float:
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise BadProblem(f"{name}: {value:g} is outside 0..1")
    return value


def costs_of(path: Path | None) -> tuple[tuple[str, float], ...]:
    """Costs of replacements by transformer, of a CSV file with transformer_id and cost."""
    if path is None:
        return ()
    found = {row.text("transformer_id"): row.number("cost") for row in read_csv(path, ("transformer_id", "cost"))}
    for name, cost in found.items():
        if cost < 0.0:
            raise BadProblem(f"{path}: {name}: cost: {cost:g} is below 0")
    return tuple(found.items())
