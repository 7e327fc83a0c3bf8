"""Idempotency keys: a change that is sent again under its key is answered as it was, and not made twice."""

import hashlib
from typing import NamedTuple

from aiohttp import web

from sep2.errors import BadRequest, Conflict, SepError
from sep2.store import idempotency as stored
from sep2.store.connection import Connection

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LONGEST = 255
KEPT_DAYS = 30
KEPT_S = KEPT_DAYS * 86_400


class BadIdempotencyKey(BadRequest):
    """An Idempotency-Key is 1 to 255 printable ASCII characters."""


class IdempotencyKeyReused(SepError):
    """This Idempotency-Key was used for another request."""

    status = 422


class AnswerShownOnce(Conflict):
    """The change was made, and its answer held a secret that is shown only once."""


class Once(NamedTuple):
    """A change that is to be made once: whose it is, its key, and the digest of all that it asks for."""

    operator: str
    key: str
    digest: str

    async def answered(self, db: Connection, now: int) -> bytes | None:
        """The answer that the change got before, within 30 days; None where it is new."""
        row = await stored.one(db, self.operator, self.key, since=now - KEPT_S)
        if row is None:
            return None
        if row.digest != self.digest:
            raise IdempotencyKeyReused(self.key)
        if not row.answer:
            raise AnswerShownOnce(self.key)
        return bytes(row.answer)

    async def keep(self, db: Connection, now: int, answer: bytes) -> None:
        """Keep the answer for 30 days, in the transaction of the change."""
        await stored.forget(db, before=now - KEPT_S)
        await stored.add(db, operator=self.operator, key=self.key, at=now, digest=self.digest, answer=answer)


def asked_once(http: web.Request, operator: str, body: bytes) -> Once | None:
    """What the request says of being made once; None without the header."""
    key = http.headers.get(HEADER)
    if key is None:
        return None
    if not (1 <= len(key) <= LONGEST and key.isascii() and key.isprintable()):
        raise BadIdempotencyKey
    said = b"\n".join((http.method.encode(), http.raw_path.encode(), body))
    return Once(operator, key, hashlib.sha256(said).hexdigest())
