"""Runs of `sep2 envelope run`: calculate, verify, write and print; with or without a network model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from envelope.command_line.options import StudyOptions, stages
from envelope.command_line.printing import show_summary
from envelope.engine import calculate
from envelope.field_rules import BadProblem
from envelope.model_free.methods import Method
from envelope.problem import Problem
from envelope.schedule import EnvelopeSchedule
from envelope.study.summary import summarise
from envelope.verification import verify
from sep2.terminal import say, say_json


def run_on_model(
    feeder: str, over_time: tuple[Path | None, float], files: dict[str, Path | None], options: StudyOptions
) -> int:
    """Calculate, verify, write and print; return the exit code: see `VerificationReport.exit_code`."""
    ledger, past = over_time
    with stages(options.as_json) as stage:
        stage("reading the feeder")
        stated = options.stated(feeder)
        problem = _with_past(stated.problem, ledger, past)
        stage("calculating")
        schedule = calculate(problem)
        stage("verifying")
        report = verify(problem, schedule)
        rating = options.rating(problem)
        thermal = {} if rating is None else {"thermal": rating.figures(problem.step_s)}
        summary = summarise(problem, schedule, report) | {"assumed": stated.assumed} | thermal
        stage("writing")
        # Limits that are not verified are not published, and so curtail no energy.
        if report.inside:
            summary |= {} if ledger is None else _add_to_ledger(schedule, ledger)
            summary |= _planned(feeder, problem, files["plan"])
        summary |= _draw(problem, schedule, files["picture"])
        summary |= _write(schedule, files["out"], summary)
    if options.as_json:
        say_json(json.dumps(summary))
    else:
        show_summary(summary)
        if report.wrong_phases is not None:
            say(f"{report.stress_sentence()}.")
        if report.contingencies:
            say(f"{report.contingency_sentence()}.")
        say(f"{report.sentence()}.")
    return report.exit_code


def _planned(feeder: str, problem: Problem, path: Path | None) -> dict[str, str]:
    """Save the plan for a server, which may run in another folder than this command."""
    if path is None:
        return {}
    from envelope.problem import plan_file

    plan_file.save(path, feeder if feeder == plan_file.EUROPEAN_LV else str(Path(feeder).resolve()), problem)
    return {"plan": str(path)}


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
