"""The server's TLS: who it is and whom it trusts, read from files, and read again while connections live."""

import ssl
import time
from collections.abc import Callable
from typing import NamedTuple

from certs import Peer, Trust
from certs.identity import Files
from certs.tls import client_context, ensure_ccm8, peer_chain, replace, server_context, web_context
from sep2.settings import Settings


class _Read(NamedTuple):
    trust: Trust
    listening: ssl.SSLContext
    outgoing: tuple[ssl.SSLContext, ...]


class Tls:
    """The TLS of a running server."""

    def __init__(self, settings: Settings) -> None:
        """Refuses to start where CCM-8 can not be negotiated, or a file is not what it should be."""
        self._settings = settings
        self.now: Callable[[], float] = time.time
        """The time by which certificates are judged."""
        self.trust, self.listening, self.outgoing = _read(settings)

    def admit(self, connection: ssl.SSLObject) -> Peer:
        """Who the peer of a connection is; BadCertificate when it is none of those we trust."""
        return self.trust.admit(peer_chain(connection), now=self.now())

    def reload(self) -> None:
        """Use what the files hold now, for new connections only; what can not be used changes nothing."""
        fresh = _read(self._settings)
        replace(self.listening, fresh.listening)
        self.trust, self.outgoing = fresh.trust, fresh.outgoing


def _read(settings: Settings) -> _Read:
    tls = settings.tls
    files = Files(tls.certificate, tls.key)
    ensure_ccm8(files)
    # Certificates for tests never get into production.
    trust = Trust.read(tls.authorities, tls.lenient_authorities, tests=settings.mode != "production")
    outgoing = [client_context(files, trust, more_suites=tls.more_suites)]
    if settings.receivers.public_authorities:
        # Tried after the other: under the roots of the web only the host name says who a receiver is.
        outgoing.append(web_context(files))
    return _Read(trust, server_context(files, trust, more_suites=tls.more_suites), tuple(outgoing))
