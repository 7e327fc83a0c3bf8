"""Seals of the audit log: its head signed with the server's key, so that who writes it anew as a whole is found out."""

import base64
import binascii
import logging
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from sqlalchemy import Row

from sep2.rules.chain import sealed
from sep2.rules.told_times import told
from sep2.settings.fields import Tls
from sep2.store.audits import Head

log = logging.getLogger("sep2.audit")


class Seal(NamedTuple):
    """A signature, base64, and the certificate of the key that made it, PEM."""

    signature: str
    certificate: str


class Sealer:
    """Signs with the key of the server's port, and checks what was signed with it or with one that it had before."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls

    def seal(self, at: int, head: Head) -> Seal | None:
        """The head, signed now; None where the key can not sign."""
        try:
            key = load_pem_private_key(self._tls.key.read_bytes(), password=None)
            own = _read(self._tls.certificate)[0]
        except (OSError, ValueError, TypeError, IndexError) as problem:
            log.warning("the head of the audit log can not be signed: %s", problem)
            return None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            log.warning("the head of the audit log is not signed: the server's key is not of an elliptic curve")
            return None
        signature = key.sign(sealed(at, *head), ec.ECDSA(SHA256()))
        return Seal(base64.b64encode(signature).decode(), own.public_bytes(Encoding.PEM).decode())

    def problem(self, row: Row[Any], hash_there: str | None) -> str:
        """What is wrong with a seal whose row has that hash now; empty where nothing is."""
        if hash_there != row.hash:
            return f"it was signed with another hash at {told(row.at)}"
        try:
            certificate = x509.load_pem_x509_certificate(row.certificate.encode())
            key, signature = certificate.public_key(), base64.b64decode(row.signature, validate=True)
            assert isinstance(key, ec.EllipticCurvePublicKey)
            key.verify(signature, sealed(row.at, row.audit_id, row.hash), ec.ECDSA(SHA256()))
        except (ValueError, AssertionError, InvalidSignature, binascii.Error):
            return f"its signature of {told(row.at)} is not good"
        if self._is_ours(certificate):
            return ""
        return f"it was signed at {told(row.at)} with a key that is not the server's"

    def _is_ours(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate is the server's, or was issued by who issued that."""
        chain = _read(self._tls.certificate)
        if certificate in chain[:1]:
            return True
        for issuer in [*chain[1:], *(one for file in self._tls.authorities for one in _read(file))]:
            try:
                certificate.verify_directly_issued_by(issuer)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return True
        return False


def _read(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return []
