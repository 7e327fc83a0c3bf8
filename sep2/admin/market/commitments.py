"""The ledger of commitments: who has which DER for which service, and when."""

from typing import Any

from sqlalchemy import Row

from sep2.operations.market import commitments, entries
from sep2.partner import commitment_types as t
from sep2.partner import commitments as shared
from sep2.partner.commitments import profile_of, shown, whole
from sep2.partner.common import written
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed, Nothing
from sep2.rules.market.commitments import Span
from sep2.store.market import commitments as stored

FAR = 2**41


async def list_commitments(rq: Request, asked: t.CommitmentQuery) -> Listed[t.Commitment]:
    """Commitments, the earliest first."""
    which = stored.Which(
        await _number(rq, "der", asked.der, asked.known_at),
        await _number(rq, "aggregation", asked.aggregation, asked.known_at),
        [asked.state] if asked.state else (),
        asked.start,
        asked.end,
        asked.known_at,
    )
    found = await stored.listed(rq.db, which, page(asked))
    return listed(found, [shown(row) for row in found.rows])


async def show_commitment(rq: Request, asked: Nothing) -> t.CommitmentShown:
    """One commitment, what excludes it, and every way it stood."""
    return await whole(rq, await _row(rq))


async def request_commitment(rq: Request, asked: t.NewCommitment) -> t.CommitmentShown:
    """The new commitment with what excludes it; with `hold` it holds the DER at once, or is refused whole."""
    return await shared.request(rq, asked)


async def hold_commitment(rq: Request, asked: Nothing) -> t.CommitmentShown:
    """The commitment holds its DER, unless something that excludes it does."""
    row = await _row(rq)
    await commitments.hold(rq.db, row, await profile_of(rq, row), written(rq))
    return await whole(rq, await _row(rq))


async def deny_commitment(rq: Request, asked: t.Denial) -> t.CommitmentShown:
    """The request is refused, with the rule that it breaks."""
    row = await _row(rq)
    await commitments.deny(rq.db, row, asked.reason, written(rq))
    return await whole(rq, await _row(rq))


async def release_commitment(rq: Request, asked: t.CommitmentPart) -> t.FreedCommitment:
    """The commitment without the part of it that is named and still to come."""
    row = await _row(rq)
    span = Span(asked.start or 0, asked.end or FAR)
    freed = await commitments.release(rq.db, row, span, await profile_of(rq, row), written=written(rq))
    after = await whole(rq, await _row(rq))
    return t.FreedCommitment(freed_from=freed.start, freed_to=freed.end, commitment=after)


async def move_commitment(rq: Request, asked: t.CommitmentMove) -> t.CommitmentShown:
    """The commitment that takes the DER over; the one that had it ends then, in the same transaction."""
    return await shared.move(rq, await _row(rq), asked)


async def _row(rq: Request) -> Row[Any]:
    return await commitments.find(rq.db, rq.ids["commitment"])


async def _number(rq: Request, noun: str, name: str | None, at: int | None) -> int | None:
    return None if name is None else int((await entries.identity(rq.db, noun, name, at)).id)
