"""Operators, their tokens and sessions."""

import asyncio
from typing import Any

from sqlalchemy import Row

from sep2.admin import one_time
from sep2.admin import types as t
from sep2.admin.access import LOCAL
from sep2.errors import BadRequest, Conflict, NotFound
from sep2.operations import operators
from sep2.rest.route import Request, listed, page
from sep2.rules.credentials import hashed
from sep2.rules.roles import ROLES
from sep2.rules.row_numbers import row_number
from sep2.server import security
from sep2.store import operators as stored

TOKEN_S = 90 * 86_400


class UnknownSession(NotFound):
    """There is no session of that number."""


class LocalStays(Conflict):
    """The token `local` is the file operator.token_file; replace the file and start the server again."""


class NothingToSet(BadRequest):
    """Neither a role nor a password is given, and no grants."""


async def show_me(rq: Request, asked: t.Nothing) -> t.Me:
    """Who asks, with their role."""
    me = rq.caller
    return t.Me(operator=me.name, role=me.role.word, via=me.via, read_only=me.read_only, csrf=me.csrf)


async def list_operators(rq: Request, asked: t.Span) -> t.Listed[t.Operator]:
    """Operators by name."""
    found = await stored.listed(rq.db, page(asked))
    return listed(found, [_operator(row) for row in found.rows])


async def show_operator(rq: Request, asked: t.Nothing) -> t.Operator:
    """One operator, by name."""
    return _operator(await operators.find(rq.db, rq.ids["operator"]))


async def add_operator(rq: Request, asked: t.NewOperator) -> t.Operator:
    """The new operator."""
    await operators.add_operator(rq.db, asked.name, ROLES[asked.role], rq.now)
    if asked.password is not None:
        await _set_password(rq, await operators.find(rq.db, asked.name), asked.password)
    _tell(rq, "operator_added", operator=asked.name, role=asked.role, by=rq.operator)
    return _operator(await operators.find(rq.db, asked.name))


async def set_operator(rq: Request, asked: t.OperatorChange) -> t.Operator:
    """The operator with another role or password; who is signed in has to sign in again."""
    row = await operators.find(rq.db, rq.ids["operator"])
    if asked.role is None and asked.password is None and asked.grants is None:
        raise NothingToSet
    if asked.grants is not None:
        await stored.change(rq.db, row.id, grants=" ".join(sorted(set(asked.grants))))
        _tell(rq, "grants_changed", operator=row.name, grants=" ".join(asked.grants), by=rq.operator)
    if asked.role is not None:
        await operators.set_role(rq.db, row, ROLES[asked.role])
        _tell(rq, "role_changed", operator=row.name, role=asked.role, by=rq.operator)
    if asked.password is not None:
        await _set_password(rq, row, asked.password)
        _tell(rq, "password_changed", operator=row.name, by=rq.operator)
    return _operator(await operators.find(rq.db, row.name))


async def _set_password(rq: Request, row: Row[Any], password: str) -> None:
    if not password:
        await operators.set_password(rq.db, row, None)
        return
    operators.check_password(password, row.name)
    await operators.set_password(rq.db, row, await asyncio.to_thread(hashed, password))


async def add_codes(rq: Request, asked: t.Nothing) -> t.CodesMade:
    """The secret of the operator's one-time codes, which are asked for beside the password from now on."""
    row = await operators.find(rq.db, rq.ids["operator"])
    secret = one_time.new_secret()
    await operators.set_codes(rq.db, row, secret)
    _tell(rq, "codes_added", operator=row.name, by=rq.operator)
    return t.CodesMade(operator=row.name, secret=secret, link=one_time.link(secret, row.name))


async def remove_codes(rq: Request, asked: t.Nothing) -> t.Operator:
    """The operator, who signs in by the password alone."""
    row = await operators.find(rq.db, rq.ids["operator"])
    await operators.set_codes(rq.db, row, None)
    _tell(rq, "codes_removed", operator=row.name, by=rq.operator)
    return _operator(await operators.find(rq.db, row.name))


async def remove_operator(rq: Request, asked: t.Nothing) -> t.Done:
    """The operator is forgotten, with all tokens and sessions; the audit log keeps the name."""
    row = await operators.find(rq.db, rq.ids["operator"])
    await operators.remove_operator(rq.db, row)
    _tell(rq, "operator_removed", operator=row.name, by=rq.operator)
    return t.Done(message=f"operator {row.name} is removed")


async def list_tokens(rq: Request, asked: t.TokenQuery) -> t.Listed[t.Token]:
    """Tokens, the newest first."""
    owner = await operators.find(rq.db, asked.operator) if asked.operator else None
    found = await stored.tokens(rq.db, page(asked), operator_id=owner.id if owner else None)
    return listed(found, [t.Token(**_of_token(row)) for row in found.rows])


async def add_token(rq: Request, asked: t.NewToken) -> t.TokenMade:
    """The new token, with its text."""
    now = rq.state.dates.now()
    role = None if asked.role is None else ROLES[asked.role]
    expires = now + TOKEN_S if asked.expires is None else asked.expires
    new = operators.NewToken(asked.operator, asked.label, role, asked.read_only, expires)
    made = await operators.add_token(rq.db, new, now)
    row = await stored.token_by_id(rq.db, made.id)
    assert row is not None
    _tell(rq, "token_added", operator=row.operator_name, token=made.id, by=rq.operator)
    return t.TokenMade(**_of_token(row), token=made.text)


async def remove_token(rq: Request, asked: t.Nothing) -> t.Done:
    """The token opens nothing from now on."""
    if rq.ids["token"] == LOCAL:
        raise LocalStays
    row = await operators.remove_token(rq.db, rq.ids["token"])
    _tell(rq, "token_removed", operator=row.operator_name, token=row.id, by=rq.operator)
    return t.Done(message=f"token {row.id} of {row.operator_name} is removed")


async def list_sessions(rq: Request, asked: t.Span) -> t.Listed[t.Session]:
    """Browsers that are signed in, the latest first."""
    found = await stored.sessions(rq.db, page(asked))
    return listed(found, [_session(row) for row in found.rows])


async def end_session(rq: Request, asked: t.Nothing) -> t.Done:
    """The session is over; its browser has to sign in again."""
    number = rq.ids["session"]
    if not await stored.end_session(rq.db, row_number(number)):
        raise UnknownSession(number[:20])
    return t.Done(message=f"session {number} is over")


def _tell(rq: Request, kind: str, **about: str) -> None:
    """Report a security event once the change is kept."""

    async def tell() -> None:
        security.event(kind, **about)

    rq.after.append(tell)


def _operator(row: Row[Any]) -> t.Operator:
    return t.Operator(
        name=row.name,
        role=row.role,
        has_password=row.password is not None,
        has_codes=row.totp is not None,
        tokens=row.tokens,
        sessions=row.sessions,
        created=row.created,
        grants=row.grants.split(),
    )


def _of_token(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "operator": row.operator_name,
        "label": row.label,
        "role": min(ROLES[row.role], ROLES[row.operator_role]).word,
        "read_only": row.read_only,
        "created": row.created,
        "expires": row.expires,
        "last_used": row.last_used,
    }


def _session(row: Row[Any]) -> t.Session:
    return t.Session(
        id=row.id,
        operator=row.operator_name,
        address=row.address,
        agent=row.agent,
        created=row.created,
        used=row.used,
        expires=row.expires,
    )
