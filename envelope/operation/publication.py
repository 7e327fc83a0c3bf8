"""Publish a schedule as DERControls and defaults, in three passes: collect, decide, issue.

`collect` reads what clients hold, `decide` computes from data alone what each group is to have, and `issue` writes
what differs. Controls of operators are never replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from envelope.operation import default_check
from envelope.operation.group_state import collect
from envelope.operation.group_update import GroupUpdate, decide
from envelope.operation.publication_terms import SOURCE, Publication, PublicationReport, PublicationTerms
from envelope.schedule import EnvelopeSchedule
from sep2.operations.controls import issue_schedule, keep_others_in_place
from sep2.operations.defaults import set_default
from sep2.store.connection import Connection


async def publish(
    db: Connection, schedule: EnvelopeSchedule, now: int, terms: PublicationTerms | None = None
) -> PublicationReport:
    """Issue what differs from the standing controls, for every registered connection, in the caller's transaction."""
    terms = PublicationTerms() if terms is None else terms
    await db.in_turn()
    loose = await _looser_defaults(db, schedule, now) if terms.again else set()
    publication = Publication(schedule, now, terms)
    connections, missing = await collect(db, publication)
    updates = decide(publication, connections)
    report = await issue(db, updates, now, randomize_relaxing_s=terms.randomize_relaxing_s)
    loose |= await _looser_defaults(db, schedule, now)
    loose |= set(default_check.looser(schedule, {}, now, counted=False))
    return replace(
        report,
        connections=len(connections),
        parts=sum(len(connection.sharing) for connection in connections),
        missing=tuple(missing),
        decided=(connections, updates),
        findings=default_check.finding([name for name in schedule.connection_id if name in loose]),
    )


async def issue(
    db: Connection, updates: Iterable[GroupUpdate], now: int, *, randomize_relaxing_s: int = 0
) -> PublicationReport:
    """Write the defaults and controls of these groups, and return the counts of what was written."""
    created = kept = superseded = defaults = 0
    published = []
    for update in updates:
        if update.default is not None:
            defaults += await set_default(db, update.group_id, update.default, now=now)
        issued = await issue_schedule(
            db,
            update.group_id,
            update.intervals,
            now,
            source=SOURCE,
            most_ahead=update.event_limit,
            randomize_relaxing_s=randomize_relaxing_s,
            reason_of=update.reason_of,
        )
        created += len(issued.created)
        published += [update.group_id] if issued.created else []
        kept += len(issued.kept)
        superseded += len(issued.superseded)
    await keep_others_in_place(db, published, now)
    return PublicationReport(created=created, kept=kept, superseded=superseded, defaults=defaults)


async def _looser_defaults(db: Connection, schedule: EnvelopeSchedule, now: int) -> set[str]:
    """Return the connections whose default in effect exceeds what was verified."""
    return set(default_check.looser(schedule, await default_check.in_effect(db, schedule), now))
