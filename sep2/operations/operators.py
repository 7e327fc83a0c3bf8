"""Operators: added, changed and removed, so that somebody with the role admin is always left."""

from typing import Any, NamedTuple

from sqlalchemy import Row

from sep2.errors import BadValue, Conflict, Forbidden, NotFound
from sep2.rules.credentials import LEAST_PASSWORD, Token, folded, new_token
from sep2.rules.roles import ADMIN, ROLES, OperatorRole
from sep2.rules.told_times import told
from sep2.store import operators
from sep2.store.connection import Connection

LONGEST_TOKEN_S = 366 * 86_400


class UnknownOperator(NotFound):
    """There is no operator of that name."""


class UnknownToken(NotFound):
    """There is no token of that id."""


class OperatorTaken(Conflict):
    """There is an operator of that name already."""


class LastAdmin(Conflict):
    """Nobody with the role admin would be left."""


class RoleTooHigh(Forbidden):
    """A token's role is at most that of its operator."""


class BadPassword(BadValue):
    """That password can not be used."""


class NewToken(NamedTuple):
    """What a token is to be for: its role is at most the operator's, and it ends at a time."""

    operator: str
    label: str
    role: OperatorRole | None
    read_only: bool
    expires: int


async def find(db: Connection, name: str) -> Row[Any]:
    """The operator of that name, whatever its case; UnknownOperator if there is none."""
    row = await operators.named(db, folded(name))
    if row is None:
        raise UnknownOperator(name[:60])
    return row


async def add_operator(db: Connection, name: str, role: OperatorRole, now: int) -> None:
    """Add an operator, who can do nothing before there is a token or a password."""
    if await operators.named(db, folded(name)) is not None:
        raise OperatorTaken(name)
    await operators.add(db, name=name, folded=folded(name), role=role.word, created=now)


async def signed_in(db: Connection, subject: str, name: str, role: OperatorRole, *, now: int) -> Row[Any]:
    """The operator whom a sign-in provider has signed in, with the role of today; a new one at the first time.

    One of that name who was added here is somebody else: OperatorTaken.
    """
    row = await operators.by_subject(db, subject)
    if row is None:
        await add_operator(db, name, role, now)
        made = await find(db, name)
        await operators.change(db, made.id, subject=subject)
    elif row.role != role.word:
        await operators.change(db, row.id, role=role.word)
        await operators.end_sessions(db, row.id)
    found = await operators.by_subject(db, subject)
    assert found is not None
    return found


async def set_role(db: Connection, row: Row[Any], role: OperatorRole) -> None:
    """Give an operator another role; its tokens do no more than it may, and its sessions end."""
    await _keep_an_admin(db, row, role)
    await operators.change(db, row.id, role=role.word)
    await operators.end_sessions(db, row.id)


async def set_password(db: Connection, row: Row[Any], password: str | None) -> None:
    """Set the hashed password that an operator signs in with, or none; its sessions end."""
    await operators.change(db, row.id, password=password)
    await operators.end_sessions(db, row.id)


async def set_codes(db: Connection, row: Row[Any], secret: str | None) -> None:
    """Have an operator sign in with one-time codes of that secret as well, or without; their sessions end."""
    await operators.change(db, row.id, totp=secret, totp_step=None)
    await operators.end_sessions(db, row.id)


def check_password(password: str, name: str) -> None:
    """Refuse a password that is too short, too plain or the name itself."""
    if len(password) < LEAST_PASSWORD or len(set(password)) < 5 or folded(name) == folded(password):
        raise BadPassword(f"password: at least {LEAST_PASSWORD} characters, 5 of them different, and not the name")


async def remove_operator(db: Connection, row: Row[Any]) -> None:
    """Forget an operator with its tokens and sessions; what it did stays in the audit log."""
    await _keep_an_admin(db, row, None)
    await operators.remove(db, row.id)


async def _keep_an_admin(db: Connection, row: Row[Any], role: OperatorRole | None) -> None:
    if row.role == ADMIN.word and role is not ADMIN and await operators.admins(db) < 2:
        raise LastAdmin(row.name)


async def add_token(db: Connection, new: NewToken, now: int) -> Token:
    """A new token of an operator; its text is known to nobody once the caller has forgotten it."""
    row = await find(db, new.operator)
    own = ROLES[row.role]
    role = own if new.role is None else new.role
    if role > own:
        raise RoleTooHigh(f"{row.name} is {own.word}, not {role.word}")
    if not now < new.expires <= now + LONGEST_TOKEN_S:
        raise BadValue(f"expires: {told(new.expires)} is not within a year from now, {told(now)}")
    made = new_token()
    await operators.add_token(
        db,
        id=made.id,
        operator_id=row.id,
        digest=made.digest,
        label=new.label,
        role=role.word,
        read_only=new.read_only,
        created=now,
        expires=new.expires,
    )
    return made


async def remove_token(db: Connection, token_id: str) -> Row[Any]:
    """The token that is forgotten; who shows it is not let in any more."""
    row = await operators.token_by_id(db, token_id)
    if row is None:
        raise UnknownToken(token_id[:20])
    await operators.remove_token(db, row.id)
    return row
