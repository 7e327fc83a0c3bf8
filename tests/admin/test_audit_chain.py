"""The audit log is a chain: whatever is changed in it, removed from it or put into it shows."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import delete, insert, select, text, update

from certs import Authority
from sep2.rules.chain import FIRST, Link, hash_of, sealed
from sep2.server.app import State
from sep2.store import audits
from sep2.store.operator_tables import audit, audit_detail, audit_head, audit_seal
from tests.admin.conftest import Operator


async def _some(operator: Operator) -> list[int]:
    for number in range(5):
        await operator.change("POST", "/connections", {"connection_id": f"NMI{number}"})
    return [entry["id"] for entry in (await operator.get("/audit"))["items"]][::-1]


async def test_a_log_that_nobody_touched_is_whole(operator: Operator, house: State) -> None:
    assert (await operator.get("/audit/verify"))["whole"] is True
    await _some(operator)
    found = await operator.get("/audit/verify")
    assert (found["whole"], found["entries"], found["broken_at"]) == (True, 5, None)
    assert found["head"] == (await operator.get("/audit"))["items"][0]["hash"]
    assert (await house.chain_watch.once()).broken_at is None


CHANGES: list[tuple[str, int, Any]] = [
    ("the operator of a row", 2, lambda ids: update(audit).where(audit.c.id == ids[2]).values(operator="Eve")),
    ("the time of a row", 0, lambda ids: update(audit).where(audit.c.id == ids[0]).values(at=1)),
    ("the outcome of the last row", 4, lambda ids: update(audit).where(audit.c.id == ids[4]).values(outcome="done!")),
    ("a row and its hash", 2, lambda ids: update(audit).where(audit.c.id == ids[2]).values(hash="0" * 64)),
    ("details", 3, lambda ids: update(audit_detail).where(audit_detail.c.audit_id == ids[3]).values(detail="{}")),
    ("the head", 4, lambda ids: update(audit_head).values(hash="1" * 64)),
]


@pytest.mark.parametrize(("what", "broken", "change"), CHANGES, ids=[what for what, *_ in CHANGES])
async def test_the_first_row_that_was_changed_is_named(
    operator: Operator, house: State, what: str, broken: int, change: Any
) -> None:
    ids = await _some(operator)
    async with house.db.write() as db:
        await db.run(change(ids))
    found = await operator.get("/audit/verify")
    assert (found["whole"], found["broken_at"]) == (False, ids[broken]), what


async def test_a_row_that_is_removed_or_put_in_is_noticed(operator: Operator, house: State) -> None:
    ids = await _some(operator)
    async with house.db.write() as db:
        await db.run(delete(audit_detail).where(audit_detail.c.audit_id == ids[2]))
        await db.run(delete(audit).where(audit.c.id == ids[2]))
    assert (await operator.get("/audit/verify"))["broken_at"] == ids[3]
    async with house.db.write() as db:
        await db.run(delete(audit_detail).where(audit_detail.c.audit_id >= ids[2]))
        await db.run(delete(audit).where(audit.c.id >= ids[2]))
    assert (await operator.get("/audit/verify"))["broken_at"] == ids[1], "the last rows were removed"


async def test_a_row_that_is_put_in_is_noticed(operator: Operator, house: State) -> None:
    ids = await _some(operator)
    async with house.db.write() as db:
        row = await db.one(select(audit).where(audit.c.id == ids[4]))
        assert row is not None
        await db.run(insert(audit).values({**row._mapping, "id": ids[4] + 1}))
    assert (await operator.get("/audit/verify"))["broken_at"] == ids[4] + 1


async def test_erased_details_leave_the_chain_whole(operator: Operator, house: State) -> None:
    ids = await _some(operator)
    async with house.db.write() as db:
        await db.run(delete(audit_detail).where(audit_detail.c.audit_id == ids[1]))
    assert (await operator.get("/audit/verify"))["whole"] is True
    assert (await operator.get("/audit"))["items"][3]["detail"] is None


async def test_a_broken_chain_is_an_alarm_until_it_is_whole(operator: Operator, house: State) -> None:
    ids = await _some(operator)
    async with house.db.write() as db:
        await db.run(text("UPDATE audit SET verb = 'x' || verb"))
    await house.chain_watch.once()
    (alarm,) = (await operator.get("/alarms"))["items"]
    assert (alarm["code"], alarm["priority"]) == ("audit_broken", 1)
    assert str(ids[0]) in alarm["detail"]
    async with house.db.write() as db:
        await db.run(text("UPDATE audit SET verb = substr(verb, 2)"))
    await house.chain_watch.once()
    assert (await operator.get("/alarms"))["total"] == 0


async def test_a_log_that_was_written_anew_as_a_whole_does_not_fit_the_head_that_was_signed(
    operator: Operator, house: State
) -> None:
    ids = await _some(operator)
    await house.chain_watch.once()
    await house.chain_watch.once()
    found = await operator.get("/audit/verify")
    assert (found["whole"], found["seals"]) == (True, 1)
    async with house.db.write() as db:
        rows = await audits.following(db, 0, 100)
        previous = FIRST
        for row in rows:
            link = Link(*(getattr(row, name) for name in Link._fields))
            link = link._replace(operator="Eve") if row.id == ids[2] else link
            previous = hash_of(previous, link)
            await db.run(update(audit).where(audit.c.id == row.id).values(hash=previous, operator=link.operator))
        await db.run(update(audit_head).values(hash=previous))
    found = await operator.get("/audit/verify")
    assert (found["whole"], found["broken_at"]) == (False, ids[4])
    assert "was signed with another hash" in found["problem"]
    # Nor does it help to sign again with a key of one's own.
    other = Authority.create("another root").issue_device(serial="x")
    async with house.db.write() as db:
        key = other.key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signature = key.sign(sealed(1, ids[4], previous), ec.ECDSA(SHA256()))
        pem = other.certificate.public_bytes(Encoding.PEM).decode()
        said = {"at": 1, "hash": previous, "signature": base64.b64encode(signature).decode(), "certificate": pem}
        await db.run(update(audit_seal).values(said))
    assert "not the server's" in (await operator.get("/audit/verify"))["problem"]
