"""Record of the run that is published, kept as marks in the database."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from envelope.operation.plan_folders import mark_of
from envelope.operation.publication_terms import PublicationReport
from sep2.store import audits, marks
from sep2.store.connection import Connection

if TYPE_CHECKING:
    from envelope.verification import VerificationReport

RUN_MARK, SINCE_MARK, REPORT_MARK = "envelope.run", "envelope.since", "envelope.report"
"""Marks of a plan's published run, the time since which every client has the engine's limits, and the verification."""
NO_RUN = "safe "
"""Prefix of the run mark while static limits are published."""


async def published_run(db: Connection, plan: str = "") -> str:
    """Return the id of the published run; `NO_RUN` and their kind for static limits; empty before any publication.

    plan: name of the plan's folder below `feeders`; empty: the server's own.
    """
    return await marks.value(db, mark_of(RUN_MARK, plan)) or ""


async def published_since(db: Connection, plan: str = "") -> int | None:
    """Return the time since which every client has limits of the engine; None: not yet."""
    since = await marks.value(db, mark_of(SINCE_MARK, plan))
    return None if since is None else int(since)


async def record_run(db: Connection, run: str, *, adopted: int, previous: str, plan: str = "") -> None:
    """Record that a run is published; adopted: when clients have adopted it, counted if they had none before."""
    since = mark_of(SINCE_MARK, plan)
    if previous.startswith(NO_RUN) or await marks.value(db, since) is None:
        await marks.put(db, since, str(adopted))
    await marks.put(db, mark_of(RUN_MARK, plan), run)


async def record_static(db: Connection, which: str, plan: str = "") -> None:
    """Record that static limits of this kind are published."""
    await marks.put(db, mark_of(RUN_MARK, plan), f"{NO_RUN}{which}")


async def record_report(db: Connection, run: str, report: VerificationReport, plan: str = "") -> None:
    """Record the verification of a run, for the operator's pages."""
    names = ("scenarios", "violating", "over_v", "under_v", "overload_percent")
    corners = [
        {"corner": corner} | {name: _plain(figures.get(name, 0.0)) for name in names}
        for corner, figures in report.by_corner.items()
    ]
    said = {
        "run": run,
        "sentence": report.sentence(),
        "guarantee": report.guarantee,
        "solver": report.solver,
        "corners": corners,
        "beside": report.contingency_sentence(),
    }
    await marks.put(db, mark_of(REPORT_MARK, plan), json.dumps(said))


def _plain(value: float) -> float | int:
    """Return a figure that JSON can hold: whole where it is whole, and no infinity."""
    if not math.isfinite(value):
        return math.copysign(1e9, value)
    return int(value) if float(value).is_integer() else round(value, 4)


async def note_decision(db: Connection, feeder: str, published: PublicationReport, now: int, **decided: str) -> None:
    """Write what was decided, and how many controls and defaults that changed, into the audit log.

    Nothing is written where nothing changed.
    """
    counts = {name: getattr(published, name) for name in ("created", "superseded", "defaults", "connections")}
    if any(counts[name] for name in ("created", "superseded", "defaults")):
        detail = json.dumps({"answered": decided | counts}, sort_keys=True)
        verb = "publish_envelope" if "run" in decided else "publish_safe_limits"
        await audits.add(db, audits.Entry(now, "engine", verb, f"/feeders/{feeder}", detail, via="engine"))


def run_statement(run: str) -> str:
    """Return what is published, in words."""
    if not run:
        return "nothing yet"
    return f"safe limits: {run.removeprefix(NO_RUN)}" if run.startswith(NO_RUN) else f"envelopes of run {run}"
