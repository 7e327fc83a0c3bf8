"""Who may connect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sep2.errors import BadValue, Conflict, Forbidden, NotFound
from sep2.operations import naming
from sep2.operations.alarms import UNREGISTERED_LFDI, clear_alarm
from sep2.operations.devices import NewDevice, add_device, check_pin
from sep2.operations.forgetting import forget
from sep2.rules.identifiers import is_lfdi
from sep2.store import clients, deliveries, devices, identities, judged, outbox, subscriptions
from sep2.store import naming as stored_names
from sep2.store.connection import Connection

Kind = Literal["aggregator", "device"]


class ClientTaken(Conflict):
    """A client with this LFDI is registered already."""


class UnknownClient(NotFound):
    """There is no client of that name, and none whose LFDI begins so."""


class ShutOut(Forbidden):
    """This certificate was shut out, or another one has replaced it."""


class BadLfdi(BadValue):
    """An LFDI is 40 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class NewClient:
    """A TLS peer to authorise: the LFDI is its certificate's."""

    name: str
    lfdi: str
    kind: Kind
    profile: str = "csip-aus-1.2"
    registration: str = "out-of-band"
    pen: int | None = None
    receiver_hosts: tuple[str, ...] = ()
    pin: int | None = None
    """Of the EndDevice that stands for itself, also where it registers that later; None is a random one."""


async def register_client(db: Connection, new: NewClient, now: int) -> int:
    """Authorise a client; an aggregator gets the EndDevice that stands for itself.

    One that is known as a device and has no EndDevice is taken over as it is said now; if it was shut out, it stays so.
    """
    lfdi = new.lfdi.upper()
    if not is_lfdi(lfdi):
        raise BadLfdi(f"lfdi: {new.lfdi[:60]!r}")
    check_pin(new.pin)
    said = {
        "name": new.name,
        "profile": new.profile,
        "registration": new.registration,
        "pen": new.pen,
        "receiver_hosts": " ".join(new.receiver_hosts),
        "pin": new.pin,
    }
    known = await clients.by_lfdi(db, lfdi)
    if known is not None and known.removed is not None:
        await forget(db, known.id, known.lfdi)
        known = None
    if known is not None:
        if not (known.kind == new.kind == "device") or await devices.by_lfdi(db, lfdi):
            raise ClientTaken(lfdi)
        await naming.check(db, "client", new.name, beside=known.id)
        await clients.update_one(db, known.id, **said)
        await clear_alarm(db, UNREGISTERED_LFDI, lfdi, now)
        return int(known.id)
    await naming.check(db, "client", new.name)
    client_id = await clients.add(db, lfdi=lfdi, kind=new.kind, enabled=True, created=now, **said)
    await clear_alarm(db, UNREGISTERED_LFDI, lfdi, now)
    if new.kind == "aggregator":
        await add_device(db, NewDevice(lfdi=lfdi, client_id=client_id, holds_net_limit=False), now)
    return client_id


async def let_in(db: Connection, lfdi: str, profile: str, now: int) -> int:
    """Authorise a certificate of nobody's to register its own device, where the utility lets every client do so.

    One that an operator has shut out, or that another one has replaced, is refused.
    """
    known = await clients.by_lfdi(db, lfdi)
    if (known is not None and known.removed is None) or await identities.one(db, lfdi):
        raise ShutOut(lfdi)
    return await register_client(db, NewClient(lfdi, lfdi, "device", profile, "in-band"), now)


async def set_client_access(db: Connection, client_id: int, granted: bool) -> None:
    """Grant or withdraw a client's access; it holds from the next request on."""
    if not await clients.set_enabled(db, client_id, granted):
        raise UnknownClient(str(client_id))
    await outbox.changed(db, "EndDeviceList", client=client_id)


async def change_client(db: Connection, client_id: int, said: Mapping[str, Any], now: int) -> None:
    """Change what is said of a client: profile, registration, pen, receiver_hosts, pin, enabled.

    pin: of its own EndDevice. Another profile shows in all that it reads, so that its subscribers are told.
    """
    row = await clients.one(db, client_id)
    if row is None or row.removed is not None:
        raise UnknownClient(str(client_id))
    columns = dict(said)
    if "pin" in columns:
        check_pin(columns["pin"])
        own = await devices.by_lfdi(db, row.lfdi)
        if own is not None and columns["pin"] is not None:
            await devices.update_one(db, own.id, pin=columns["pin"], changed=now)
            await outbox.changed(db, "EndDevice", edev=own.id)
    if "receiver_hosts" in columns:
        columns["receiver_hosts"] = " ".join(columns["receiver_hosts"])
    if columns:
        await clients.update_one(db, client_id, **columns)
    if "enabled" in columns:
        await outbox.changed(db, "EndDeviceList", client=client_id)
    if columns.get("profile", row.profile) != row.profile:
        await deliveries.put(db, await subscriptions.ids_of(db, client_id), now)
        db.changed = True


async def rename_client(db: Connection, client_id: int, name: str) -> None:
    """Call a client so; a device that is its own client has the same name."""
    row = await clients.one(db, client_id)
    if row is None or row.removed is not None:
        raise UnknownClient(str(client_id))
    await naming.check(db, "client", name, beside=client_id)
    await stored_names.rename(db, "client", client_id, name)
    await judged.rename_client(db, row.name, name)
    own = await devices.by_lfdi(db, row.lfdi) if row.kind == "device" else None
    if own is not None:
        await naming.check(db, "device", name, beside=own.id)
        await stored_names.rename(db, "device", own.id, name)
