"""Record of the run that is published, kept as marks in the database."""

from __future__ import annotations

import json

from envelope.operation.publication_terms import PublicationReport
from sep2.store import audits, marks
from sep2.store.connection import Connection

RUN_MARK, SINCE_MARK = "envelope.run", "envelope.since"
"""Marks of the published run, and of the time since which every client has limits of the engine."""
NO_RUN = "safe "
"""Prefix of the run mark while static limits are published."""


async def published_run(db: Connection) -> str:
    """Return the id of the published run; `NO_RUN` and their kind for static limits; empty before any publication."""
    return await marks.value(db, RUN_MARK) or ""


async def published_since(db: Connection) -> int | None:
    """Return the time since which every client has limits of the engine; None: not yet."""
    since = await marks.value(db, SINCE_MARK)
    return None if since is None else int(since)


async def record_run(db: Connection, run: str, *, adopted: int, previous: str) -> None:
    """Record that a run is published; adopted: when clients have adopted it, counted if they had none before."""
    if previous.startswith(NO_RUN) or await marks.value(db, SINCE_MARK) is None:
        await marks.put(db, SINCE_MARK, str(adopted))
    await marks.put(db, RUN_MARK, run)


async def record_static(db: Connection, which: str) -> None:
    """Record that static limits of this kind are published."""
    await marks.put(db, RUN_MARK, f"{NO_RUN}{which}")


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
