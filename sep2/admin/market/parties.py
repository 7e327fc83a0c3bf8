"""Parties of the market, with their contacts, agreements and certificates."""

from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.admin.market.common import as_of, now_of
from sep2.admin.types import market_register as t
from sep2.operations.market import entries, parties
from sep2.partner.common import written
from sep2.rest.route import Request, listed, page
from sep2.rest.types import Done, Listed, Nothing
from sep2.rules.market.register import PartyFacts
from sep2.store.market import register
from sep2.store.market.facts import AsOf


async def list_parties(rq: Request, asked: t.RegisterQuery) -> Listed[t.Party]:
    """Parties by name."""
    time = as_of(rq, asked)
    found = await register.listed(rq.db, "party", time, page(asked))
    return listed(found, await _parties(rq, found.rows, time))


async def show_party(rq: Request, asked: t.AsOfQuery) -> t.Party:
    """One party, as it was at some time, by what was known then."""
    time = as_of(rq, asked)
    return await _party(rq, rq.ids["party"], time)


async def before_party(rq: Request, asked: Nothing) -> t.Party:
    """One party as it is now."""
    return await _party(rq, rq.ids["party"], now_of(rq))


async def add_party(rq: Request, asked: t.NewParty) -> t.Party:
    """The new party."""
    said = PartyFacts(**{name: getattr(asked, name) for name in PartyFacts.__struct_fields__})
    await parties.add_party(rq.db, asked.name, said, written(rq, asked.valid_from))
    return await _party(rq, asked.name, _from(rq, asked.valid_from))


async def set_party(rq: Request, asked: t.PartyChange) -> t.Party:
    """The party with what is named changed, from some time on."""
    row = await entries.find(rq.db, "party", rq.ids["party"], _from(rq, asked.valid_from))
    said = {name: getattr(asked, name, None) for name in PartyFacts.__struct_fields__}
    await parties.set_party(rq.db, row, said, written(rq, asked.valid_from))
    return await _party(rq, row.name, _from(rq, asked.valid_from))


async def rename_party(rq: Request, asked: t.RenameEntry) -> t.Party:
    """The party under its new name."""
    await entries.rename(rq.db, "party", await entries.identity(rq.db, "party", rq.ids["party"]), asked.name)
    return await _party(rq, asked.name, now_of(rq))


async def remove_party(rq: Request, asked: Nothing) -> Done:
    """The party is out of the register; what it was stays known as of earlier times."""
    known = await entries.identity(rq.db, "party", rq.ids["party"])
    await parties.remove_party(rq.db, known, written(rq))
    return Done(message=f"party {known.name} is removed")


async def add_party_certificate(rq: Request, asked: t.NewPartyCertificate) -> t.Party:
    """The party with that certificate."""
    known = await entries.identity(rq.db, "party", rq.ids["party"])
    new = written(rq, asked.valid_from)
    await parties.add_certificate(rq.db, known, asked.lfdi.upper(), asked.purpose, written=new)
    return await _party(rq, known.name, now_of(rq))


async def remove_party_certificate(rq: Request, asked: Nothing) -> t.Party:
    """The party without that certificate, from now on."""
    known = await entries.identity(rq.db, "party", rq.ids["party"])
    await parties.remove_certificate(rq.db, known, rq.ids["lfdi"].upper(), written(rq))
    return await _party(rq, known.name, now_of(rq))


def _from(rq: Request, start: int | None) -> AsOf:
    return AsOf(rq.now if start is None else start)


async def _party(rq: Request, name: str, time: AsOf) -> t.Party:
    row = await entries.find(rq.db, "party", name, time)
    return (await _parties(rq, [row], time))[0]


async def _parties(rq: Request, rows: list[Row[Any]], time: AsOf) -> list[t.Party]:
    held = await register.certificates(rq.db, [row.id for row in rows], time)
    return [_of(row, [one for one in held if one.party_id == row.id]) for row in rows]


def _of(row: Row[Any], certificates: list[Row[Any]]) -> t.Party:
    said = msgspec.structs.asdict(parties.said_of(row))
    names = ("lfdi", "purpose", "valid_from", "valid_to")
    return t.Party(
        name=row.name,
        certificates=[t.PartyCertificate(**{name: getattr(one, name) for name in names}) for one in certificates],
        **{name: getattr(row, name) for name in ("version", "valid_from", "valid_to", "recorded_at", "recorded_by")},
        **said,
    )
