"""Options of `sep2 measurements`: which store, which time, which place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gridmodel.errors import GridError
from gridmodel.meter_data.local_times import zone_of
from gridmodel.meter_data.store import MeasurementStore, require
from sep2.settings import Settings
from sep2.settings import read as read_settings
from sep2.settings.fields import FILE


class As(StrEnum):
    """Kind of measurements, by their source."""

    AMI = "ami"
    SCADA = "scada"
    WEATHER = "weather"


class Stored(StrEnum):
    """Kind of what is stored: also the energies of NEM13, which are of no interval."""

    AMI = "ami"
    SCADA = "scada"
    WEATHER = "weather"
    ACCUMULATED = "accumulated"


Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="NEM12, NEM13, Green Button or CSV files.")]
Dir = Annotated[Path, typer.Option("--dir", envvar="SEP2_DIR", help="The server's folder.")]
StoreFolder = Annotated[
    Path | None, typer.Option("--store", help="The folder of measurements itself, without a server.")
]
Place = Annotated[str, typer.Argument(metavar="PLACE", help="A connection, an element of the network, or a site.")]
Places = Annotated[list[str] | None, typer.Argument(metavar="[PLACE…]", help="Of these only; else of all.")]
From = Annotated[str, typer.Option("--from", help="Begin, such as 2026-05-29 or 2026-05-29T12:00+10:00; UTC.")]
Until = Annotated[str, typer.Option("--until", help="End; default: a day after the begin.")]
AsOf = Annotated[str, typer.Option("--as-of", help="As it was known then, such as 2026-05-30T06:00.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DAY_S = 86_400
NO_END_S = 1 << 40


@dataclass(frozen=True)
class OpenedStore:
    """A store, and what the settings of its server say of it."""

    store: MeasurementStore
    settings: Settings | None
    zone: str
    kept_s: int


def opened(folder: Path, store: Path | None) -> OpenedStore:
    """The store of a server's folder, or one alone."""
    require()
    if store is not None:
        return OpenedStore(MeasurementStore(store), None, "", NO_END_S)
    if not (folder / FILE).is_file():
        raise GridError(
            f"{folder / FILE} does not exist: --dir names a server's folder, --store one of measurements alone"
        )
    settings = read_settings(folder)
    utility = settings.utility
    zone = utility.zone or _offset(utility.tz_offset_s)
    return OpenedStore(MeasurementStore(settings.measurements.folder), settings, zone, utility.retention.measurements_s)


def _offset(seconds: int) -> str:
    """A fixed zone; "" where none is set."""
    if not seconds:
        return ""
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def epoch_of(option: str, said: str) -> int:
    """Epoch seconds of a time; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise GridError(f"{option} {said!r} is no time: such as 2026-05-29 or 2026-05-29T12:00+10:00") from None
    return int((at if at.tzinfo else at.replace(tzinfo=zone_of("UTC"))).timestamp())


def span_of(said: tuple[str, str], default: tuple[int, int]) -> tuple[int, int]:
    """Begin and end of a time; of which one is left out, the default's, or a day from the other."""
    since = epoch_of("--from", said[0]) if said[0] else None
    until = epoch_of("--until", said[1]) if said[1] else None
    if since is not None:
        until = since + DAY_S if until is None else until
    elif until is not None:
        since = min(default[0], until - DAY_S)
    else:
        since, until = default
    if until <= since:
        at = datetime.fromtimestamp(since, UTC)
        raise GridError(f"--until {said[1] or until} is not after --from {at:%Y-%m-%dT%H:%MZ}")
    return since, until


def utc(at: int) -> str:
    """A time to the minute, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
