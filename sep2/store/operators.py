"""Operators, their tokens, and the sessions of their browsers."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, or_, select, update

from sep2.rules.cursor import Keyset
from sep2.store.connection import Connection
from sep2.store.keyset import Following, select_following
from sep2.store.operator_tables import operator as t
from sep2.store.operator_tables import operator_session as session
from sep2.store.operator_tables import operator_token as token

_TOKENS = select(func.count()).where(token.c.operator_id == t.c.id).scalar_subquery()
_SESSIONS = select(func.count()).where(session.c.operator_id == t.c.id).scalar_subquery()


def _operators() -> Select[Any]:
    return select(t, _TOKENS.label("tokens"), _SESSIONS.label("sessions"))


async def listed(db: Connection, page: Keyset) -> Following:
    """Operators by name, each with the number of its tokens and sessions."""
    return await select_following(db, _operators().order_by(t.c.folded), page)


async def named(db: Connection, folded: str) -> Row[Any] | None:
    """The operator of that name, folded."""
    return await db.one(_operators().where(t.c.folded == folded))


async def by_subject(db: Connection, subject: str) -> Row[Any] | None:
    """The operator whom a sign-in provider knows by that subject."""
    return await db.one(_operators().where(t.c.subject == subject))


async def admins(db: Connection) -> int:
    """How many operators have the role admin."""
    row = await db.one(select(func.count().label("n")).where(t.c.role == "admin"))
    return row.n if row else 0


async def add(db: Connection, **columns: Any) -> int:
    """The id of a new operator."""
    return await db.add(insert(t).values(columns))


async def change(db: Connection, operator_id: int, **columns: Any) -> None:
    """Change an operator's role or password."""
    await db.run(update(t).where(t.c.id == operator_id).values(columns))


async def remove(db: Connection, operator_id: int) -> None:
    """Forget an operator, its tokens and its sessions."""
    for table in (token, session):
        await db.run(delete(table).where(table.c.operator_id == operator_id))
    await db.run(delete(t).where(t.c.id == operator_id))


async def add_token(db: Connection, **columns: Any) -> None:
    """Keep a new token."""
    await db.run(insert(token).values(columns))


def _tokens() -> Select[Any]:
    return select(token, t.c.name.label("operator_name"), t.c.role.label("operator_role")).join_from(token, t)


async def tokens(db: Connection, page: Keyset, *, operator_id: int | None = None) -> Following:
    """Tokens, those of one operator if so asked, the newest first."""
    query = _tokens().order_by(token.c.created.desc(), token.c.id)
    if operator_id is not None:
        query = query.where(token.c.operator_id == operator_id)
    return await select_following(db, query, page)


async def token_by_id(db: Connection, token_id: str) -> Row[Any] | None:
    """A token by its id, with its operator's name and role."""
    return await db.one(_tokens().where(token.c.id == token_id))


async def remove_token(db: Connection, token_id: str) -> None:
    """Forget a token."""
    await db.run(delete(token).where(token.c.id == token_id))


async def token_used(db: Connection, token_id: str, now: int) -> None:
    """Note when a token was used."""
    await db.run(update(token).where(token.c.id == token_id).values(last_used=now))


async def add_session(db: Connection, **columns: Any) -> int:
    """The id of a new session."""
    return await db.add(insert(session).values(columns))


def _sessions() -> Select[Any]:
    mine = t.c.name.label("operator_name"), t.c.role.label("operator_role"), t.c.totp.is_not(None).label("has_codes")
    return select(session, *mine).join_from(session, t)


async def sessions(db: Connection, page: Keyset) -> Following:
    """Sessions, the newest first."""
    return await select_following(db, _sessions().order_by(session.c.id.desc()), page)


async def session_by_digest(db: Connection, digest: str) -> Row[Any] | None:
    """The session whose cookie has that digest, with its operator's name and role."""
    return await db.one(_sessions().where(session.c.digest == digest))


async def session_used(db: Connection, session_id: int, now: int) -> None:
    """Note when a session was used."""
    await db.run(update(session).where(session.c.id == session_id).values(used=now))


async def end_session(db: Connection, session_id: int) -> int:
    """Forget a session; how many were found."""
    return (await db.run(delete(session).where(session.c.id == session_id))).rowcount


async def end_sessions(db: Connection, operator_id: int) -> None:
    """Forget all sessions of an operator."""
    await db.run(delete(session).where(session.c.operator_id == operator_id))


async def count_sessions(db: Connection, now: int) -> int:
    """How many sessions have not ended by their date."""
    row = await db.one(select(func.count().label("n")).where(session.c.expires > now))
    return row.n if row else 0


async def forget_expired(db: Connection, *, before: int) -> None:
    """Forget sessions and tokens that ended before a time."""
    await db.run(delete(session).where(session.c.expires < before))
    await db.run(delete(token).where(token.c.expires < before))


async def use_step(db: Connection, operator_id: int, step: int) -> bool:
    """Note that the one-time code of a step of time was used; False where it, or a later one, was used before."""
    mine = update(t).where(t.c.id == operator_id, or_(t.c.totp_step.is_(None), t.c.totp_step < step))
    return (await db.run(mine.values(totp_step=step))).rowcount == 1


async def password_of(db: Connection, folded: str) -> Sequence[Row[Any]]:
    """id, name, role, stored password and one-time codes of the operator of that name, folded."""
    return await db.all(
        select(t.c.id, t.c.name, t.c.role, t.c.password, t.c.totp, t.c.totp_step).where(t.c.folded == folded)
    )
