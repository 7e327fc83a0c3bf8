"""The 2030.5 certificate profile as numbers: policies, key usages, the indefinite date (2030.5 6.11)."""

from datetime import UTC, datetime
from enum import StrEnum

from cryptography import x509

INDEFINITE = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The notAfter of a certificate that does not expire (RFC 5280 4.1.2.5)."""

CA_KEY_ID_OCTETS = 8
"""A CA's subjectKeyIdentifier is the short form of RFC 5280 4.2.1.2: 0100 and the last 60 bits of a SHA-1."""

PEN_FOR_DOCUMENTATION = 32473
"""The private enterprise number that examples use (RFC 5612)."""


class Policy(StrEnum):
    """Certificate policies under the arc of 2030.5: what kind of device, and what for."""

    ANY = "2.5.29.32.0"
    GENERIC_DEVICE = "1.3.6.1.4.1.40732.1.1"
    MOBILE_DEVICE = "1.3.6.1.4.1.40732.1.2"
    POST_MANUFACTURE_DEVICE = "1.3.6.1.4.1.40732.1.3"
    TEST = "1.3.6.1.4.1.40732.2.1"
    SELF_SIGNED = "1.3.6.1.4.1.40732.2.2"
    SERVICE_PROVIDER = "1.3.6.1.4.1.40732.2.3"
    BULK_ISSUED = "1.3.6.1.4.1.40732.2.4"


DEVICE_TYPES = frozenset({Policy.GENERIC_DEVICE, Policy.MOBILE_DEVICE, Policy.POST_MANUFACTURE_DEVICE})
DEVICE_USAGE = frozenset({"digital_signature", "key_agreement"})
CA_USAGE = frozenset({"key_cert_sign", "crl_sign"})

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)


def key_usage(names: frozenset[str]) -> x509.KeyUsage:
    """The keyUsage extension with exactly these bits."""
    return x509.KeyUsage(**{name: name in names for name in _USAGES}, encipher_only=False, decipher_only=False)


def usage_names(usage: x509.KeyUsage) -> frozenset[str]:
    """The bits that a keyUsage extension sets; the two that qualify keyAgreement are left out."""
    return frozenset(name for name in _USAGES if getattr(usage, name))


def policies(*names: Policy) -> x509.CertificatePolicies:
    """The certificatePolicies extension that asserts these."""
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(name), None) for name in names])


def policy_name(dotted: str) -> str:
    """A policy's plain name, or its number when it is none of 2030.5."""
    try:
        return Policy(dotted).name.lower().replace("_", " ")
    except ValueError:
        return dotted
