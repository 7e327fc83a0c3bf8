"""Ed25519 keys, each for one purpose, in a file of its own with a certificate; made where it is missing."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from sep2.errors import Conflict
from sep2.rules.market.packs import Signer

Purpose = Literal["evidence", "messages"]
LASTS = timedelta(days=20 * 365)


class SigningKey(Conflict):
    """The key that signs evidence, or messages, can not be used."""


def signer(file: Path, who: str, purpose: Purpose, now: int) -> Signer:
    """The key in a file and its certificate; both are made where there is no such file."""
    if not file.exists():
        _make(file, who, purpose, now)
    try:
        text = file.read_bytes()
        key, certificate = load_pem_private_key(text, None), x509.load_pem_x509_certificate(text)
    except (OSError, ValueError, TypeError) as wrong:
        raise SigningKey(_why(file, wrong)) from None
    if not isinstance(key, Ed25519PrivateKey) or key.public_key() != certificate.public_key():
        raise SigningKey(f"{file.name}: it has to hold an Ed25519 key and its certificate")
    return Signer(key, certificate)


def _make(file: Path, who: str, purpose: Purpose, now: int) -> None:
    key = Ed25519PrivateKey.generate()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"{purpose.capitalize()} of {who}"[:64]),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, purpose),
        ]
    )
    draft = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    begins = datetime.fromtimestamp(now, UTC)
    draft = draft.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(begins + LASTS)
    certificate = draft.sign(key, None)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Whoever was first made it: another server of the same folder uses that.
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "wb") as made:
            made.write(private + certificate.public_bytes(Encoding.PEM))
    except FileExistsError:
        return
    except OSError as wrong:
        raise SigningKey(_why(file, wrong)) from None


def _why(file: Path, wrong: Exception) -> str:
    """What is wrong with a file, without its folder: parties of the market read it, too."""
    return f"{file.name}: {wrong.strerror if isinstance(wrong, OSError) else wrong}"
