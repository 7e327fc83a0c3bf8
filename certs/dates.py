"""When certificates end, and which of several are in the place of others."""

from collections.abc import Iterable
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Dated(NamedTuple):
    """What a certificate is called, and when it ends, epoch seconds; `serial` is its number in hexadecimal digits."""

    name: str
    not_after: int
    serial: str


def dated(certificate: x509.Certificate) -> Dated:
    """The dates of a certificate; one without a subject, as devices of 2030.5 have, is called by its number."""
    serial = f"{certificate.serial_number:X}"
    try:
        subject = certificate.subject.rfc4514_string()
    except ValueError:
        subject = ""
    return Dated(subject or serial, int(certificate.not_valid_after_utc.timestamp()), serial)


def in_force(certificates: Iterable[x509.Certificate]) -> list[Dated]:
    """Of certificates with the same subject and key the one that ends last: it has taken the place of the others."""
    latest: dict[tuple[bytes, bytes], Dated] = {}
    for certificate in certificates:
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        who = certificate.subject.public_bytes(), key
        found = dated(certificate)
        if who not in latest or latest[who].not_after < found.not_after:
            latest[who] = found
    return list(latest.values())
