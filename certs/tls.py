"""TLS contexts as 2030.5 wants them (6.7), and what a handshake proved about the peer."""

import ssl
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from certs.errors import BadCertificate, BadFile, NoCcm8, UnknownSuite
from certs.identity import Files
from certs.trust import Peer, Trust

CCM8 = "ECDHE-ECDSA-AES128-CCM8"


def server_context(files: Files, trust: Trust, *, more_suites: Sequence[str] = ()) -> ssl.SSLContext:
    """What a server listens with: the client must show a certificate that leads to an anchor of `trust`.

    `more_suites` come after CCM-8, for field clients that lack it: ECDHE-ECDSA-AES128-GCM-SHA256 and the like.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, more_suites)
    context.verify_mode = ssl.CERT_REQUIRED
    # Sessions are kept here, not in tickets: a ticket would bring back the peer's leaf without the CAs it sent,
    # and its key is never renewed. A session costs about 11 kB, and OpenSSL keeps 20,480 at most, for two hours.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_TICKET
    return _load(context, files, trust)


def partner_context(files: Files, trust: Trust) -> ssl.SSLContext:
    """What a server for ordinary HTTP clients listens with: TLS 1.2 or 1.3, clients' certificates as for 2030.5."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    # A ticket would bring back the peer's leaf without the CAs that it sent.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    return _load(context, files, trust)


def read_again(context: ssl.SSLContext, files: Files, trust: Trust) -> None:
    """Have new connections of a context use what the files hold now; who is let in, `admit` says."""
    _load(context, files, trust)


def client_context(
    files: Files,
    trust: Trust,
    *,
    more_suites: Sequence[str] = (),
    check_hostname: bool = False,
    met: Callable[[Peer], None] = lambda _: None,
) -> ssl.SSLContext:
    """What a client connects with; a server that `trust` does not admit fails in the handshake, `met` hears of others.

    Certificates of 2030.5 name no hosts, so host names are compared on request only.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, more_suites)
    context.check_hostname = check_hostname
    context.sslobject_class, context.sslsocket_class = _looking(trust, met)
    return _load(context, files, trust)


def web_context(files: Files) -> ssl.SSLContext:
    """What connects to a server outside the 2030.5 hierarchy, under the roots of this machine; host names count."""
    context = ssl.create_default_context()
    _use(context, files)
    return context


def peer_chain(connection: ssl.SSLObject | ssl.SSLSocket) -> list[bytes]:
    """The peer's certificates in DER, leaf first: the verified path, or after a resumption what is left of it."""
    # A server that resumes still has what the client once sent; a client that resumes has the leaf alone.
    sent = _chain(connection, "get_verified_chain") or _chain(connection, "get_unverified_chain")
    if sent:
        return sent
    leaf = connection.getpeercert(binary_form=True)
    return [leaf] if leaf else []


def admit(connection: ssl.SSLObject | ssl.SSLSocket, trust: Trust, *, now: float | None = None) -> Peer:
    """Who the peer of a finished handshake is; BadCertificate when OpenSSL accepted it and we do not.

    now: epoch seconds at which the certificates are judged; None: the machine's time.
    """
    # OpenSSL has verified one path; others may lead through what else the peer sent.
    chain = dict.fromkeys((*peer_chain(connection), *_chain(connection, "get_unverified_chain")))
    return trust.admit(list(chain), now=now)


def ensure_ccm8(files: Files) -> None:
    """Shake hands with ourselves over CCM-8, with this identity; NoCcm8 says why it does not work."""
    try:
        server, client = (_context(side) for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
        _use(server, files)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        suite = _shake_hands(server, client)
    except (ssl.SSLError, UnknownSuite) as problem:
        raise NoCcm8(f"{ssl.OPENSSL_VERSION} with {files.chain}: {problem}") from problem
    if suite != CCM8:
        raise NoCcm8(f"{ssl.OPENSSL_VERSION} agreed on {suite}")


def _context(side: int, more_suites: Sequence[str] = ()) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    # OpenSSL 3 clients would take TLS 1.3 and with it a suite that is none of 2030.5.
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ecdh_curve("prime256v1")
    # OpenSSL 3.2 moved suites with a 64-bit tag to level 0. What else that level lets through, `check` refuses.
    level = ("@SECLEVEL=0",) if ssl.OPENSSL_VERSION_INFO >= (3, 2) else ()
    context.set_ciphers(":".join((CCM8, *more_suites, *level)))
    # OpenSSL passes over names that it does not know.
    if missing := {CCM8, *more_suites} - {suite["name"] for suite in context.get_ciphers()}:
        raise UnknownSuite(", ".join(sorted(missing)))
    return context


def _looking(trust: Trust, met: Callable[[Peer], None]) -> tuple[type[ssl.SSLObject], type[ssl.SSLSocket]]:
    """Connections whose handshake includes our own look at the peer, with and without a socket of their own."""

    def look(connection: ssl.SSLObject | ssl.SSLSocket) -> None:
        try:
            met(admit(connection, trust))
        except BadCertificate as bad:
            refusal = ssl.SSLCertVerificationError(1, str(bad))
            refusal.reason, refusal.verify_message = "CERTIFICATE_VERIFY_FAILED", bad.detail
            raise refusal from None

    class LookingObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            look(self)

    class LookingSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            look(self)

    return LookingObject, LookingSocket


def _load(context: ssl.SSLContext, files: Files, trust: Trust) -> ssl.SSLContext:
    _use(context, files)
    context.load_verify_locations(cadata=trust.pem_at(time.time()))
    return context


def _use(context: ssl.SSLContext, files: Files) -> None:
    try:
        context.load_cert_chain(*files)
    except OSError as problem:  # an SSLError is one too
        raise BadFile(f"{files.chain} with {files.key}: {problem}") from None


def _chain(connection: ssl.SSLObject | ssl.SSLSocket, method: str) -> list[bytes]:
    if sys.version_info >= (3, 13):
        return list(getattr(connection, method)())
    # Before 3.13 the chain is known to the private object only.
    private: Any = connection._sslobj  # type: ignore[union-attr]
    certificates: Callable[[], list[Any] | None] = getattr(private, method)
    return [_der(certificate) for certificate in certificates() or ()]


def _der(certificate: Any) -> bytes:
    import _ssl

    octets: bytes = certificate.public_bytes(_ssl.ENCODING_DER)
    return octets


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """The suite that the two agree on, without a socket between them."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    waiting = list(ends)
    for _flight in range(8):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    suite = ends[0].cipher()
    return suite[0] if suite else "nothing"
