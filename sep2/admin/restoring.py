"""A copy of the database that was put back: what is held back, what was lost, and when it is told again."""

from sep2.admin import types as t
from sep2.operations import restored as operations
from sep2.operations.creation import told_lately
from sep2.rest.route import Request, listed, page
from sep2.store import restored


async def show_restore(rq: Request, asked: t.Nothing) -> t.Restore:
    """Whether a copy was put back, and whether clients are told of controls."""
    known = await operations.state(rq.db)
    return t.Restore(
        holds=known is not None and known.holds,
        since=None if known is None else known.since,
        copied=None if known is None else known.copied,
        lost=await restored.count_lost(rq.db),
    )


async def list_lost_controls(rq: Request, asked: t.Span) -> t.Listed[t.LostControl]:
    """Controls that devices have answered to and that this database does not know, the first heard of first."""
    found = await restored.lost(rq.db, page(asked))
    items = [
        t.LostControl(
            mrid=row.mrid,
            lfdi=row.lfdi,
            device=row.connection_name or row.name or "",
            status=row.status,
            first_heard=row.first_heard,
            last_heard=row.last_heard,
        )
        for row in found.rows
    ]
    return listed(found, items)


async def begin_restore(rq: Request, asked: t.Nothing) -> t.Restore:
    """Clients are told nothing of controls from now on, until what the copy lacks is entered."""
    await operations.begin(rq.db, rq.now, await told_lately(rq.db))
    rq.after.append(rq.state.refresh)
    return await show_restore(rq, asked)


async def finish_restore(rq: Request, asked: t.FinishRestore) -> t.Restore:
    """Clients are told of controls again."""
    await operations.finish(rq.db, rq.now, anyway=asked.anyway)
    rq.after.append(rq.state.refresh)
    return await show_restore(rq, t.Nothing())
