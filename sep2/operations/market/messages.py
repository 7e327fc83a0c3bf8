"""What parties are told: messages that are numbered without gaps, and copies to the receivers that they have named."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sep2.rules.market.message_words import words
from sep2.store import webhooks
from sep2.store.connection import Connection
from sep2.store.market import messages as stored

TOPIC = "market"


class Telling(NamedTuple):
    """Something that a party is told, about an aggregation or another subject by its name."""

    party_id: int
    kind: str
    subject: str
    data: Mapping[str, Any]


async def tell(db: Connection, tellings: Sequence[Telling], now: int) -> None:
    """Have parties be told, in the transaction of what they are told; nobody is told without it, and it not untold."""
    by_party: dict[int, list[Telling]] = defaultdict(list)
    for one in tellings:
        by_party[one.party_id].append(one)
    for party_id in sorted(by_party):  # in one order, so that of two who write none waits for the other in a circle
        await _tell(db, party_id, by_party[party_id], now)


async def _tell(db: Connection, party_id: int, tellings: Sequence[Telling], now: int) -> None:
    first = await stored.next_numbers(db, party_id, len(tellings))
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(tellings, first):
        body = json.dumps(one.data, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(body.encode()).hexdigest()
        said = {"sequence": number, "kind": one.kind, "subject": one.subject, "body": body, "sha256": digest}
        rows.append({**said, "party_id": party_id, "created": now})
    await stored.add(db, rows)
    copies = [webhooks.Message(TOPIC, row["kind"], row["subject"], _copy(row)) for row in rows]
    for hook in await stored.hooks(db, [party_id]):
        if hook.enabled:
            await webhooks.put(db, hook.webhook_id, copies, now)


def _copy(row: Mapping[str, Any]) -> dict[str, Any]:
    """A message as the market API shows it."""
    body = json.loads(row["body"])
    said = {name: row[name] for name in ("sequence", "kind", "subject", "created", "sha256")}
    return {**said, "says": words(row["kind"], body), "body": body}
