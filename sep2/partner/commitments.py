"""Commitments, for operators and for aggregators themselves: requested, moved and shown with what excludes them."""

from typing import Any

from sqlalchemy import Row

from sep2.operations.market import commitments, entries
from sep2.operations.market.commitments import NewCommitment, promise_of
from sep2.partner import commitment_types as t
from sep2.partner import own
from sep2.partner.access import party_of
from sep2.partner.common import profile_named, written
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Listed, Nothing
from sep2.rules.market.commitments import Holder, Promise, Span
from sep2.rules.market.profile import MarketProfile
from sep2.store.market import commitments as stored
from sep2.store.market import register
from sep2.store.market.facts import AsOf

ANY = "custom"
"""The profile of a commitment that is of no aggregation."""


async def request(rq: Request, asked: t.NewCommitment) -> t.CommitmentShown:
    """The new commitment with what excludes it; with `hold` it holds the DER at once, or is refused whole."""
    aggregation = None if asked.aggregation is None else await _find(rq, "aggregation", asked.aggregation)
    profile = profile_named(rq, asked.profile or (aggregation.profile if aggregation else ANY))
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
    return await whole(rq, await commitments.find(rq.db, str(number)))


async def move(rq: Request, row: Row[Any], asked: t.CommitmentMove) -> t.CommitmentShown:
    """The commitment that takes the DER over; the one that had it ends then, in the same transaction."""
    aggregation = None if asked.aggregation is None else await _find(rq, "aggregation", asked.aggregation)
    profile = await profile_of(rq, row)
    if row.aggregation_name is None and aggregation is not None:
        profile = profile_named(rq, aggregation.profile)
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
    return await whole(rq, await commitments.find(rq.db, str(number)))


async def _find(rq: Request, noun: str, name: str) -> Row[Any]:
    return await entries.find(rq.db, noun, name, AsOf(rq.now))


async def profile_of(rq: Request, row: Row[Any]) -> MarketProfile:
    """The rules by which a commitment was made: those of its aggregation."""
    if row.aggregation_id is None:
        return profile_named(rq, ANY)
    found = await register.entry(rq.db, "aggregation", row.aggregation_id, AsOf(rq.now))
    return profile_named(rq, ANY if found is None else found.profile)


async def whole(rq: Request, row: Row[Any]) -> t.CommitmentShown:
    """A commitment with what excludes it, and every way it stood."""
    found = await register.entries(rq.db, "der", [row.component_der_id], AsOf(rq.now))
    new = [NewCommitment(der, row.service, Span(row.start, row.end), Holder(row.holder)) for der in found]
    profile = await profile_of(rq, row)
    live = row.state in ("requested", "held")
    conflicts = await commitments.conflicts(rq.db, new[0], profile, beside=row.id) if new and live else []
    return t.CommitmentShown(
        **_said(row),
        conflicts=[_clash(one) for one in conflicts],
        versions=[_version(one) for one in await stored.versions(rq.db, row.id)],
    )


def shown(row: Row[Any]) -> t.Commitment:
    """A commitment as a list shows it."""
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


async def list_own(rq: Request, asked: t.OwnQuery) -> Listed[t.Commitment]:
    """Commitments of your DERs, the earliest first."""
    which = stored.Which(
        states=[asked.state] if asked.state else (), start=asked.start, end=asked.end, party_id=party_of(rq).party_id
    )
    found = await stored.listed(rq.db, which, page(asked))
    return listed(found, [shown(row) for row in found.rows])


async def show_own(rq: Request, asked: Nothing) -> t.CommitmentShown:
    """One commitment of your DERs, what excludes it, and every way it stood."""
    return await whole(rq, await _mine(rq, rq.ids["commitment"]))


async def request_commitment(rq: Request, asked: t.OwnCommitment) -> t.CommitmentShown:
    """The new commitment with what excludes it; with `hold` it holds the DER at once, or is refused whole."""
    await _check_own(rq, asked.der, asked.aggregation)
    said = {name: getattr(asked, name) for name in t.OwnCommitment.__struct_fields__}
    return await request(rq, t.NewCommitment(**said))


async def move_commitment(rq: Request, asked: t.OwnMove) -> t.CommitmentShown:
    """The commitment that takes the DER over; the one that had it ends then, in the same transaction."""
    row = await _mine(rq, str(asked.commitment))
    await _check_own(rq, row.der_name, asked.aggregation)
    said = {name: getattr(asked, name) for name in t.CommitmentMove.__struct_fields__}
    return await move(rq, row, t.CommitmentMove(**said))


async def _mine(rq: Request, number: str) -> Row[Any]:
    """A commitment of one of the party's DERs; that of another is as unknown as none."""
    row = await commitments.find(rq.db, number)
    der = await register.entries(rq.db, "der", [row.component_der_id], AsOf(rq.now))
    if not der or der[0].party_id != party_of(rq).party_id:
        raise commitments.UnknownCommitment(number[:40])
    return row


async def _check_own(rq: Request, der: str, aggregation: str | None) -> None:
    """Refuse what is not the party's own, as what does not exist."""
    await own.mine(own.named(rq, der=der), "der", AsOf(rq.now))
    if aggregation is not None:
        await own.mine(own.named(rq, aggregation=aggregation), "aggregation", AsOf(rq.now))
