"""The ledger of commitments: who has which DER for which service, and when."""

from typing import Any

from sqlalchemy import Row

from sep2.admin.market.common import now_of, profiles_of, written
from sep2.admin.types import market_commitments as t
from sep2.operations.market import commitments, entries
from sep2.operations.market.commitments import NewCommitment, promise_of
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed, Nothing
from sep2.rules.market.commitments import Holder, Promise, Span
from sep2.rules.market.profile import MarketProfile
from sep2.rules.market.profiles import read_profile
from sep2.store.market import commitments as stored
from sep2.store.market import register
from sep2.store.market.facts import AsOf

ANY = "custom"
"""The profile of a commitment that is of no aggregation."""
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
    return listed(found, [_shown(row) for row in found.rows])


async def show_commitment(rq: Request, asked: Nothing) -> t.CommitmentShown:
    """One commitment, what excludes it, and every way it stood."""
    return await _whole(rq, await _row(rq))


async def request_commitment(rq: Request, asked: t.NewCommitment) -> t.CommitmentShown:
    """The new commitment with what excludes it; with `hold` it holds the DER at once, or is refused whole."""
    aggregation = None if asked.aggregation is None else await _find(rq, "aggregation", asked.aggregation)
    profile = _profile(rq, asked.profile or (aggregation.profile if aggregation else ANY))
    new = NewCommitment(
        await _find(rq, "der", asked.der),
        asked.service,
        Span(asked.start, asked.end),
        Holder(asked.holder),
        aggregation,
        asked.program,
        asked.basis,
    )
    number = await commitments.request(rq.db, new, profile, written(rq))
    row = await commitments.find(rq.db, str(number))
    if asked.hold:
        await commitments.hold(rq.db, row, profile, written(rq))
    return await _whole(rq, await commitments.find(rq.db, str(number)))


async def hold_commitment(rq: Request, asked: Nothing) -> t.CommitmentShown:
    """The commitment holds its DER, unless something that excludes it does."""
    row = await _row(rq)
    await commitments.hold(rq.db, row, await _profile_of(rq, row), written(rq))
    return await _whole(rq, await _row(rq))


async def deny_commitment(rq: Request, asked: t.Denial) -> t.CommitmentShown:
    """The request is refused, with the rule that it breaks."""
    row = await _row(rq)
    await commitments.deny(rq.db, row, asked.reason, written(rq))
    return await _whole(rq, await _row(rq))


async def release_commitment(rq: Request, asked: t.CommitmentPart) -> t.FreedCommitment:
    """The commitment without the part of it that is named and still to come."""
    row = await _row(rq)
    span = Span(asked.start or 0, asked.end or FAR)
    freed = await commitments.release(rq.db, row, span, await _profile_of(rq, row), written=written(rq))
    after = await _whole(rq, await _row(rq))
    return t.FreedCommitment(freed_from=freed.start, freed_to=freed.end, commitment=after)


async def move_commitment(rq: Request, asked: t.CommitmentMove) -> t.CommitmentShown:
    """The commitment that takes the DER over; the one that had it ends then, in the same transaction."""
    row = await _row(rq)
    aggregation = None if asked.aggregation is None else await _find(rq, "aggregation", asked.aggregation)
    profile = await _profile_of(rq, row)
    if row.aggregation_name is None and aggregation is not None:
        profile = _profile(rq, aggregation.profile)
    new = NewCommitment(
        await _find(rq, "der", row.der_name),
        asked.service,
        Span(row.start if asked.start is None else asked.start, row.end if asked.end is None else asked.end),
        Holder(asked.holder),
        aggregation,
        asked.program,
        asked.basis,
    )
    number = await commitments.move(rq.db, row, new, profile, written=written(rq))
    return await _whole(rq, await commitments.find(rq.db, str(number)))


async def _row(rq: Request) -> Row[Any]:
    return await commitments.find(rq.db, rq.ids["commitment"])


async def _find(rq: Request, noun: str, name: str) -> Row[Any]:
    return await entries.find(rq.db, noun, name, now_of(rq))


async def _number(rq: Request, noun: str, name: str | None, at: int | None) -> int | None:
    return None if name is None else int((await entries.identity(rq.db, noun, name, at)).id)


def _profile(rq: Request, name: str) -> MarketProfile:
    return read_profile(name, profiles_of(rq))


async def _profile_of(rq: Request, row: Row[Any]) -> MarketProfile:
    """The rules by which a commitment was made: those of its aggregation."""
    if row.aggregation_id is None:
        return _profile(rq, ANY)
    found = await register.entry(rq.db, "aggregation", row.aggregation_id, AsOf(rq.now))
    return _profile(rq, ANY if found is None else found.profile)


async def _whole(rq: Request, row: Row[Any]) -> t.CommitmentShown:
    found = await register.entries(rq.db, "der", [row.component_der_id], now_of(rq))
    new = [NewCommitment(der, row.service, Span(row.start, row.end), Holder(row.holder)) for der in found]
    profile = await _profile_of(rq, row)
    live = row.state in ("requested", "held")
    conflicts = await commitments.conflicts(rq.db, new[0], profile, beside=row.id) if new and live else []
    return t.CommitmentShown(
        **_said(row),
        conflicts=[_clash(one) for one in conflicts],
        versions=[_version(one) for one in await stored.versions(rq.db, row.id)],
    )


def _shown(row: Row[Any]) -> t.Commitment:
    return t.Commitment(**_said(row))


def _said(row: Row[Any]) -> dict[str, Any]:
    same = ("id", "service", "holder", "program", "start", "end", "state", "reason", "basis", "version")
    found = {name: getattr(row, name) for name in (*same, "recorded_at", "recorded_by")}
    return {**found, "der": promise_of(row).der, "aggregation": row.aggregation_name or "", "origin": row.origin_id}


def _clash(one: Promise) -> t.Clash:
    # Whose it is stays unsaid: an aggregator may read this answer.
    return t.Clash(commitment=one.number, service=one.service, holder=one.holder, start=one.start, end=one.end)


def _version(row: Row[Any]) -> t.CommitmentVersion:
    names = t.CommitmentVersion.__struct_fields__
    return t.CommitmentVersion(**{name: getattr(row, name) for name in names})
