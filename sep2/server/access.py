"""Who is calling, and whether it may see what it asks for: decided anew for every request, in one statement."""

from typing import Any

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import Forbidden, NotFound
from sep2.functions.edev import is_der
from sep2.functions.fsa import group_named
from sep2.functions.request import Caller
from sep2.resources import Resource, Scope
from sep2.settings import Utility
from sep2.store import access
from sep2.store.connection import Connection


class NotYours(Forbidden):
    """This certificate may not act for that device."""


class DeviceBlocked(Forbidden):
    """The utility has blocked this EndDevice."""


class Nowhere(NotFound):
    """There is nothing here for this certificate."""


class Unregistered(Nowhere):
    """There is nothing here for this certificate, which is no client's."""


async def admitted(
    db: Connection, lfdi: str, row: Resource, ids: dict[str, int], *, utility: Utility, writes: bool
) -> tuple[Caller, Row[Any] | None]:
    """The caller, and the device it acts for where the path names one; refusals hide what exists from readers."""
    if row.scope is Scope.CALLER:
        return await _caller(db, lfdi, utility), None
    group = group_named(ids)
    if row.scope is Scope.PROGRAM and group is not None:
        found = await access.acting_in(db, lfdi, ids["edev"], group=group)
    else:
        found = await access.acting_for(db, lfdi, ids["edev"])
    if found is None:
        if writes:
            raise NotYours
        raise Nowhere if await access.caller(db, lfdi) else Unregistered
    if not found.enabled and (writes or row.name != "EndDevice"):
        raise DeviceBlocked if writes else Nowhere
    caller = _known(found, lfdi)
    if row.scope is not Scope.DEVICE and not is_der(found.lfdi, caller):
        raise Nowhere
    return caller, found


async def _caller(db: Connection, lfdi: str, utility: Utility) -> Caller:
    found = await access.caller(db, lfdi)
    if found is not None:
        return _known(found, lfdi)
    if utility.registration == "out-of-band":
        raise Unregistered
    return Caller(lfdi, None, "device", w.Profile(utility.profile), "out-of-band")


def _known(row: Row[Any], lfdi: str) -> Caller:
    profile = w.Profile(row.profile)
    shown = "" if lfdi == row.client_lfdi else lfdi
    return Caller(row.client_lfdi, row.client, row.kind, profile, row.registration, row.receiver_hosts, shown)
