"""The letter about a decided review: HTML that also prints, the same bytes from the same facts."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment, FileSystemLoader, PackageLoader, StrictUndefined, TemplateError
from sqlalchemy import Row

from sep2.errors import Conflict, NotFound
from sep2.operations.market import ders
from sep2.operations.market.reviews import standing, terms_of
from sep2.rules.market import reviewing
from sep2.store.connection import Connection
from sep2.store.market import register, reviews
from sep2.store.market.facts import AsOf

TEMPLATE = "letter.html"
OUTCOMES = {
    "approved": "approved",
    "approved_limited": "approved with limits",
    "rejected": "rejected",
}


class NoLetter(NotFound):
    """There is no letter before a review is decided."""


class BadTemplate(Conflict):
    """The utility's own template of letters can not be used."""


class Office(NamedTuple):
    """Who writes letters, and the folder of an own template."""

    utility: str
    templates: Path | None = None


async def write_letter(db: Connection, number: int, office: Office, now: int) -> str:
    """The SHA-256 of the letter about a review that has been decided; it is kept as it is."""
    row = await reviews.one(db, number)
    assert row is not None  # it was decided in this transaction
    html = _rendered(office, await _facts(db, row, office))
    digest = hashlib.sha256(html.encode()).hexdigest()
    await reviews.add_letter(db, review_id=number, made_at=now, html=html, sha256=digest)
    return digest


async def letter_of(db: Connection, row: Row[Any]) -> Row[Any]:
    """The newest letter about a review, as it was made."""
    found = await reviews.letter(db, row.id)
    if found is None:
        raise NoLetter(f"review {row.id} is {row.state}")
    return found


async def _facts(db: Connection, row: Row[Any], office: Office) -> dict[str, Any]:
    terms, pauses = terms_of(row), await reviews.pauses(db, [row.id])
    zone = ZoneInfo(terms.time_zone)
    until = reviewing.clock_of(terms, row.decided_at, ())
    until = until._replace(days=terms.review.dispute_days, only_business=False)
    about = {
        "number": row.id,
        "kind": row.kind,
        "aggregation": row.aggregation_name,
        "party": row.party_name,
        "market": row.profile,
        "submitted": _local(row.submitted_at, zone),
        "complete": _local(row.complete_at, zone),
        "due": _local(standing(row, pauses, row.decided_at).due_at, zone),
        "decided": _local(row.decided_at, zone),
        "outcome": OUTCOMES.get(row.state, row.state),
        "note": row.note,
        "dispute_until": _local(until.due_at(), zone),
    }
    return {"utility": office.utility, "review": about, "ders": await _ders(db, row)}


async def _ders(db: Connection, row: Row[Any]) -> Sequence[dict[str, Any]]:
    decided = await reviews.ders(db, [row.id])
    known = await register.entries(db, "der", [one.component_der_id for one in decided], AsOf(row.decided_at))
    connections = {one.id: ders.said_of(one).connection for one in known}
    return [
        {
            "name": one.name,
            "connection": connections.get(one.component_der_id, ""),
            "outcome": one.outcome,
            "limit_w": one.limit_w,
            "reason": one.reason.replace("_", " "),
            "evidence": msgspec.json.decode(one.evidence, type=list[str]),
        }
        for one in decided
    ]


def _rendered(office: Office, facts: dict[str, Any]) -> str:
    try:
        return _environment(office.templates).get_template(TEMPLATE).render(facts)
    except TemplateError as wrong:
        raise BadTemplate(f"{office.templates}: {type(wrong).__name__}: {wrong}") from None


@cache
def _environment(own: Path | None) -> Environment:
    loader = PackageLoader("sep2.operations.market") if own is None else FileSystemLoader(own)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _local(at: int | None, zone: ZoneInfo) -> str:
    return "" if at is None else datetime.fromtimestamp(at, zone).isoformat(sep=" ")
