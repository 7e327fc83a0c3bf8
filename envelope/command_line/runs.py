"""Runs of `sep2 envelope run`: calculate, verify, write and print; with or without a network model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from envelope.command_line.command_frame import stages
from envelope.command_line.options import THERMAL, StatedProblem, StudyOptions, refuse_missing
from envelope.command_line.printing import show_summary
from envelope.constraints.without_flow import verified_part
from envelope.engine import calculate
from envelope.field_rules import BadProblem
from envelope.model_free.methods import Method
from envelope.problem import Problem
from envelope.problem.plan_file import Rolling
from envelope.schedule import EnvelopeSchedule
from envelope.study.summary import summarise, summarise_parts
from envelope.verification import VerificationReport, verify
from envelope.verification.own_file import OwnFileReport, audit_by_own_file
from envelope.verification.report import BEYOND
from gridmodel.errors import GridError
from sep2.terminal import say, say_json

ROLLING_HYSTERESIS_W = 100
"""Of a rolling plan: a limit that could be relaxed by no more than that stays, so that few limits are made anew."""
How = tuple[StudyOptions, Callable[[str], None]]
"""the options of a run, and what shows its stage"""


class Files(NamedTuple):
    """Files that a run writes, and the ledger that it adds to."""

    out: Path | None
    picture: Path | None
    plan: Path | None
    ledger: Path | None
    past: float
    """weight of what the ledger shows as curtailed"""
    rolling: Rolling | None = None
    """how the plan goes on by itself; None: it ends with its day"""


def run_on_model(feeder: str, files: Files, options: StudyOptions) -> int:
    """Calculate, verify, write and print; return the exit code: see `VerificationReport.exit_code`."""
    from envelope.problem.divided import Divided, reduced_of

    with stages(options.as_json) as stage:
        stage("reading the feeder")
        if Path(feeder).suffix == ".npz":
            stated = options.stated(feeder)
        else:
            refuse_missing(feeder)
            found = options.read(feeder)
            stated = options.stated_of(found, reduced_of(found.network), own_file=True)
        stated = stated._replace(problem=_with_past(stated.problem, files.ledger, files.past))
        if isinstance(stated.problem.reduced, Divided):
            return _run_in_parts(feeder, stated, files, (options, stage))
        return _run_as_one(feeder, stated, files, (options, stage))


def _run_as_one(feeder: str, stated: StatedProblem, files: Files, how: How) -> int:
    options, stage = how
    problem = stated.problem
    stage("calculating")
    schedule = calculate(problem)
    stage("verifying")
    report = verify(problem, schedule)
    rating = options.rating(problem)
    thermal = {} if rating is None else {"thermal": rating.figures(problem.step_s)}
    summary = summarise(problem, schedule, report) | {"assumed": stated.assumed} | thermal
    stage("verifying by the file's own loads")
    verified = verified_part(problem)
    rest_va = -(verified.base_load_w + 1j * verified.base_load_var)
    own = _by_own_file(summary, lambda: audit_by_own_file(problem.reduced.network, problem.limits, rest_va, report))
    stage("writing")
    result = Result(schedule, report, own)
    summary |= _kept(feeder, problem, result, files)
    summary |= _draw(problem, schedule, files.picture)
    return _told(result, summary, files, how)


def _run_in_parts(feeder: str, stated: StatedProblem, files: Files, how: How) -> int:
    """The same for a network that is divided at its distribution transformers."""
    from envelope.medium_voltage.divided import calculate_divided

    options, stage = how
    problem, name = stated.problem, stated.problem.reduced.network.name
    options.refuse(THERMAL, f"{name} is calculated in low-voltage parts; this is for one of them")
    schedule, verified, limits, _ = calculate_divided(problem, stage)
    report = verified.combined
    summary = summarise_parts(name, replace(problem, limits=limits), schedule, report) | {"assumed": stated.assumed}
    stage("verifying by the file's own loads")
    network = problem.reduced.network
    own = _by_own_file(summary, lambda: audit_by_own_file(network, limits, verified.rest_va, report))
    stage("writing")
    result = Result(schedule, report, own)
    summary |= _kept(feeder, problem, result, files)
    if files.picture is not None:
        from envelope.study.plots import limits_picture

        summary["picture"] = str(limits_picture(schedule, files.picture, name=name))
    return _told(result, summary, files, how)


def _by_own_file(summary: dict[str, Any], audit: Callable[[], OwnFileReport | None]) -> OwnFileReport | None:
    """Return what the file's own engine says; where it cannot be asked, the summary says why."""
    try:
        return audit()
    except GridError as wrong:
        summary["assumed"] = [*summary["assumed"], f"not verified at the file's own elements: {wrong}"]
        return None


