"""Certificates for keys that others hold: a request comes in, a certificate goes out."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.authority import Authority
from certs.errors import AlreadyThere, BadSigningRequest
from certs.identifiers import lfdi_of, sfdi_of
from certs.identity import pem, write
from certs.inspect import serial_of
from certs.kinds import Kind
from certs.profile import Policy
from certs.requests import read_request


@dataclass(frozen=True)
class Issued:
    """A certificate whose key is elsewhere; `issuers` leads towards the root, which is not part of it."""

    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]

    @cached_property
    def lfdi(self) -> str:
        """The long identifier that this certificate proves."""
        return lfdi_of(self.certificate.public_bytes(Encoding.DER))

    @property
    def sfdi(self) -> int:
        """The short identifier that this certificate proves."""
        return sfdi_of(self.lfdi)

    @property
    def serial(self) -> str:
        """The serial number of the hardware module."""
        return serial_of(self.certificate)

    def save(self, file: Path, *, replace: bool = False) -> Path:
        """Write the certificate and its issuers; an existing file stays unless `replace`."""
        if file.exists() and not replace:
            raise AlreadyThere(str(file))
        write(file, pem(self.certificate, *self.issuers))
        return file


def certify(issuer: Authority, file: Path, kind: Kind, *, purposes: Iterable[Policy] = ()) -> Issued:
    """The certificate that a request asks for; hosts are a server's only, and a server has some."""
    asked = read_request(file)
    if bool(asked.hosts) != (kind is Kind.SERVER):
        has = f"{len(asked.hosts)} host names" if asked.hosts else "no host name"
        raise BadSigningRequest(f"{file}: it has {has}; is it for a server (--as server)?")
    provides = () if kind is Kind.DEVICE else (Policy.SERVICE_PROVIDER,)
    names = [asked.module.general_name(), *asked.hosts]
    return Issued(issuer.certify(asked.key, names, purposes=(*provides, *purposes)), issuer.as_issuers())
