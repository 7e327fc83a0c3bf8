"""The interconnection study of one plant: from words on the command line to what is studied."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from envelope.command_line.options import warn
from envelope.command_line.study_options import DaysAsked
from envelope.demo.criteria import limits_of
from envelope.field_rules import BadProblem
from envelope.planning.hosting import Ahead, Hosting
from envelope.planning.plant import Direction, Plant
from envelope.planning.year import Year
from envelope.problem import OperatingLimits, plan_file
from envelope.problem.inverter_curves import RegionCurves, region, region_of
from envelope.study.estimate import of_flows
from gridmodel.arrays import Real
from gridmodel.errors import FileError
from gridmodel.flow.kron import reduce
from gridmodel.readers.tables import read_csv

UNITS = {"": 1.0, "w": 1.0, "kw": 1e3, "mw": 1e6}
FASTEST_S = 1800
CONSTANT, SOLAR = "constant", "solar"
PLANT = "The plant"


def power_of(option: str, said: str) -> float:
    """W of a text such as 500kW, 1.5MW or 20000 (W)."""
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-zA-Z]*)\s*", said)
    if found is None or found[2].lower() not in UNITS:
        raise BadProblem(f"{option} {said!r}: is no power such as 500kW or 1.5MW")
    power_w = float(found[1]) * UNITS[found[2].lower()]
    if not 0.0 < power_w <= 1e9:
        raise BadProblem(f"{option} {said}: is outside 0 to 1000 MW")
    return power_w


@dataclass(frozen=True)
class PlantAsked:
    """Options: a plant as it is asked about."""

    node: Annotated[
        str, typer.Option(help="Node that it connects at, low or medium voltage.", rich_help_panel=PLANT)
    ] = ""
    export: Annotated[str, typer.Option(help="Size of generation, such as 500kW.", rich_help_panel=PLANT)] = ""
    import_: Annotated[str, typer.Option("--import", help="Size of load, such as 500kW.", rich_help_panel=PLANT)] = ""
    name: Annotated[str, typer.Option(help="Id of the plant's connection.", rich_help_panel=PLANT)] = "plant"
    phases: Annotated[
        str, typer.Option(help="Its phases, such as a or abc; default: all of the node.", rich_help_panel=PLANT)
    ] = ""
    resource: Annotated[
        str,
        typer.Option(
            help="Power it can have: solar (default for --export), constant (for --import), or a CSV file with hour and"
            " part of its size.",
            rich_help_panel=PLANT,
        ),
    ] = ""
    queue: Annotated[
        Path | None,
        typer.Option(help="Plants ahead: CSV with name, node, export_w or import_w.", rich_help_panel=PLANT),
    ] = None
    pro_rata: Annotated[
        bool,
        typer.Option(
            "--pro-rata/--last-in",
            help="Whether all are limited alike, or those ahead come first.",
            rich_help_panel=PLANT,
        ),
    ] = False
    limits: Annotated[
        str, typer.Option(help="A voltage criterion; default: one that suits the network.", rich_help_panel=PLANT)
    ] = ""
    step: Annotated[int, typer.Option(help="Length of a step of the study, s; finer series are averaged.")] = FASTEST_S

    def __post_init__(self) -> None:
        if not self.node:
            raise BadProblem("--node: is missing: the node that the plant connects at")

    @property
    def direction(self) -> Direction:
        """The direction that is asked about."""
        if bool(self.export) == bool(self.import_):
            raise BadProblem("--export or --import: give one of them, such as --export 500kW")
        return Direction.EXPORT if self.export else Direction.IMPORT

    @property
    def size_w(self) -> float:
        """Its size."""
        return power_of(f"--{self.direction}", self.export or self.import_)


@dataclass(frozen=True, eq=False)
class StatedPlant:
    """A plant with its network and days, the region's curves, and what was assumed."""

    hosting: Hosting
    region: RegionCurves
    said: tuple[str, ...]


def stated(feeder_name: str, asked: PlantAsked, days: DaysAsked) -> StatedPlant:
    """The plant in its network, over the days that are studied."""
    direction, size_w = asked.direction, asked.size_w
    ahead = _queue(asked.queue, direction)
    feeder = plan_file.feeder_of(feeder_name)
    year = days.year(feeder)
    if year.step_s < asked.step:
        year = year.at_steps(asked.step)
    resource = asked.resource or (SOLAR if direction is Direction.EXPORT else CONSTANT)
    warn(of_flows(feeder.network, len(np.unique(year.distinct))).warning)
    limits = OperatingLimits.of(asked.limits) if asked.limits else limits_of(reduce(feeder.network))
    curves = region_of(limits.source) or region("ieee1547-b")
    available, said = _available(resource, year)
    plant = Plant(asked.name, asked.node, size_w, asked.phases)
    hosting = Hosting(feeder.network, year, plant, direction, limits, available, Ahead(ahead, asked.pro_rata))
    return StatedPlant(hosting, curves, (*year.said, said))


def _queue(path: Path | None, direction: Direction) -> tuple[Plant, ...]:
    """Plants ahead, of a CSV file with name, node, export_w or import_w and, if wanted, phases."""
    if path is None:
        return ()
    column = f"{direction}_w"
    found = []
    for row in read_csv(path, ("name", "node", column), optional=("phases", "export_w", "import_w")):
        size_w = row.number(column)
        if size_w < 0.0:
            raise row.wrong(column, f"{size_w:g} is negative")
        found.append(Plant(row.text("name"), row.text("node"), size_w, row.text("phases", "")))
    return tuple(found)


def _available(resource: str, year: Year) -> tuple[Real, str]:
    """(T,) part of its size that the plant can feed or draw, and a sentence."""
    if resource == CONSTANT:
        return np.ones(len(year.load_w)), "resource: its full size at every hour"
    if resource == SOLAR:
        return year.sky, "resource: solar, as the solar generation of the days studied"
    path = Path(resource)
    if path.suffix != ".csv":
        raise BadProblem(f"--resource {resource!r}: neither solar nor constant, nor a .csv file")
    rows = [(int(row.number("hour")), row.number("part")) for row in read_csv(path, ("hour", "part"))]
    if [hour for hour, _ in rows] != list(range(len(rows))) or len(rows) % 24 or not rows:
        raise FileError(path, "hours do not count up from 0 through whole days", field="hour")
    part = np.array([value for _, value in rows])
    if not ((part >= 0.0) & (part <= 1.0)).all():
        raise FileError(path, "a value is outside 0..1", field="part")
    hours = (np.arange(len(year.load_w)) * year.step_s // 3600) % len(part)
    return part[hours], f"resource: {len(part)} hours of {path.name}"
