"""What a client says in clear at the beginning of a TLS 1.2 handshake: its suites, and the certificate it shows.

Python's `ssl` tells neither of a handshake that failed. Whatever the octets are, reading them raises nothing.
"""

from collections.abc import Iterator
from typing import NamedTuple

from cryptography import x509

from certs.identifiers import lfdi_of
from certs.inspect import serial_of

HANDSHAKE, ALERT = 22, 21
CLIENT_HELLO, CERTIFICATE = 1, 11
_SUPPORTED_VERSIONS = 43
_CHANGE_CIPHER_SPEC = 20
"""What follows it is encrypted."""
_MOST_SUITES = 24

VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
SUITES = {
    0x002F: "RSA_AES128_SHA",
    0x0035: "RSA_AES256_SHA",
    0x009C: "RSA_AES128_GCM",
    0x009D: "RSA_AES256_GCM",
    0x00FF: "SCSV",
    0x1301: "TLS13_AES128_GCM",
    0x1302: "TLS13_AES256_GCM",
    0x1303: "TLS13_CHACHA20",
    0xC009: "ECDHE_ECDSA_AES128_SHA",
    0xC00A: "ECDHE_ECDSA_AES256_SHA",
    0xC023: "ECDHE_ECDSA_AES128_SHA256",
    0xC024: "ECDHE_ECDSA_AES256_SHA384",
    0xC02B: "ECDHE_ECDSA_AES128_GCM",
    0xC02C: "ECDHE_ECDSA_AES256_GCM",
    0xC02F: "ECDHE_RSA_AES128_GCM",
    0xC030: "ECDHE_RSA_AES256_GCM",
    0xC0AC: "ECDHE_ECDSA_AES128_CCM",
    0xC0AD: "ECDHE_ECDSA_AES256_CCM",
    0xC0AE: "ECDHE_ECDSA_AES128_CCM8",
    0xC0AF: "ECDHE_ECDSA_AES256_CCM8",
    0xCCA9: "ECDHE_ECDSA_CHACHA20",
}
"""The suites that clients of 2030.5 and their libraries offer most; others are shown as a number."""
ALERTS = {
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    100: "no_renegotiation",
    109: "missing_extension",
    116: "certificate_required",
}


class Holder(NamedTuple):
    """Who a certificate says that it belongs to; every field is empty where there is none that can be read."""

    subject: str = ""
    issuer: str = ""
    serial: str = ""
    """Of the hardware module, or of the certificate where it names none."""
    lfdi: str = ""


NOBODY = Holder()


class Opening(NamedTuple):
    """What was said before anything is encrypted."""

    version: str = ""
    """The highest that the client offers."""
    suites: tuple[str, ...] = ()
    chain: tuple[bytes, ...] = ()
    """The certificates in DER, the client's own first."""

    @property
    def holder(self) -> Holder:
        """Whom the client's certificate names."""
        return holder_of(self.chain[0]) if self.chain else NOBODY


def read_opening(said: bytes) -> Opening:
    """What the octets of a client hold, as far as they can be read."""
    version = ""
    suites: tuple[str, ...] = ()
    chain: tuple[bytes, ...] = ()
    try:
        for kind, body in _messages(_in_clear(said)):
            if kind == CLIENT_HELLO and not suites:
                version, suites = _hello(body)
            elif kind == CERTIFICATE:
                chain = tuple(_certificates(body[3:]))
    except (IndexError, ValueError):
        pass  # what came before it is told
    return Opening(version, suites, chain)


def holder_of(der: bytes) -> Holder:
    """Who this certificate is; the LFDI alone where it can not be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
        return Holder(*names, serial_of(certificate), lfdi_of(der))
    except ValueError:
        return Holder(lfdi=lfdi_of(der))


def alert_in(answer: bytes) -> int | None:
    """The number of the alert that these octets of a server end with, if they do and it is not encrypted."""
    last = answer[-7:]
    return last[6] if len(last) == 7 and last[0] == ALERT and last[3:5] == b"\x00\x02" else None


def fatal_alert(number: int) -> bytes:
    """The record of TLS 1.2 that ends a handshake for a reason, before anything is encrypted."""
    return bytes((ALERT, 3, 3, 0, 2, 2, number))


def _in_clear(said: bytes) -> bytes:
    """The handshake messages in the records up to the first encrypted one."""
    parts, at = [], 0
    while at + 5 <= len(said) and said[at] != _CHANGE_CIPHER_SPEC:
        end = at + 5 + int.from_bytes(said[at + 3 : at + 5], "big")
        if said[at] == HANDSHAKE:
            parts.append(said[at + 5 : end])
        at = end
    return b"".join(parts)


def _messages(octets: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(octets):
        end = at + 4 + int.from_bytes(octets[at + 1 : at + 4], "big")
        if end > len(octets):
            return
        yield octets[at], octets[at + 4 : end]
        at = end


def _certificates(listed: bytes) -> Iterator[bytes]:
    at = 0
    while at + 3 <= len(listed):
        end = at + 3 + int.from_bytes(listed[at : at + 3], "big")
        yield listed[at + 3 : end]
        at = end


def _hello(body: bytes) -> tuple[str, tuple[str, ...]]:
    """The highest version and the suites of a ClientHello (RFC 5246 7.4.1.2, RFC 8446 4.2.1)."""
    at = 35 + body[34]
    length = int.from_bytes(body[at : at + 2], "big")
    numbers = [int.from_bytes(body[k : k + 2], "big") for k in range(at + 2, at + 2 + length, 2)]
    names = [SUITES.get(number, f"0x{number:04X}") for number in numbers]
    more = [f"and {len(names) - _MOST_SUITES} more"] if len(names) > _MOST_SUITES else []
    version = int.from_bytes(body[:2], "big")
    at += 2 + length
    offered = [number for number in _versions(body[at + 1 + body[at] :]) if number in VERSIONS]
    version = max(offered, default=version)
    return VERSIONS.get(version, f"0x{version:04X}"), (*names[:_MOST_SUITES], *more)


def _versions(extensions: bytes) -> Iterator[int]:
    """What supported_versions names, in the block of extensions that a ClientHello may end with."""
    at = 2
    while at + 4 <= len(extensions):
        kind, length = (int.from_bytes(extensions[k : k + 2], "big") for k in (at, at + 2))
        if kind == _SUPPORTED_VERSIONS:
            listed = extensions[at + 5 : at + 4 + length]
            yield from (int.from_bytes(listed[k : k + 2], "big") for k in range(0, len(listed), 2))
        at += 4 + length
