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


def check(uri: str, policy: Policy) -> None:
    """Refuse a notificationURI that the policy does not name."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ReceiverRefused(f"notificationURI: {uri[:80]!r} is not a URI") from None
    if parts.scheme not in DEFAULT_PORTS or not host or parts.username is not None:
        raise ReceiverRefused(f"notificationURI: {uri[:80]!r} is not an absolute http or https URI of a host")
    if parts.scheme == "http" and not policy.http:
        raise ReceiverRefused("notificationURI: plain http is not allowed")
    named = {entry.lower() for entry in policy.hosts}
    if host in named or f"{host}:{port or DEFAULT_PORTS[parts.scheme]}" in named:
        return
    if not _of_allowed_class(host, policy):
        raise ReceiverRefused(f"notificationURI: {host} is not among the receivers of this client")


def _of_allowed_class(host: str, policy: Policy) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return policy.loopback and host == "localhost"
    if address.is_loopback:
        return policy.loopback
    return policy.private and address.is_private and not address.is_link_local
