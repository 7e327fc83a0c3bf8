"""Options that the envelope commands share: the customers' flexibility, the limits and the policy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from envelope.field_rules import UNKNOWN, BadProblem, Numbers
from envelope.problem import (
    Allocation,
    Guarantee,
    ImportInSun,
    OperatingLimits,
    Problem,
    ShareReference,
    TighteningLead,
    default_policy,
    voltage_criteria,
    voltage_criterion,
)
from envelope.problem.feeder_files import EUROPEAN_LV
from envelope.problem.limits import voltage_levels
from envelope.study.study import BaseLoad
from gridmodel.arrays import Mask
from gridmodel.errors import FileError
from sep2.terminal import say

if TYPE_CHECKING:
    from envelope.problem.thermal_ratings import ThermalRating
    from envelope.study.study import Study
    from gridmodel.flow.kron import Reduced
from gridmodel.model.feeder import Feeder

RATING, BAND = "Transformers by temperature", "Guarantee within a declared band"
SIZES = ("export_kw", "import_kw", "flexible", "seed")
STUDIED = ("steps", *SIZES, "devices", "all_day", "day", "limits", "base_load", "files_from")
BAND_FIELDS = ("declared_share", "declared_by")
POLICY = ("guarantee", "allocation", "reference", "floor", "early", "import_in_sun", *BAND_FIELDS)
ABOVE_0 = Numbers(low=0.0, above=True)
NUMBERS = {
    "steps": Numbers(of=int, low=1, high=86_400),
    "export_kw": Numbers(low=0.0),
    "import_kw": Numbers(low=0.0),
    "flexible": Numbers(low=0.0, high=1.0),
    "floor": Numbers(low=0.0, high=1.0),
    "declared_share": Numbers(low=0.0, above=True, high=1.0),
    "hot_spot": ABOVE_0,
    "top_oil": ABOVE_0,
    "life": ABOVE_0,
    "k_max": ABOVE_0,
    "fuse_a": ABOVE_0,
}
"""Bounds of options, by field of `StudyOptions`."""
DAY_S = 86_400
DAY = "2026-05-29"
THERMAL = ("thermal", "ambient", "hot_spot", "top_oil", "life", "k_max", "fuse_a")


class StatedProblem(NamedTuple):
    """A problem, and the assumptions made for it, as sentences."""

    problem: Problem
    assumed: list[str]


@dataclass(frozen=True)
class StudyOptions:
    """The options that all commands share."""

    steps: Annotated[int, typer.Option(help="Steps in the day.")] = 48
    export_kw: Annotated[float, typer.Option(help="Controllable generation per flexible connection, kW.")] = 5.0
    import_kw: Annotated[float, typer.Option(help="Controllable load per flexible connection, kW.")] = 7.0
    flexible: Annotated[float, typer.Option(help="Part of the connections that are flexible, 0 to 1.")] = 1.0
    seed: Annotated[int, typer.Option(help="Which connections are the flexible ones.", min=0)] = 1
    devices: Annotated[bool, typer.Option("--devices", help="Take devices and sizes from devices.csv.")] = False
    all_day: Annotated[bool, typer.Option("--all-day", help="Generation reaches its size at any hour.")] = False
    day: Annotated[
        str,
        typer.Option(help="Date (UTC), such as 2026-11-26, or today; of several measured days also a number."),
    ] = DAY
    base_load: Annotated[
        BaseLoad, typer.Option(help="Base load: measured, of the network's file, assumed; auto: the first there is.")
    ] = BaseLoad.AUTO
    files_from: Annotated[
        Path | None,
        typer.Option(help="Folder that an OpenDSS circuit may read files from; by default its own."),
    ] = None
    limits: Annotated[str, typer.Option(help="A voltage criterion, such as en-50160.")] = "as-61000.3.100"
    guarantee: Annotated[Guarantee, typer.Option(help="Guarantee while limits are kept.")] = Guarantee.TWO_SIDED
    allocation: Annotated[Allocation, typer.Option(help="Rule by which capacity is shared.")] = (
        default_policy.ALLOCATION
    )
    floor: Annotated[
        float, typer.Option(help="Least part of its max-min share that a connection gets, 0 to 1; 0: none.")
    ] = default_policy.MAX_MIN_FLOOR
    reference: Annotated[ShareReference, typer.Option(help="Quantity that shares refer to.")] = ShareReference.CAPACITY
    import_in_sun: Annotated[
        ImportInSun, typer.Option(help="Import while the sun shines: each home's own band, or shared like the rest.")
    ] = ImportInSun.OWN_BAND
    early: Annotated[
        TighteningLead, typer.Option(help="How early a tightening is published: a whole step, or the adoption time.")
    ] = TighteningLead.ADOPTION
    declared_share: Annotated[
        float | None,
        typer.Option(
            help="For declared-band: least generation, part of what limit and sun allow.", rich_help_panel=BAND
        ),
    ] = None
    declared_by: Annotated[
        str, typer.Option(help="The engineer who turns declared-band on for this feeder.", rich_help_panel=BAND)
    ] = ""
    thermal: Annotated[
        str | None,
        typer.Option(help="Rate transformers by their temperature, such as onan-65.", rich_help_panel=RATING),
    ] = None
    ambient: Annotated[
        str, typer.Option(help="Degrees Celsius, or a CSV file with at and temp_c.", rich_help_panel=RATING)
    ] = "30"
    hot_spot: Annotated[float, typer.Option(help="Hottest winding permitted, C.", rich_help_panel=RATING)] = 120.0
    top_oil: Annotated[float, typer.Option(help="Hottest oil permitted, C.", rich_help_panel=RATING)] = 105.0
    life: Annotated[float, typer.Option(help="Life used per day at most, %.", rich_help_panel=RATING)] = 0.0133
    k_max: Annotated[float, typer.Option(help="Load over the rating at most.", rich_help_panel=RATING)] = 1.5
    fuse_a: Annotated[
        float | None,
        typer.Option(help="Current per low-voltage phase that fuse and bushing carry, A.", rich_help_panel=RATING),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False

    def __post_init__(self) -> None:
        for name, rule in NUMBERS.items():
            if (value := getattr(self, name)) is not None:
                rule(option(name), value, UNKNOWN)

    def problem(self, feeder: str, times: int = 1) -> Problem:
        """Return the problem of a feeder or of a saved plan, which is calculated so many times."""
        return self.stated(feeder, times).problem

    def stated(self, feeder: str, times: int = 1) -> StatedProblem:
        """Return the problem of a feeder or plan, with the assumptions made for it."""
        from envelope.problem import plan_file
        from envelope.study.estimate import estimate_of

        refuse_missing(feeder)
        if Path(feeder).suffix == ".npz":
            self.refuse((*STUDIED, *POLICY), "a plan has its own")
            planned = plan_file.load(Path(feeder)).problem
            warn(estimate_of(planned.reduced.network, planned.reduced, planned.steps).repeated(times).warning)
            return StatedProblem(self.rated(planned), [])
        return self.stated_of(self.read(feeder), times=times)

    def read(self, feeder: str) -> Feeder:
        """Return the feeder of a folder, a network file or a name; one with errors is refused."""
        from envelope.problem import plan_file

        found: Feeder = plan_file.feeder_of(feeder, self.files_from)
        return found

    def stated_of(
        self, found: Feeder, reduced: Reduced | None = None, times: int = 1, *, own_file: bool = False
    ) -> StatedProblem:
        """Return the problem of a feeder whose network is `reduced`, or else one, with the assumptions made for it.

        own_file: it is verified by the file's own loads too, which counts in what it is expected to take.
        """
        from envelope.study import study as studies
        from envelope.study.estimate import by_own_file, estimate_of

        expected = estimate_of(found.network, reduced, self.steps).repeated(times)
        further_s = by_own_file(found.network) if own_file else 0.0
        warn(expected._replace(seconds=expected.seconds + further_s).warning)
        study = self.study_of(found)
        problem = studies.problem_of(found, study, reduced)
        if self.devices:
            problem = studies.on_devices(found, problem)
        self.refuse_criterion(problem)
        return StatedProblem(self.rated(self.shared_out(problem)), studies.assumed(found, study))

    def study_of(self, found: Feeder) -> Study:
        """Return the study that these options ask for on a feeder."""
        from envelope.study import study as studies

        study = studies.Study(
            steps=self.steps,
            export_w=1e3 * self.export_kw,
            import_w=1e3 * self.import_kw,
            flexible=self.chosen(len(found.network.connections)),
            sun=not self.all_day,
            start=self.start,
            limits=OperatingLimits.of(self.limits),
            guarantee=self.guarantee,
            allocation=self.allocation,
            reference=self.reference,
            base_load=self.base_load,
            series_day=None if self.day in (DAY, "today") else studies.series_day(found, self.day, self.start),
            declared_share=self.declared_share,
            declared_by=self.declared_by,
        )
        if self.devices:
            self.refuse(SIZES, "devices.csv has its own sizes (--devices)")
            study = studies.by_devices(found, study)
        return study

    def shared_out(self, problem: Problem) -> Problem:
        """Return the problem with what these options say of sharing beyond the allocation itself."""
        held = self.import_in_sun is ImportInSun.OWN_BAND
        ceiling_w = default_policy.own_band_in_the_sun(problem) if held else None
        return replace(problem, early=self.early, max_min_floor=self.floor, ceiling_import_w=ceiling_w)

    @property
    def start(self) -> int:
        """Epoch seconds at which the day begins."""
        if self.day == "today":
            return int(time.time()) // DAY_S * DAY_S
        try:
            told = DAY if self.day.isdecimal() and len(self.day) < 5 else self.day
            return int(datetime.fromisoformat(told).replace(hour=0, tzinfo=UTC).timestamp()) // DAY_S * DAY_S
        except ValueError:
            raise BadProblem(f"--day: {self.day!r} is no date such as 2026-11-26, nor today") from None

    def chosen(self, count: int) -> Mask:
        """Return which connections are flexible, (C,)."""
        found = np.zeros(count, dtype=bool)
        found[np.random.default_rng(self.seed).permutation(count)[: round(self.flexible * count)]] = True
        return found

    def rating(self, problem: Problem) -> ThermalRating | None:
        """Return the rating of transformers by temperature; None without --thermal."""
        from envelope.problem.thermal import ThermalPolicy
        from envelope.problem.thermal_ratings import ThermalRating, ambient_of, unused_of_ambient

        if self.thermal is None:
            self.refuse(THERMAL[1:-1], "has no effect without --thermal")
            return None
        policy = ThermalPolicy(self.hot_spot, self.top_oil, self.life, self.k_max)
        warn(unused_of_ambient(self.ambient))
        ambient_c = ambient_of(self.ambient, problem.step_start, problem.step_s)
        return ThermalRating.of(self.thermal, ambient_c, problem.step_s, policy)

    def rated(self, problem: Problem) -> Problem:
        """Return the problem with its transformers rated as these options state."""
        found = self.rating(problem)
        if found is not None:
            return replace(problem, limits=found.limits(problem.limits, self.fuse_a))
        if self.fuse_a is not None:
            return replace(problem, limits=replace(problem.limits, transformer_most_a=self.fuse_a))
        return problem

    def refuse_criterion(self, problem: Problem) -> None:
        """Refuse a voltage criterion that is for another low voltage than some of the connections have."""
        meant, levels = voltage_criterion(self.limits), voltage_levels(problem.reduced)
        for here in (level for level in levels if not meant.suits(level)):
            fit = [name for name, other in voltage_criteria().items() if all(map(other.suits, levels))]
            instead = f"; for them: {', '.join(fit)}" if fit else ""
            mismatch = f"is for {meant.nominal_v:.0f} V, and customers here have {here:.0f} V{instead}"
            raise BadProblem(f"--limits {self.limits}: {mismatch}")

    def refuse(self, names: Sequence[str], why: str) -> None:
        """Refuse these options if they are given; why: the reason."""
        for field in fields(self):
            if field.name in names and getattr(self, field.name) != field.default:
                raise BadProblem(f"{option(field.name)}: {why}")


def refuse_missing(feeder: str) -> None:
    """Refuse a feeder, plan or readings that do not exist, before anything else about them."""
    path = Path(feeder)
    if feeder == EUROPEAN_LV or path.exists():
        return
    if path.suffix == ".npz":
        raise BadProblem(f"{feeder}: no such file")
    raise FileError(feeder, "no such file" if path.suffix else "no such folder")


def warn(sentence: str) -> None:
    """Say on standard error what a person should know before waiting; nothing where there is nothing."""
    if sentence:
        say(sentence, err=True)


def option(name: str) -> str:
    """Return a field's name on the command line."""
    return f"--{name.replace('_', '-')}"
