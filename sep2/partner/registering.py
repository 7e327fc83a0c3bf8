"""A party's DERs as it hands them in: one, whole and again and again, or many, all or none."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.errors import NotFound
from sep2.operations.market import ders, reviews
from sep2.partner import own
from sep2.partner import register_types as t
from sep2.partner.access import party_of
from sep2.partner.common import refuse_known, written
from sep2.partner.der_sheets import COLUMNS, Sheet, read_sheet
from sep2.rest.route import Request
from sep2.rest.types import WORDS, Nothing
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.register import DerFacts
from sep2.store.market import register
from sep2.store.market.facts import AsOf

FIELDS = DerFacts.__struct_fields__


async def before_der(rq: Request, asked: Nothing) -> Any:
    """One of your component DERs as it is now."""
    return await own.show_der(rq, own.NOW)


async def put_der(rq: Request, asked: t.DerSaid) -> t.DerPut:
    """The component DER as it is to be from now on, new or changed; some changes open a review."""
    start = rq.now if asked.valid_from is None else asked.valid_from
    new = written(rq, asked.valid_from)
    said = _facts(asked)
    try:
        row = await own.mine(rq, "der", AsOf(start))
    except NotFound:
        await refuse_known(rq, "der")
        first = _new(rq.ids["der"], said, asked, party_of(rq).party_id, now=rq.now)
        await ders.add_ders(rq.db, [first], new)
        return await _shown(rq, start, created=True, opened=[])
    before = ders.said_of(row)
    after = await ders.set_der(rq.db, row, msgspec.structs.asdict(said) | {"confirmed": asked.confirmed}, new)
    if asked.consent is not None:
        await ders.consent(rq.db, row, _consent(asked.consent, rq.now), written(rq))
    change = reviews.DerChange(row, before, after)
    opened = await reviews.follow_change(rq.db, change, own=rq.state.settings.market.profiles, written=written(rq))
    return await _shown(rq, start, created=False, opened=opened)


async def add_ders(rq: Request, asked: t.DersSaid) -> t.DersAdded:
    """Many new DERs, all of them; or none, and everything that is wrong, by row and field."""
    if bool(asked.csv) == bool(asked.ders):
        refuse([Fault("ders", "empty" if not asked.csv else "two_forms", "", "either ders, or csv")])
    new = await _from_csv(rq, asked) if asked.csv else _from_rows(rq, asked)
    await ders.add_ders(rq.db, new, written(rq))
    return t.DersAdded(added=len(new))


async def _from_csv(rq: Request, asked: t.DersSaid) -> list[ders.NewDer]:
    party = await register.entry(rq.db, "party", party_of(rq).party_id, AsOf(rq.now))
    assert party is not None  # the gate has just seen it
    try:
        columns, *rows = [line for line in csv.reader(io.StringIO(asked.csv)) if line]
    except (csv.Error, ValueError) as wrong:
        refuse([Fault("csv", "bad_csv", "", str(wrong) or "a line of columns, then one for each DER")])
        raise AssertionError from wrong
    refuse([Fault("csv", "too_many_values", str(len(rows)), f"at most {t.MOST_DERS} DERs")] * (len(rows) > t.MOST_DERS))
    sheet = Sheet(columns, rows, party.name, asked.confirmed)
    return await read_sheet(rq.db, sheet, rq.now, [one for one in COLUMNS if one != "party"])


def _from_rows(rq: Request, asked: t.DersSaid) -> list[ders.NewDer]:
    faults: list[Fault] = []
    new = [_row(rq, asked, number, row, faults=faults) for number, row in enumerate(asked.ders, 1)]
    refuse(faults)
    return [one for one in new if one is not None]


def _row(
    rq: Request, asked: t.DersSaid, number: int, row: Mapping[str, Any], *, faults: list[Fault]
) -> ders.NewDer | None:
    """One row as a DER, or None and what is wrong with it among the faults."""
    path, name = f"row {number}: ", row.get("der")
    if not isinstance(name, str):
        faults.append(Fault(f"{path}der", "missing", "", "the name of the DER"))
        return None
    try:
        said = msgspec.convert({key: value for key, value in row.items() if key != "der"}, t.DerSaid)
    except msgspec.ValidationError as wrong:
        faults.append(_fault(path, row, str(wrong).replace("`", "")))
        return None
    said = msgspec.structs.replace(said, confirmed=said.confirmed or asked.confirmed)
    new = _new(name, _facts(said), said, party_of(rq).party_id, now=rq.now)
    return new._replace(path=path)


def _fault(path: str, row: Mapping[str, Any], message: str) -> Fault:
    """msgspec's `Expected int - at $.max_gen_w` as a fault of that field."""
    what, _, where = message.partition(" - at $")
    for pattern, words in WORDS.items():
        what = what.replace(f"str matching regex {pattern!r}", words)
    if not where:
        return Fault(f"{path}{what.split()[-1]}", "missing" if "missing" in what else "unknown_field", "", what)
    name = where.removeprefix(".")
    return Fault(f"{path}{name}", "bad_value", str(row.get(name.split(".")[0], ""))[:80], what)


def _facts(asked: t.DerSaid) -> DerFacts:
    return DerFacts(**{name: getattr(asked, name) for name in FIELDS})


def _new(name: str, said: DerFacts, asked: t.DerSaid, party_id: int, *, now: int) -> ders.NewDer:
    agreed = None if asked.consent is None else _consent(asked.consent, now)
    start = now if asked.valid_from is None else asked.valid_from
    return ders.NewDer(name, party_id, said, start, asked.confirmed, agreed)


def _consent(asked: t.ConsentSaid, now: int) -> ders.Consent:
    given_at = now if asked.given_at is None else asked.given_at
    return ders.Consent(asked.scopes, asked.given_by, given_at, asked.expires, asked.document_sha256)


async def _shown(rq: Request, at: int, *, created: bool, opened: Sequence[int]) -> t.DerPut:
    row: Row[Any] = await own.mine(rq, "der", AsOf(at))
    return t.DerPut(**msgspec.structs.asdict(own.der_of(row)), created=created, reviews=list(opened))
