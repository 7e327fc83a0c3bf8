"""Which notification receivers may be connected to: the URI comes from the client, so a list decides, not trust."""

import ipaddress
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import urlsplit

from sep2.errors import BadValue

DEFAULT_PORTS = {"https": 443, "http": 80}


class ReceiverRefused(BadValue):
    """Notifications are not sent there."""


class Policy(NamedTuple):
    """Names or addresses, as `host` or `host:port`, and whole classes of receivers beside them."""

    hosts: Collection[str] = ()
    http: bool = False
    loopback: bool = False
    private: bool = False


LONGEST = 1024


def check(uri: str, policy: Policy) -> str:
    """The `host:port` of a notificationURI; one that the policy does not name is refused."""
    if len(uri) > LONGEST or not uri.isascii() or not uri.isprintable() or " " in uri:
        raise ReceiverRefused(f"notificationURI: {uri[:80]!r} is not a URI of at most {LONGEST} characters")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ReceiverRefused(f"notificationURI: {uri[:80]!r} is not a URI") from None
    if parts.scheme not in DEFAULT_PORTS or not host or parts.username is not None or parts.fragment or port == 0:
        raise ReceiverRefused(f"notificationURI: {uri[:80]!r} is not an absolute http or https URI of a host")
    if parts.scheme == "http" and not policy.http:
        raise ReceiverRefused("notificationURI: plain http is not allowed")
    receiver = f"{host}:{port or DEFAULT_PORTS[parts.scheme]}"
    if {host, receiver}.isdisjoint(entry.lower() for entry in policy.hosts) and not _of_allowed_class(host, policy):
        raise ReceiverRefused(f"notificationURI: {host} is not among the receivers of this client")
    return receiver


def _of_allowed_class(host: str, policy: Policy) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return policy.loopback and host == "localhost"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return policy.loopback
    never = address.is_link_local or address.is_unspecified or address.is_multicast or address.is_reserved
    return policy.private and address.is_private and not never
