"""Files of meters, and imports of them, for tests."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from gridmodel.meter_data.guessing import Hints
from gridmodel.meter_data.import_report import ImportReport
from gridmodel.meter_data.importing import ImportOptions, prepare, write
from gridmodel.meter_data.store import MeasurementStore

START = 1_780_012_800  # 2026-05-29 00:00 UTC, a Friday
DAY_S, HALF_HOUR_S = 86_400, 1800
NOW = START + 10 * DAY_S
ADELAIDE = ZoneInfo("Australia/Adelaide")


def take(store: MeasurementStore, *paths: Path, now: int = NOW, **said) -> ImportReport:
    """Import files; what is said of them is a field of the options or of the hints."""
    hints = Hints(**{name: said.pop(name) for name in list(said) if name in Hints.__dataclass_fields__})
    prepared = prepare(store, paths, ImportOptions(hints=hints, **said), now)
    with prepared.staging:
        return write(store, prepared)


def look(store: MeasurementStore, *paths: Path, now: int = NOW, **said) -> ImportReport:
    """The report of a dry run."""
    hints = Hints(**{name: said.pop(name) for name in list(said) if name in Hints.__dataclass_fields__})
    prepared = prepare(store, paths, ImportOptions(hints=hints, **said), now)
    with prepared.staging:
        return prepared.report


def table(path: Path, header: str, *rows: object) -> Path:
    """A CSV file; a row is a line or its cells."""
    lines = [row if isinstance(row, str) else ",".join(map(str, row)) for row in rows]
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def own_file(path: Path, meters: dict[str, list[float]], *, start: int = START, quality: str = "A") -> Path:
    """A file in our own format: half-hours of import, Wh."""
    rows = [
        (name, utc(start + k * HALF_HOUR_S), HALF_HOUR_S, wh, quality)
        for name, values in meters.items()
        for k, wh in enumerate(values)
    ]
    return table(path, "connection_id,interval_start,duration_s,import_wh,quality", *rows)


def nem12(path: Path, nmi: str, days: list[tuple[str, list[object], str]], channels=("E1", "B1")) -> Path:
    """A NEM12 file of half-hours: date, values and the rest of each 300 record (and its 400 records)."""
    with path.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["100", "NEM12", "202606010000", "MDP1", "RET1"])
        for channel in channels:
            out.writerow(["200", nmi, "".join(channels), channel, channel, "N1", "METER1", "kWh", "30", ""])
            for date, values, rest in days:
                file.write(",".join(["300", date, *map(str, values)]) + f",{rest}\n")
        file.write("900\n")
    return path


def utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def adelaide(day: str, count: int) -> list[str]:
    """Ends of the half-hours of a local time from a day on, as the zone's clocks show them."""
    begin = datetime.fromisoformat(day).replace(tzinfo=ADELAIDE).astimezone(UTC)
    ends = (begin + timedelta(seconds=HALF_HOUR_S * (k + 1)) for k in range(count))
    return [end.astimezone(ADELAIDE).strftime("%d/%m/%Y %H:%M") for end in ends]