def _kept(feeder: str, problem: Problem, result: Result, files: Files) -> dict[str, Any]:
    """Add the run to the ledger and save its plan; limits that are not verified are not published."""
    if not result.inside:
        return {}
    kept = {} if files.ledger is None else _add_to_ledger(result.schedule, files.ledger)
    return kept | _planned(feeder, problem, files)


class Result(NamedTuple):
    """A schedule and what two verifications say of it."""

    schedule: EnvelopeSchedule
    report: VerificationReport
    own: OwnFileReport | None

    @property
    def inside(self) -> bool:
        """Whether both say that no limit is exceeded."""
        return self.report.inside and (self.own is None or self.own.inside)


def _told(result: Result, summary: dict[str, Any], files: Files, how: How) -> int:
    """Write the limits and print the result; return the exit code."""
    report, own = result.report, result.own
    summary["own_file"] = None if own is None else {**asdict(own), "inside": own.inside, "sentence": own.sentence()}
    summary |= _write(result.schedule, files.out, summary)
    if how[0].as_json:
        say_json(json.dumps(summary))
    else:
        show_summary(summary)
        if report.wrong_phases is not None:
            say(f"{report.stress_sentence()}.")
        if report.contingencies:
            say(f"{report.contingency_sentence()}.")
        say(f"{report.sentence()}.")
        if own is not None:
            say(f"{own.sentence()}.")
    return report.exit_code if own is None or own.inside else BEYOND


def _planned(feeder: str, problem: Problem, files: Files) -> dict[str, Any]:
    """Save the plan for a server, which may run in another folder than this command."""
    if files.plan is None:
        return {}
    from envelope.problem import plan_file
    from envelope.problem.feeder_files import EUROPEAN_LV

    where = feeder if feeder == EUROPEAN_LV else str(Path(feeder).resolve())
    hysteresis_w = 0 if files.rolling is None else ROLLING_HYSTERESIS_W
    plan_file.save(files.plan, where, problem, hysteresis_w=hysteresis_w, rolling=files.rolling)
    return {"plan": str(files.plan), "rolling": files.rolling is not None}


def _with_past(problem: Problem, ledger: Path | None, past: float) -> Problem:
    """Return the problem, with weights for connections that were curtailed most so far."""
    if past == 0.0:
        return problem
    if ledger is None:
        raise BadProblem("--past: needs a --ledger")
    from envelope.schedule import Ledger
    from envelope.schedule.ledger import with_ledger

    return with_ledger(problem, Ledger.read(ledger), past)


def _add_to_ledger(schedule: EnvelopeSchedule, path: Path) -> dict[str, Any]:
    """Add a run to the ledger and return the ledger's figures."""
    from envelope.schedule import Ledger

    found = Ledger.read(path).with_run(schedule)
    found.write(path)
    return {"ledger": {"file": str(path), **found.whole().figures()}}


def run_without_model(
    what: tuple[Path, Method, Any],
    *,
    out: Path | None,
    picture: Path | None,
    ledger: Path | None,
    options: StudyOptions,
) -> None:
    """Calculate limits from meter readings, write and print them; what: readings, method and transformer options."""
    from envelope.command_line.model_free import calculate_from_meters, summary_of

    readings, method, known = what
    with stages(options.as_json) as stage:
        stage("reading the meters")
        schedule, regression = calculate_from_meters(readings, method, known, options)
        stage("writing")
        summary = summary_of(readings, schedule, regression) | (
            {} if ledger is None else _add_to_ledger(schedule, ledger)
        )
        if picture is not None:
            from envelope.study.plots import limits_picture

            summary["picture"] = str(limits_picture(schedule, picture, name=readings.stem))
        summary |= _write(schedule, out, summary)
    if options.as_json:
        say_json(json.dumps(summary))
    else:
        show_summary(summary)


def _write(schedule: EnvelopeSchedule, out: Path | None, summary: dict[str, Any]) -> dict[str, str]:
    """Write the limits, and a report with their assumptions and verification next to them."""
    if out is None:
        return {}
    from envelope.schedule.table import save

    save(schedule, out)
    report = out.with_suffix(".report.json")
    report.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return {"file": str(out), "report": str(report)}


def _draw(problem: Problem, schedule: EnvelopeSchedule, picture: Path | None) -> dict[str, str]:
    if picture is None:
        return {}
    from envelope.study.plots import schedule_picture

    return {"picture": str(schedule_picture(problem, schedule, picture))}
