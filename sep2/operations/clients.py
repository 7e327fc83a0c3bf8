"""Who may connect."""

from dataclasses import dataclass
from typing import Literal

from sep2.errors import BadValue, Conflict, NotFound
from sep2.operations.alarms import UNREGISTERED_LFDI, clear_alarm
from sep2.operations.devices import NewDevice, add_device
from sep2.rules.identifiers import is_lfdi
from sep2.store import clients, outbox
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


async def register_client(db: Connection, new: NewClient, now: int) -> int:
    """Authorise a client; an aggregator gets the EndDevice that stands for itself."""
    lfdi = new.lfdi.upper()
    if not is_lfdi(lfdi):
        raise BadLfdi(f"lfdi: {new.lfdi[:60]!r}")
    if await clients.by_lfdi(db, lfdi):
        raise ClientTaken(lfdi)
    client_id = await clients.add(
        db,
        lfdi=lfdi,
        name=new.name,
        kind=new.kind,
        profile=new.profile,
        registration=new.registration,
        pen=new.pen,
        receiver_hosts=" ".join(new.receiver_hosts),
        enabled=True,
        created=now,
    )
    await clear_alarm(db, UNREGISTERED_LFDI, lfdi, now)
    if new.kind == "aggregator":
        await add_device(db, NewDevice(lfdi=lfdi, client_id=client_id, holds_net_limit=False), now)
    return client_id


async def set_client_access(db: Connection, client_id: int, granted: bool) -> None:
    """Grant or withdraw a client's access; it holds from the next request on."""
    if not await clients.set_enabled(db, client_id, granted):
        raise NoSuchClient(str(client_id))
    await outbox.changed(db, "EndDeviceList", client=client_id)
