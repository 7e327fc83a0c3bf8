"""Who may connect."""

from dataclasses import dataclass
from typing import Literal

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations import naming
from sep2.operations.alarms import UNREGISTERED_LFDI, clear_alarm
from sep2.operations.devices import NewDevice, add_device, check_pin
from sep2.rules.identifiers import is_lfdi
from sep2.store import clients, devices, outbox
from sep2.store.connection import Connection

Kind = Literal["aggregator", "device"]


class ClientTaken(Conflict):
    """A client with this LFDI is registered already."""


class NoSuchClient(NotFound):
    """No such client is registered."""


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


async def set_client_access(db: Connection, client_id: int, granted: bool) -> None:
    """Grant or withdraw a client's access; it holds from the next request on."""
    if not await clients.set_enabled(db, client_id, granted):
        raise NoSuchClient(str(client_id))
    await outbox.changed(db, "EndDeviceList", client=client_id)
