"""What a handler is given, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Row

from sep2 import wire as w
from sep2.errors import NotFound
from sep2.rules.paging import Page
from sep2.rules.reach import has_load_control
from sep2.settings import Settings
from sep2.store.connection import Connection
from sep2.store.controls import Part, Seen

ALIKE = {"DemandResponseProgramList": "DERProgramList", "LoadShedAvailabilityList": "DERList"}
"""Resources that are polled as often as others: controls reach clients in the same time either way, and what a device
writes of itself has one rate."""


class Hrefs(Protocol):
    """Paths of resources by their name, as the resource table has them."""

    def href(self, name: str, ids: Mapping[str, int]) -> str:
        """The path of a resource."""
        ...

    def around(self, name: str, ids: Mapping[str, int], which: str) -> tuple[str, str]:
        """The path of a resource before and after one of its numbers."""
        ...

    def subscribable(self, name: str) -> int:
        """The `subscribable` attribute of a resource: 0 or 1."""
        ...

    def locate(self, path: str) -> tuple[str, dict[str, int]] | None:
        """The name and the ids of the resource at a path, if there is such a row."""
        ...


class Ids(dict[str, int]):
    """The numbers in a path, by name, as attributes."""

    def __getattr__(self, name: str) -> int:
        return self[name]


@dataclass(frozen=True, slots=True)
class Caller:
    """The TLS peer, as it is registered; `client` is None for a certificate that nobody has authorised."""

    lfdi: str
    client: int | None
    kind: str
    profile: w.Profile
    registration: str
    receiver_hosts: str = ""
    shown: str = ""
    """The LFDI of the certificate that asks, where that is another one than the current one of its client."""


@dataclass(slots=True)
class House:
    """What one server process knows besides its database."""

    settings: Settings
    poll_rates: dict[str, int] = field(default_factory=dict)
    """Rates that the operator has set while the server runs."""
    trusts_clock: Callable[[], bool] = lambda: True
    """Whether nothing speaks against the time that this server tells."""

    holds: bool = False
    """Whether nothing is told of controls, as a copy of the database was put back."""
    told: dict[int, int] = field(default_factory=dict)
    """The pollRate of its DERProgramList that each EndDevice was told last, since this server started."""

    def tell(self, resource: str, device: int) -> None:
        """Note that a device is shown a resource, with its pollRate."""
        if ALIKE.get(resource, resource) == "DERProgramList":
            self.told[device] = self.poll_rate(resource)

    def take_over(self, poll_rates: dict[str, int]) -> None:
        """Show these rates from now on."""
        if poll_rates != self.poll_rates:
            self.poll_rates = poll_rates

    def poll_rate(self, resource: str) -> int:
        """Seconds between two polls of a resource; two views of the same programs are polled alike."""
        resource = ALIKE.get(resource, resource)
        return self.poll_rates.get(resource) or self.settings.utility.poll_rate_of(resource)


class Made(NamedTuple):
    """Where a posted representation is to be found, and whether it is new."""

    href: str
    new: bool = True
    device: int | None = None
    """The EndDevice that it is about, where the path of the request does not name it."""
    written: int | None = None
    """When the client says that it wrote it, epoch seconds; of answers only."""


LinkType = TypeVar("LinkType", bound=w.Link)
ListLinkType = TypeVar("ListLinkType", bound=w.ListLink)


@dataclass(slots=True, kw_only=True)
class Request:
    """One request that its caller has the right to make."""

    db: Connection
    now: int
    caller: Caller
    ids: Ids
    page: Page
    house: House
    table: Hrefs
    device: Row[Any] | None = None
    """The EndDevice that the path names, which the caller may act for."""

    @property
    def seen(self) -> Seen:
        """With what eyes, and when, the caller looks at controls."""
        listed_after_end_s = self.house.settings.utility.listed_after_end_s
        seen = Seen(self.now, self.caller.profile is not w.Profile.CSIP, listed_after_end_s)
        # What only bounds its load such a device is told as EndDeviceControls; as DERControls these would be empty.
        is_split = self.device is not None and has_load_control(self.device)
        return seen._replace(part=Part.REST) if is_split else seen

    @property
    def client(self) -> int:
        """The id of the registered client; others see nothing here."""
        if self.caller.client is None:
            raise NotFound
        return self.caller.client

    @property
    def own(self) -> Row[Any]:
        """The EndDevice that the path names."""
        assert self.device is not None
        return self.device

    def lfdi(self, stored: str) -> str:
        """The LFDI of an EndDevice as the caller knows it: its own is that of the certificate that asks."""
        return self.caller.shown if self.caller.shown and stored == self.caller.lfdi else stored

    def meant(self, said: str) -> str:
        """The LFDI that is stored for what the caller says: its own may be that of the certificate that asks."""
        return self.caller.lfdi if self.caller.shown and said == self.caller.shown else said

    def href(self, name: str, **ids: int) -> str:
        """The path of a resource; ids that are not given are those of this request."""
        return self.table.href(name, {**self.ids, **ids})

    def hrefs(self, name: str, which: str) -> Callable[[int], str]:
        """Paths of the members of a list, or of something in each of them, which differ in one number only."""
        before, after = self.table.around(name, self.ids, which)
        return lambda number: f"{before}{number}{after}"

    def subscribable(self, name: str) -> int:
        """The `subscribable` attribute of a resource."""
        return self.table.subscribable(name)

    def link(self, kind: type[LinkType], name: str, **ids: int) -> LinkType:
        """A link to a resource."""
        return kind(href=self.href(name, **ids))

    def list_link(self, kind: type[ListLinkType], name: str, total: int, **ids: int) -> ListLinkType:
        """A link to a list, with how many items of it the caller sees."""
        return kind(href=self.href(name, **ids), all=total)


def found(row: Row[Any] | None) -> Row[Any]:
    """The row, or the answer that there is nothing."""
    if row is None:
        raise NotFound
    return row


def wire_version(count: int) -> int:
    """A count of changes as VersionType carries it: after 65535 it begins anew."""
    return count % 2**16
