"""Which notification receivers may be connected to: the URI comes from the client, so a list decides, not trust.

A URI is judged when it is subscribed to and before each notification, and every address that its host name stands for
once more when it is connected to: a name may stand for something else by then.
"""

import ipaddress
from collections.abc import Collection
from enum import Enum
from typing import NamedTuple
from urllib.parse import urlsplit

from sep2.errors import BadValue

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_PORTS = {"https": 443, "http": 80}
PORT = 443
"""Of an entry that names none."""
LONGEST = 1024

METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # most clouds
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
    )
)
"""Where clouds tell a machine its credentials; the first is link-local, the others are not."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ReceiverRefused(BadValue):
    """Notifications are not sent there."""


class Policy(NamedTuple):
    """Names or addresses, as `host` (port 443) or `host:port`, and whole classes of receivers beside them."""

    hosts: Collection[str] = ()
    http: bool = False
    loopback: bool = False
    private: bool = False
    here_only: bool = False
    """Nothing is connected to but this machine, whatever else is said."""


class Place(NamedTuple):
    """What a URI is connected to."""

    scheme: str
    host: str
    """in lower case, an IPv6 address without its brackets"""
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Class(Enum):
    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "on this machine"
    NEVER = "never connected to"


def place_of(uri: str) -> Place:
    """What a notificationURI is connected to; one that is no absolute http or https URI of a host is refused."""
    if len(uri) > LONGEST or not uri.isascii() or not uri.isprintable() or " " in uri:
        raise ReceiverRefused(f"notificationURI: {uri[:80]!r} is not a URI of at most {LONGEST} characters")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ReceiverRefused(f"notificationURI: {uri[:80]!r} is not a URI") from None
    if parts.scheme not in DEFAULT_PORTS or not host or parts.username is not None or parts.fragment or port == 0:
        raise ReceiverRefused(f"notificationURI: {uri[:80]!r} is not an absolute http or https URI of a host")
    return Place(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme])


def check(uri: str, policy: Policy) -> Place:
    """What a notificationURI is connected to; one that the policy does not name is refused."""
    place = place_of(uri)
    if place.scheme == "http" and not policy.http:
        raise ReceiverRefused("notificationURI: plain http is not allowed")
    address = _address(place.host)
    kind = _class_of(address) if address is not None else None
    if kind is _Class.NEVER:
        raise ReceiverRefused(f"notificationURI: {place.host} is never connected to")
    named = (place.host, place.port) in {_entry(entry) for entry in policy.hosts}
    if not named and not _of_allowed_class(place.host, kind, policy):
        raise ReceiverRefused(f"notificationURI: {place} is not among the receivers of this client")
    return place


def check_named(uri: str, policy: Policy) -> Place:
    """The same for a URI that an operator gave: its host counts as listed where it is a name or a public address."""
    place = place_of(uri)
    address = _address(place.host)
    local = place.host == "localhost" if address is None else _class_of(address) is not _Class.PUBLIC
    return check(uri, policy if local else policy._replace(hosts=(*policy.hosts, str(place))))


def check_address(place: Place, address: str, policy: Policy) -> None:
    """Refuse an address that the host name of a place stands for, unless it is of a class that may be connected to.

    A name that is listed is trusted to be somebody's, not to stay where it was: it may stand for public addresses, and
    for private ones or this machine only where these are allowed. `localhost` is this machine and nothing else.
    """
    found = _address(address)
    kind = _class_of(found) if found is not None else _Class.NEVER
    if _address(place.host) is not None:
        allowed = kind is not _Class.NEVER  # the address itself is listed or of an allowed class: `check` has looked
    elif place.host == "localhost":
        allowed = kind is _Class.LOOPBACK
    else:
        allowed = kind is _Class.PUBLIC or _of_allowed_class(address, kind, policy)
    if policy.here_only and kind is not _Class.LOOPBACK:
        raise ReceiverRefused(f"{place.host} stands for {address}, and nothing is sent to another machine from here")
    if not allowed:
        raise ReceiverRefused(f"{place.host} stands for {address}, which is {kind.value}")


def _entry(entry: str) -> tuple[str, int]:
    """Host and port of an entry: `host`, `host:port`, an IPv6 address, or one in brackets with or without a port."""
    entry = entry.lower()
    if _address(entry) is not None:
        return entry, PORT
    host, colon, port = entry.rpartition(":")
    if not colon or not port.isdecimal():
        return entry.strip("[]"), PORT
    return host.strip("[]"), int(port)


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _class_of(address: Address) -> _Class:
    address = _inner(address)
    if address.is_loopback:
        return _Class.LOOPBACK
    if address in METADATA or address.is_link_local or address.is_unspecified or address.is_multicast:
        return _Class.NEVER
    if address.is_reserved:
        return _Class.NEVER
    # Addresses that carriers share (100.64.0.0/10) are neither global nor, to Python, private.
    return _Class.PUBLIC if address.is_global else _Class.PRIVATE


def _of_allowed_class(host: str, kind: _Class | None, policy: Policy) -> bool:
    if kind is None:
        return policy.loopback and host == "localhost"
    return (policy.loopback and kind is _Class.LOOPBACK) or (policy.private and kind is _Class.PRIVATE)
