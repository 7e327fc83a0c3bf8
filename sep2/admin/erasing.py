"""Erasure of what is stored of a connection's customer."""

import logging
from collections.abc import Awaitable, Callable

from sep2.admin import find
from sep2.admin import types as t
from sep2.admin.effects import policy_of
from sep2.extension import load, resolve
from sep2.operations import erasing
from sep2.rest.route import Request
from sep2.rules.roles import ENGINEER
from sep2.settings import Settings

log = logging.getLogger(__name__)


async def erase_connection(rq: Request, asked: t.Erase) -> t.Erased:
    """What was erased of a connection's customer; the register, the sums of days and the audit chain stay."""
    # Who agrees to it has this role too: a second person's request comes here by its verb and not by its route.
    rq.caller.require(ENGINEER, change=True)
    row = await find.connection(rq.db, rq.ids["connection"])
    done = await erasing.erase_connection(rq.db, row.id, row.connection_id, rq.now)
    rq.after.append(_by_extensions(rq.state.settings, row.connection_id))
    alone = rq.second or not policy_of(rq).applies
    return t.Erased(
        connection_id=row.connection_id,
        label=done.label,
        readings=done.readings,
        audit_details=done.audit_details,
        needs_second="" if alone else "what is erased is gone for good",
        digest=str(row.id),
    )


def _by_extensions(settings: Settings, connection_id: str) -> Callable[[], Awaitable[None]]:
    """Have every extension delete what it keeps of the connection; one that fails is logged, and can be asked again."""

    async def erase() -> None:
        for extension in load():
            for where in extension.erasers:
                try:
                    count = await resolve(where)(settings, connection_id)
                except Exception:
                    log.exception("extension %s did not erase %s; ask again", extension.name, connection_id)
                else:
                    log.info("extension %s erased %d values of %s", extension.name, count, connection_id)

    return erase
