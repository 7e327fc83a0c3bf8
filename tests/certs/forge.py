"""Certificates as they should not be: a device's or a CA's, with parts taken away, added or made differently."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certs.authority import Authority, _key_id
from certs.hardware import HardwareModule
from certs.identity import Identity
from certs.profile import CA_USAGE, DEVICE_USAGE, INDEFINITE, Policy, key_usage, policies

NO_NAME = x509.Name([])
PAST = datetime(2020, 1, 1, tzinfo=UTC)


def named(text):
    return x509.Name.from_rfc4514_string(f"CN={text}")


def device_parts():
    """The extensions of a device by name, each with its criticality."""
    module = HardwareModule("1.3.6.1.4.1.32473.1", b"F-1").general_name()
    return {
        "usage": (key_usage(DEVICE_USAGE), True),
        "policies": (policies(Policy.GENERIC_DEVICE), True),
        "names": (x509.SubjectAlternativeName([module]), True),
    }


def authority_parts(key):
    return {
        "basic": (x509.BasicConstraints(ca=True, path_length=None), True),
        "usage": (key_usage(CA_USAGE), True),
        "policies": (policies(Policy.ANY), True),
        "own": (_key_id(key), False),
    }


def forge(issuer, *, as_ca=False, key=None, subject=NO_NAME, issuer_name=None, digest=None, dates=None, **changes):
    """An identity that `issuer` signs, or itself when there is none; each change replaces a part, None removes it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    parts = authority_parts(key) if as_ca else device_parts()
    if issuer:
        own = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        parts["signer"] = (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), False)
    parts |= changes
    start, end = dates or (datetime.now(UTC) - timedelta(hours=1), INDEFINITE)
    draft = x509.CertificateBuilder(
        issuer_name=issuer_name or (issuer.certificate.subject if issuer else subject),
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=start.replace(tzinfo=None),
        not_valid_after=end.replace(tzinfo=None),
    )
    for part in parts.values():
        if part is not None:
            draft = draft.add_extension(part[0], critical=part[1])
    certificate = draft.sign(issuer.key if issuer else key, digest or hashes.SHA256())
    kind = Authority if as_ca else Identity
    return kind(certificate, key, issuer.as_issuers() if issuer else ())


def unknown(oid, value=b"\x05\x00"):
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)


# SEQUENCE { SEQUENCE { generic device, anyPolicy } }: the builder has no class for it.
POLICY_MAPPINGS = unknown("2.5.29.33", bytes.fromhex("301430120 60a2b0601040182be1c010106 04551d2000".replace(" ", "")))
