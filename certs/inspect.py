"""A certificate explained: the numbers it gives, who issued it, and where it departs from the profile."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certs.check import Finding, certificate_findings, is_authority, is_self_signed
from certs.hardware import HardwareModule
from certs.identifiers import lfdi_of, sfdi_of
from certs.identity import read_certificates
from certs.profile import policy_name
from certs.rules import find, hardware_names
from certs.strictness import Strictness


@dataclass(frozen=True, slots=True)
class Report:
    """What one certificate says."""

    kind: str
    """device, server, authority or root."""
    lfdi: str
    sfdi: int
    subject: str
    issuer: str
    not_before: str
    not_after: str
    key: str
    signature: str
    product: str
    """The hardware module's type, an OID under its maker's number."""
    serial: str
    """The hardware module's serial number."""
    hosts: tuple[str, ...]
    policies: tuple[str, ...]
    findings: tuple[Finding, ...]

    def refused(self, strictness: Strictness) -> bool:
        """Whether the certificate by itself is turned away; its path is looked at in the handshake."""
        return any(finding.refuses(strictness) for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        findings = [{"gravity": finding.gravity.name.lower(), "text": finding.text} for finding in self.findings]
        accepted = {strictness.value: not self.refused(strictness) for strictness in Strictness}
        return asdict(self) | {"findings": findings, "accepted": accepted}


def read(file: Path, *, now: float | None = None) -> list[Report]:
    """A report on each certificate of a PEM or DER file, in its order."""
    return [report(certificate, now=now) for certificate in read_certificates(file)]


def report(certificate: x509.Certificate, *, now: float | None = None) -> Report:
    """What a certificate says, and how it would fare at `now`, the machine's time unless given."""
    findings = certificate_findings(certificate, time.time() if now is None else now)
    extensions = _readable_extensions(certificate)
    module, hosts = _module(extensions), _hosts(extensions)
    lfdi = lfdi_of(certificate.public_bytes(Encoding.DER))
    return Report(
        kind=_kind(certificate, hosts),
        lfdi=lfdi,
        sfdi=sfdi_of(lfdi),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc.isoformat(),
        not_after=certificate.not_valid_after_utc.isoformat(),
        key=_key(certificate),
        signature=certificate.signature_algorithm_oid._name,
        product=module.product if module else "",
        serial=module.serial_text if module else "",
        hosts=hosts,
        policies=_policies(extensions),
        findings=tuple(findings),
    )


def serial_of(certificate: x509.Certificate) -> str:
    """The serial number of the hardware module, or that of the certificate in hexadecimal where it names none."""
    module = _module(_readable_extensions(certificate))
    return module.serial_text if module else f"{certificate.serial_number:X}"


def _readable_extensions(certificate: x509.Certificate) -> x509.Extensions:
    try:
        return certificate.extensions
    except (ValueError, x509.DuplicateExtension):
        return x509.Extensions([])  # the findings say that they can not be read


def _kind(certificate: x509.Certificate, hosts: tuple[str, ...]) -> str:
    if not is_authority(certificate):
        return "server" if hosts else "device"
    return "root" if is_self_signed(certificate) else "authority"


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name
    size = getattr(key, "key_size", "")
    return f"{type(key).__name__.removesuffix('PublicKey').strip('_')} {size}".strip()


def _module(extensions: x509.Extensions) -> HardwareModule | None:
    for name in hardware_names(extensions):
        try:
            return HardwareModule.decode(name.value)
        except ValueError:
            continue
    return None


def _hosts(extensions: x509.Extensions) -> tuple[str, ...]:
    names = find(extensions, x509.SubjectAlternativeName)
    if names is None:
        return ()
    addresses = map(str, names.value.get_values_for_type(x509.IPAddress))
    return (*names.value.get_values_for_type(x509.DNSName), *addresses)


def _policies(extensions: x509.Extensions) -> tuple[str, ...]:
    found = find(extensions, x509.CertificatePolicies)
    return tuple(policy_name(policy.policy_identifier.dotted_string) for policy in found.value) if found else ()
