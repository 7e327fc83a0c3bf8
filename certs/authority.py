"""Certificate authorities of the 2030.5 kind: a root (SERCA), CAs under it (MCA, MICA), and what they issue."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certs.hardware import HardwareModule
from certs.identity import Identity
from certs.profile import (
    CA_USAGE,
    DEVICE_USAGE,
    INDEFINITE,
    PEN_FOR_DOCUMENTATION,
    Policy,
    key_usage,
    policies,
)

_ALLOWED_SKEW = timedelta(minutes=5)


class Authority(Identity):
    """An identity that may sign others: a root, or a CA somewhere under it."""

    @classmethod
    def create(cls, name: str) -> Self:
        """A new root; devices that meet it must be told to trust it."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _common_name(name)
        draft = _as_authority(_draft(subject, key.public_key(), INDEFINITE), subject, key)
        return cls(draft.sign(key, hashes.SHA256()), key)

    def issue_authority(self, name: str, *, not_after: datetime = INDEFINITE) -> Self:
        """A CA under this one; in 2030.5 at most two stand between root and device."""
        key = ec.generate_private_key(ec.SECP256R1())
        draft = _as_authority(self._draft(key.public_key(), not_after), _common_name(name), key)
        return type(self)(self._sign(draft), key, self.as_issuers())

    def issue_device(
        self,
        serial: str,
        *,
        pen: int = PEN_FOR_DOCUMENTATION,
        purposes: Iterable[Policy] = (),
        not_after: datetime = INDEFINITE,
    ) -> Identity:
        """A device's identity, known by its serial number under its maker's enterprise number."""
        return self._issue_leaf(serial, (), pen=pen, purposes=purposes, not_after=not_after)

    def issue_aggregator(
        self,
        serial: str,
        *,
        pen: int = PEN_FOR_DOCUMENTATION,
        purposes: Iterable[Policy] = (),
        not_after: datetime = INDEFINITE,
    ) -> Identity:
        """An aggregator's identity: a device certificate whose purpose is to provide a service."""
        purposes = (Policy.SERVICE_PROVIDER, *purposes)
        return self.issue_device(serial, pen=pen, purposes=purposes, not_after=not_after)

    def issue_server(
        self,
        hosts: Sequence[str] = ("localhost", "127.0.0.1", "::1"),
        *,
        serial: str = "server",
        pen: int = PEN_FOR_DOCUMENTATION,
        purposes: Iterable[Policy] = (),
        not_after: datetime = INDEFINITE,
    ) -> Identity:
        """A server's identity: a device certificate that also names its hosts, for clients that compare host names."""
        # The names share the critical subjectAltName: EPRI's client refuses a certificate where it is not critical.
        purposes = (Policy.SERVICE_PROVIDER, *purposes)
        return self._issue_leaf(serial, hosts, pen=pen, purposes=purposes, not_after=not_after)

    def _issue_leaf(
        self, serial: str, hosts: Sequence[str], *, pen: int, purposes: Iterable[Policy], not_after: datetime
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        module = HardwareModule(f"1.3.6.1.4.1.{pen}.1", serial.encode())
        names = [module.general_name(), *map(host_name, hosts)]
        made = self.certify(key.public_key(), names, purposes=purposes, not_after=not_after)
        return Identity(made, key, self.as_issuers())

    def certify(
        self,
        key: ec.EllipticCurvePublicKey,
        names: Iterable[x509.GeneralName],
        *,
        purposes: Iterable[Policy] = (),
        not_after: datetime = INDEFINITE,
    ) -> x509.Certificate:
        """The certificate of a key that somebody else holds; `names` begin with the hardware module."""
        draft = (
            self._draft(key, not_after)
            .subject_name(x509.Name([]))
            .add_extension(key_usage(DEVICE_USAGE), critical=True)
            .add_extension(policies(Policy.GENERIC_DEVICE, *purposes), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
        )
        return self._sign(draft)

    def _draft(self, key: ec.EllipticCurvePublicKey, not_after: datetime) -> x509.CertificateBuilder:
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        named = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
        return _draft(self.certificate.subject, key, not_after).add_extension(named, critical=False)

    def _sign(self, draft: x509.CertificateBuilder) -> x509.Certificate:
        return draft.sign(self.key, hashes.SHA256())

    def as_issuers(self) -> tuple[x509.Certificate, ...]:
        """What an identity that it issues sends behind its own certificate: this CA and those above, no root."""
        is_root = self.certificate.issuer == self.certificate.subject
        return () if is_root else (self.certificate, *self.issuers)


def _draft(issuer: x509.Name, key: ec.EllipticCurvePublicKey, not_after: datetime) -> x509.CertificateBuilder:
    now = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .issuer_name(issuer)
        .public_key(key)
        .not_valid_before(min(now, not_after) - _ALLOWED_SKEW)
        .not_valid_after(not_after)
    )


def _as_authority(
    draft: x509.CertificateBuilder, subject: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    # pathLen stays absent: some verifiers insist on it, and none that we know asks for it.
    return (
        draft.subject_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage(CA_USAGE), critical=True)
        .add_extension(policies(Policy.ANY), critical=True)
        .add_extension(_key_id(key), critical=False)
    )


def _key_id(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    """Eight octets: 0100 and the last 60 bits of the key's SHA-1 (RFC 5280 4.2.1.2, second method)."""
    last = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest[-8:]
    return x509.SubjectKeyIdentifier(bytes((0x40 | last[0] & 0x0F, *last[1:])))


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def host_name(host: str) -> x509.GeneralName:
    """An entry of a subjectAltName: an address, or a name."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
