"""The server's TLS: who it is and whom it trusts, read from files, and read again while connections live."""

import logging
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple

from certs import Peer, Trust
from certs.custody import authority_keys
from certs.errors import BadFile
from certs.identity import Files
from certs.tls import (
    admit,
    client_context,
    ensure_ccm8,
    partner_context,
    read_again,
    server_context,
    web_context,
)
from sep2.settings import Settings, SettingsError
from sep2.settings.fields import Operator

log = logging.getLogger("sep2.tls")

AGAIN_S = 60
"""Until what could not be read is tried again."""


class _Contexts(NamedTuple):
    listening: ssl.SSLContext
    outgoing: tuple[ssl.SSLContext, ...]


class Tls:
    """The TLS of a running server."""

    def __init__(self, settings: Settings) -> None:
        """Refuses to start where CCM-8 can not be negotiated, or a file is not what it should be."""
        self._settings = settings
        self.now: Callable[[], float] = time.time
        """The time by which certificates are judged."""
        self.trust, self._contexts = _read(settings)
        self._stale_at = self.trust.next_change(time.time())
        self._partners: ssl.SSLContext | None = None

    def for_partners(self) -> ssl.SSLContext:
        """For the market's own port; the same for all its connections, also once files are read again."""
        if self._partners is None:
            self._partners = partner_context(_partner_files(self._settings), self.trust)
        return self._partners

    @property
    def listening(self) -> ssl.SSLContext:
        """For the next connection of a client."""
        return self._fresh().listening

    @property
    def outgoing(self) -> tuple[ssl.SSLContext, ...]:
        """For the next connection to a receiver, tried in this order."""
        return self._fresh().outgoing

    def admit(self, connection: ssl.SSLObject) -> Peer:
        """Who the peer of a connection is; BadCertificate when it is none of those we trust."""
        return admit(connection, self.trust, now=self.now())

    def reload(self) -> None:
        """Use what the files hold now, for new connections only; what can not be used changes nothing."""
        self.trust, self._contexts = _read(self._settings)
        self._stale_at = self.trust.next_change(self.now())
        if self._partners is not None:
            read_again(self._partners, _partner_files(self._settings), self.trust)

    def _fresh(self) -> _Contexts:
        """The contexts, made anew when a certificate that is trusted has ended or become valid."""
        now = self.now()
        if now >= self._stale_at:
            self._stale_at = now + AGAIN_S
            try:
                self._contexts = _contexts(self._settings, self.trust)
                self._stale_at = self.trust.next_change(now)
            except BadFile as problem:
                log.warning("an expired authority stays beside its successor for now: %s", problem)
        return self._contexts


def _read(settings: Settings) -> tuple[Trust, _Contexts]:
    tls = settings.tls
    if settings.mode == "production":
        _refuse_authority_keys(settings)
    ensure_ccm8(Files(tls.certificate, tls.key))
    # Certificates for tests never get into production.
    trust = Trust.read(tls.authorities, tls.lenient_authorities, tests=settings.mode != "production")
    return trust, _contexts(settings, trust)


def _refuse_authority_keys(settings: Settings) -> None:
    """A machine that everybody can reach must not be one that can issue certificates."""
    tls = settings.tls
    found = authority_keys((tls.certificate, tls.key, *tls.authorities, *tls.lenient_authorities))
    if found:
        raise SettingsError(
            f"{', '.join(map(str, found))}: the private key of a CA lies on the machine that serves. In production "
            "take it to another machine and remove it here; sep2 certs request is for here, sep2 certs issue for there"
        )


def _contexts(settings: Settings, trust: Trust) -> _Contexts:
    tls = settings.tls
    files = Files(tls.certificate, tls.key)
    outgoing = [client_context(files, trust, more_suites=tls.more_suites)]
    if settings.receivers.public_authorities:
        # Tried after the other: under the roots of the web only the host name says who a receiver is.
        outgoing.append(web_context(files))
    return _Contexts(server_context(files, trust, more_suites=tls.more_suites), tuple(outgoing))


def _partner_files(settings: Settings) -> Files:
    """The certificate of the market's port: its own, or that of the 2030.5 port."""
    partner, tls = settings.partner, settings.tls
    return Files(partner.certificate or tls.certificate, partner.key or tls.key)


def operator_context(operator: Operator) -> ssl.SSLContext | None:
    """TLS 1.3 of the operators' port; None where it speaks plain HTTP, on loopback."""
    if operator.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(operator.certificate, operator.key)
        for file in operator.authorities:
            context.load_verify_locations(file)
    except (OSError, ssl.SSLError) as problem:
        raise SettingsError(f"operator.certificate, key or authorities can not be used: {problem}") from None
    # Whether one is needed depends on where a request comes from, which only shows once it is there.
    context.verify_mode = ssl.CERT_OPTIONAL if operator.authorities else ssl.CERT_NONE
    return context
