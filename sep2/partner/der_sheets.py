"""Component DERs as a sheet: one line each, every cell a text; all that is wrong is said by line and column."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_type_hints

import msgspec
from sqlalchemy import Row

from sep2.operations.market.ders import Consent, NewDer
from sep2.rest.types import WORDS
from sep2.rules import names
from sep2.rules.market.faults import Fault, refuse
from sep2.rules.market.register import DerFacts, Scope
from sep2.store.connection import Connection
from sep2.store.market import facts, register

FIELDS: Mapping[str, Any] = get_type_hints(DerFacts, include_extras=True)
LISTS = ("studied_services", "retail_programs")
"""Columns with several words in a cell, with blanks between."""
CONSENT = ("consent_scopes", "consent_given_by", "consent_given_at", "consent_expires", "consent_document_sha256")
COLUMNS = ("der", "party", *FIELDS, *CONSENT, "valid_from", "confirmed")


class Sheet(NamedTuple):
    """Lines of cells under the names of their columns; party: of lines that name none."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    party: str | None = None
    confirmed: bool = False


async def read_sheet(db: Connection, sheet: Sheet, now: int, known: Sequence[str] = COLUMNS) -> list[NewDer]:
    """The DERs of a sheet; Unfit says what is wrong with its cells and parties. known: the columns that it may have."""
    columns = sheet.columns
    refuse(
        [Fault("columns", "unknown_column", one, f"one of {', '.join(known)}") for one in columns if one not in known]
    )
    cells = [
        (f"line {number}: ", dict(zip(columns, row, strict=False))) for number, row in enumerate(sheet.rows, start=2)
    ]
    wanted = {row.get("party") or sheet.party or "" for _, row in cells}
    found = await facts.identities(db, register.IDENTITIES["party"], [names.key_of(one) for one in wanted if one])
    parties = {one: found[names.key_of(one)].id for one in wanted if one and names.key_of(one) in found}
    faults: list[Fault] = []
    new = [_read(path, row, sheet, faults, parties=parties, now=now) for path, row in cells]
    refuse(faults)
    return [one for one in new if one is not None]


def _read(
    path: str,
    row: Mapping[str, str],
    sheet: Sheet,
    faults: list[Fault],
    *,
    parties: Mapping[str, int],
    now: int,
) -> NewDer | None:
    """One line as a DER, or None and what is wrong with it among the faults."""
    party = row.get("party") or sheet.party or ""
    wrong = (
        []
        if party in parties
        else [Fault(f"{path}party", "unknown_party", party, "a party of the register (`sep2 party list`)")]
    )
    said: dict[str, Any] = {}
    for column, kind in FIELDS.items():
        if row.get(column):
            said[column] = _value(path, column, row[column], kind, wrong=wrong)
    times = {
        column: _value(path, column, row[column], int, wrong=wrong)
        for column in ("valid_from", "consent_given_at", "consent_expires")
        if row.get(column)
    }
    consent = _consent(path, row, times, wrong, now=now)
    if not wrong:
        try:
            read = msgspec.convert(said, DerFacts)
            confirmed = sheet.confirmed or row.get("confirmed", "") in ("true", "yes", "1")
            start = times.get("valid_from", now)
            return NewDer(row.get("der", ""), parties[party], read, start, confirmed, consent, path)
        except msgspec.ValidationError as refusal:
            wrong.append(Fault(f"{path}{_field_of(str(refusal))}", "missing", "", str(refusal).replace("`", "")))
    faults += wrong
    return None


def _field_of(message: str) -> str:
    """The field that msgspec says is missing."""
    parts = message.split("`")
    return parts[1] if len(parts) > 1 else "der"


def _value(path: str, column: str, cell: str, kind: Any, *, wrong: list[Fault]) -> Any:
    said: Any = cell.split() if column in LISTS else cell
    try:
        return msgspec.convert(said, kind, strict=False)
    except msgspec.ValidationError as refusal:
        bound = str(refusal).replace("`", "")
        for pattern, words in WORDS.items():
            bound = bound.replace(f"str matching regex {pattern!r}", words)
        wrong.append(Fault(f"{path}{column}", "bad_value", cell[:80], bound))
        return None


def _consent(
    path: str, row: Mapping[str, str], times: Mapping[str, int], wrong: list[Fault], *, now: int
) -> Consent | None:
    if not row.get("consent_scopes"):
        return None
    scopes = [_value(path, "consent_scopes", word, Scope, wrong=wrong) for word in row["consent_scopes"].split()]
    return Consent(
        scopes,
        row.get("consent_given_by", ""),
        times.get("consent_given_at", now),
        times.get("consent_expires"),
        row.get("consent_document_sha256", ""),
    )


def cells_of(row: Row[Any], said: DerFacts, agreed: Row[Any] | None) -> list[str]:
    """A DER as a line of the sheet."""
    cells = {"der": row.name, "party": row.party_name, "valid_from": row.valid_from, "confirmed": True}
    cells |= msgspec.structs.asdict(said)
    if agreed is not None:
        cells |= {
            "consent_scopes": msgspec.json.decode(agreed.scopes),
            "consent_given_by": agreed.given_by,
            "consent_given_at": agreed.given_at,
            "consent_expires": agreed.valid_to,
            "consent_document_sha256": agreed.document_sha256,
        }
    return [_cell(cells.get(column)) for column in COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
