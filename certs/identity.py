"""An identity: a certificate, its private key, and the CAs between it and the root."""

import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from certs.errors import AlreadyThere, BadFile
from certs.identifiers import lfdi_of, sfdi_of


class Files(NamedTuple):
    """Where an identity lies on disk, as TLS contexts want it: the chain from the leaf on, and the private key."""

    chain: Path
    key: Path

    @classmethod
    def named(cls, folder: Path, name: str) -> Self:
        """The files that `Identity.save(folder, name)` writes."""
        return cls(folder / f"{name}.pem", folder / f"{name}.key")


@dataclass(frozen=True)
class Identity:
    """A certificate with its private key; `issuers` leads towards the root, which is not part of it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    issuers: tuple[x509.Certificate, ...] = ()

    @cached_property
    def certificate_der(self) -> bytes:
        """The octets whose hash is the LFDI."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """What is sent in a handshake: the certificate and its issuers, without the root (2030.5 6.11)."""
        return pem(self.certificate, *self.issuers)

    @property
    def key_pem(self) -> bytes:
        """The private key, not encrypted: keep it in a file only its owner can read."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @cached_property
    def lfdi(self) -> str:
        """The long identifier that this certificate proves."""
        return lfdi_of(self.certificate_der)

    @property
    def sfdi(self) -> int:
        """The short identifier that this certificate proves."""
        return sfdi_of(self.lfdi)

    def save(self, folder: Path, name: str, *, replace: bool = False) -> Files:
        """Write `name.pem` (the chain) and `name.key` (for its owner only); existing files stay unless `replace`."""
        folder.mkdir(parents=True, exist_ok=True)
        files = Files.named(folder, name)
        if not replace and (there := [str(file) for file in files if file.exists()]):
            raise AlreadyThere(", ".join(there))
        write(files.key, self.key_pem, mode=0o600)
        write(files.chain, self.chain_pem)
        return files

    @classmethod
    def load(cls, files: Files) -> Self:
        """The identity that lies in these files."""
        certificate, *issuers = read_certificates(files.chain)
        key = _read_key(files.key)
        if key.public_key() != certificate.public_key():
            raise BadFile(f"{files.key} is not the key of {files.chain}")
        return cls(certificate, key, tuple(issuers))


def pem(*certificates: x509.Certificate) -> bytes:
    """The certificates as one PEM text."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def read_certificates(file: Path) -> list[x509.Certificate]:
    """Every certificate in a PEM or DER file, at least one."""
    try:
        data = file.read_bytes()
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except (OSError, ValueError) as problem:
        raise BadFile(f"{file}: {problem}") from None


def write(file: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` in place at once, so that a reader meets the old file or the new one, never half of it."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(data)
    draft.replace(file)


def _read_key(file: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as problem:
        raise BadFile(f"{file}: {problem}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadFile(f"{file} is not an elliptic-curve key")
    return key
