"""Publish a schedule as DERControls and defaults, in three passes: collect, decide, issue.

`collect` reads what clients hold, `decide` computes from data alone what each group is to have, and `issue` writes
what differs. Controls of operators are never replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from envelope.operation import default_check
from envelope.operation.group_state import collect
from envelope.operation.group_update import GroupUpdate, decide
from envelope.operation.publication_terms import SOURCE, Publication, PublicationReport, PublicationTerms
from envelope.schedule import EnvelopeSchedule
from sep2.operations.defaults import set_defaults
from sep2.operations.resuming import Around
from sep2.operations.schedules import Wanted, issue_schedules, keep_others_in_place
from sep2.store.connection import Connection


async def publish(
    db: Connection, schedule: EnvelopeSchedule, now: int, terms: PublicationTerms | None = None
) -> PublicationReport:
    """Issue what differs from the standing controls, for every registered connection, in the caller's transaction."""
    terms = PublicationTerms() if terms is None else terms
    await db.in_turn()
    loose = await _looser_defaults(db, schedule, now) if terms.again else set()
    publication = Publication(schedule, now, terms)
    connections, missing, near = await collect(db, publication)
    updates = decide(publication, connections)
    report = await issue(db, updates, now, randomize_relaxing_s=terms.randomize_relaxing_s, near=near)
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
    db: Connection,
    updates: Iterable[GroupUpdate],
    now: int,
    *,
    randomize_relaxing_s: int = 0,
    near: Mapping[int, Around] | None = None,
) -> PublicationReport:
    """Write the defaults and controls of these groups, and return the counts of what was written.

    near: what stands around the groups, where that was read in this transaction.
    """
    updates = list(updates)
    wanted = {update.group_id: update.default for update in updates if update.default is not None}
    defaults = await set_defaults(db, wanted, now=now)
    issued = await issue_schedules(
        db,
        [Wanted(one.group_id, one.intervals, one.event_limit, one.reason_of) for one in updates],
        now,
        source=SOURCE,
        randomize_relaxing_s=randomize_relaxing_s,
        known=near,
    )
    published = [update.group_id for update, done in zip(updates, issued, strict=True) if done.created]
    await keep_others_in_place(db, published, now)
    return PublicationReport(
        created=sum(len(one.created) for one in issued),
        kept=sum(len(one.kept) for one in issued),
        superseded=sum(len(one.superseded) for one in issued),
        defaults=defaults,
    )


async def _looser_defaults(db: Connection, schedule: EnvelopeSchedule, now: int) -> set[str]:
    """Return the connections whose default in effect exceeds what was verified."""
    return set(default_check.looser(schedule, await default_check.in_effect(db, schedule), now))
