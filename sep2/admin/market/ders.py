"""Component DERs, one or many, and their customers' consents."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.admin import types as base
from sep2.admin.market.common import as_of, now_of, party_id, profiles_of
from sep2.admin.types import market_register as t
from sep2.operations.market import ders, entries, reviews
from sep2.partner.common import written
from sep2.partner.der_sheets import COLUMNS, Sheet, cells_of, read_sheet
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Done, Listed, Nothing
from sep2.rules.market.register import DerFacts
from sep2.rules.market.reviewing import APPROVED
from sep2.store.market import register, seen
from sep2.store.market import reviews as stored_reviews
from sep2.store.market.facts import AsOf

MOST_NAMES = 100


async def list_ders(rq: Request, asked: t.RegisterQuery) -> Listed[t.Der]:
    """Component DERs by name, of one party if so asked."""
    time = as_of(rq, asked)
    whose = await party_id(rq, asked.party, time)
    found = await register.listed(rq.db, "der", time, page(asked), party_id=whose)
    return listed(found, await _ders(rq, found.rows, time))


async def show_der(rq: Request, asked: t.AsOfQuery) -> t.Der:
    """One component DER, as it was at some time, by what was known then."""
    return await _der(rq, rq.ids["der"], as_of(rq, asked))


async def before_der(rq: Request, asked: Nothing) -> t.Der:
    """One component DER as it is now."""
    return await _der(rq, rq.ids["der"], now_of(rq))


async def add_der(rq: Request, asked: t.NewDer) -> t.Der:
    """The new component DER."""
    party = await entries.identity(rq.db, "party", asked.party)
    start = rq.now if asked.valid_from is None else asked.valid_from
    agreed = None if asked.consent is None else _consent(rq, asked.consent)
    new = ders.NewDer(asked.name, party.id, asked.facts, start, asked.confirmed, agreed)
    await ders.add_ders(rq.db, [new], written(rq, start))
    return await _der(rq, asked.name, AsOf(start))


async def import_ders(rq: Request, asked: t.NewDers) -> t.DersAdded:
    """The DERs of a sheet: all of them, or none and everything that is wrong, by line and field."""
    sheet = Sheet(asked.sheet.columns, asked.sheet.rows, asked.party, asked.confirmed)
    new = await read_sheet(rq.db, sheet, rq.now)
    await ders.add_ders(rq.db, new, written(rq))
    return t.DersAdded(added=len(new), names=[one.name for one in new[:MOST_NAMES]])


async def export_ders(rq: Request, asked: t.RegisterQuery) -> base.Exported:
    """DERs as an import takes them."""
    time = as_of(rq, asked)
    found = await register.listed(rq.db, "der", time, page(asked))
    agreed = {row.component_der_id: row for row in await register.consents(rq.db, [one.id for one in found.rows], time)}
    rows = [cells_of(row, ders.said_of(row), agreed.get(row.id)) for row in found.rows]
    return base.Exported(columns=list(COLUMNS), rows=rows, next=found.next)


async def set_der(rq: Request, asked: t.DerChange) -> t.DerSet:
    """The DER with what is named changed; a change that the market's rules have reviewed opens a review."""
    time = AsOf(rq.now if asked.valid_from is None else asked.valid_from)
    row = await entries.find(rq.db, "der", rq.ids["der"], time)
    said = {name: getattr(asked, name) for name in (*DerFacts.__struct_fields__, "confirmed")}
    new, before = written(rq, asked.valid_from), ders.said_of(row)
    after = await ders.set_der(rq.db, row, said, new)
    change = reviews.DerChange(row, before, after)
    opened = await reviews.follow_change(rq.db, change, own=profiles_of(rq), written=written(rq))
    shown = msgspec.structs.asdict(await _der(rq, row.name, time))
    return t.DerSet(**shown, reviews=opened)


async def rename_der(rq: Request, asked: t.RenameEntry) -> t.Der:
    """The DER under its new name."""
    await entries.rename(rq.db, "der", await entries.identity(rq.db, "der", rq.ids["der"]), asked.name)
    return await _der(rq, asked.name, now_of(rq))


async def remove_der(rq: Request, asked: Nothing) -> Done:
    """The DER is out of the register; what it was stays known as of earlier times."""
    known = await entries.identity(rq.db, "der", rq.ids["der"])
    await ders.remove_der(rq.db, known, written(rq))
    return Done(message=f"DER {known.name} is removed")


async def give_consent(rq: Request, asked: t.NewConsent) -> t.Der:
    """The DER with what its customer has agreed to."""
    known = await entries.identity(rq.db, "der", rq.ids["der"])
    await ders.consent(rq.db, known, _consent(rq, asked), written(rq))
    return await _der(rq, known.name, now_of(rq))


async def revoke_consent(rq: Request, asked: Nothing) -> t.Der:
    """The DER, whose customer agrees to nothing any more from now on."""
    known = await entries.identity(rq.db, "der", rq.ids["der"])
    await ders.revoke(rq.db, known, written(rq))
    return await _der(rq, known.name, now_of(rq))


def _consent(rq: Request, asked: t.NewConsent) -> ders.Consent:
    given_at = rq.now if asked.given_at is None else asked.given_at
    return ders.Consent(asked.scopes, asked.given_by, given_at, asked.expires, asked.document_sha256)


async def _der(rq: Request, name: str, time: AsOf) -> t.Der:
    row = await entries.find(rq.db, "der", name, time)
    return (await _ders(rq, [row], time))[0]


async def _ders(rq: Request, rows: Sequence[Row[Any]], time: AsOf) -> list[t.Der]:
    ids = [row.id for row in rows]
    agreed = {one.component_der_id: one for one in await register.consents(rq.db, ids, time)}
    devices = await seen.devices_of(rq.db, rows)
    decided = await stored_reviews.limits_of(rq.db, ids, list(APPROVED))
    limits = {one.component_der_id: one.limit_w for one in decided}
    return [
        t.Der(
            name=row.name,
            party=row.party_name,
            facts=ders.said_of(row),
            consent=_shown_consent(agreed.get(row.id)),
            device=devices[row.id].lfdi if row.id in devices else None,
            limit_w=limits.get(row.id),
            **{name: getattr(row, name) for name in ("version", "valid_from", "valid_to")},
            recorded_at=row.recorded_at,
            recorded_by=row.recorded_by,
        )
        for row in rows
    ]


def _shown_consent(row: Row[Any] | None) -> t.DerConsent | None:
    if row is None:
        return None
    return t.DerConsent(
        scopes=msgspec.json.decode(row.scopes),
        given_by=row.given_by,
        given_at=row.given_at,
        expires=row.valid_to,
        document_sha256=row.document_sha256,
    )
