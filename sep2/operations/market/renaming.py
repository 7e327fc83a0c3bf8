"""The register follows what is renamed in the network: its facts name connections, which stay the same ones."""

from typing import Any

import msgspec
from sqlalchemy import Row

from sep2.operations.market.ders import said_of
from sep2.rules.market.facts import Amended, Fact
from sep2.store.connection import Connection
from sep2.store.market import facts, register
from sep2.store.market.facts import Written
from sep2.store.market.tables import component_der_fact

BY = "renaming"
"""Who wrote these versions; who renamed the connection stands in the audit log."""


async def follow_connection(db: Connection, before: str, name: str, now: int) -> int:
    """How many DERs name a connection by its new id from now on.

    All that is known now of them is corrected, also of the past: it was the same connection. What was known before
    stays readable with its old name.
    """
    rows: dict[int, list[Row[Any]]] = {}
    for row in await register.at_connection(db, before):
        rows.setdefault(row.component_der_id, []).append(row)
    for der, own in rows.items():
        renamed = [_renamed(fact, row, name) for fact, row in zip(_facts(own), own, strict=True)]
        amended = Amended(list(range(len(own))), renamed)
        written = Written(BY, now, now)
        await facts.replace(db, component_der_fact, own, amended, owner=der, written=written)
    return len(rows)


def _facts(rows: list[Row[Any]]) -> list[Fact]:
    return facts.as_facts(component_der_fact, rows)


def _renamed(fact: Fact, row: Row[Any], name: str) -> Fact:
    body = msgspec.structs.replace(said_of(row), connection=name)
    columns = {"connection_name": name, "body": msgspec.json.encode(body).decode()}
    return fact._replace(said={**fact.said, **columns})
