"""The rules of the profile for one certificate (2030.5 6.11); each says what it found and how much it matters."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import IntEnum
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID as Oid
from cryptography.x509.oid import SignatureAlgorithmOID

from certs.hardware import HARDWARE_MODULE_NAME, HardwareModule
from certs.profile import (
    CA_KEY_ID_OCTETS,
    CA_USAGE,
    DEVICE_TYPES,
    DEVICE_USAGE,
    INDEFINITE,
    Policy,
    usage_names,
)


class Gravity(IntEnum):
    """What a finding leads to."""

    NOTE = 0
    """Nothing; a person may want to know."""
    FORM = 1
    """Refusal under a strict trust anchor: the certificate is sound, but not of the profile's form."""
    GRAVE = 2
    """Refusal, always."""


NOTE, FORM, GRAVE = Gravity.NOTE, Gravity.FORM, Gravity.GRAVE
Told = Iterator[tuple[Gravity, str]]
Extension = TypeVar("Extension", bound=x509.ExtensionType)

EXPIRED = "it expired on"
"""How a finding begins that says so."""

_FORBIDDEN = {
    Oid.NAME_CONSTRAINTS: "nameConstraints",
    Oid.POLICY_MAPPINGS: "policyMappings",
    Oid.POLICY_CONSTRAINTS: "policyConstraints",
}
_MAY_BE_CRITICAL = {Oid.BASIC_CONSTRAINTS, Oid.KEY_USAGE, Oid.CERTIFICATE_POLICIES, Oid.SUBJECT_ALTERNATIVE_NAME}
_KEY_IDENTIFIERS = {
    Oid.AUTHORITY_KEY_IDENTIFIER: "authorityKeyIdentifier",
    Oid.SUBJECT_KEY_IDENTIFIER: "subjectKeyIdentifier",
}
_STRONG_SIGNATURES = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA384,
    SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    SignatureAlgorithmOID.RSA_WITH_SHA256,
    SignatureAlgorithmOID.RSA_WITH_SHA384,
    SignatureAlgorithmOID.RSA_WITH_SHA512,
}


def departures(certificate: x509.Certificate, now: float, *, is_leaf: bool) -> Told:
    """Where one certificate departs from the profile, at `now` in epoch seconds."""
    try:
        yield from _signature(certificate)
        yield from _key(certificate, is_leaf=is_leaf)
        yield from _dates(certificate, now)
        yield from _extensions(certificate.extensions)
        yield from _policies(certificate.extensions, is_leaf=is_leaf)
        yield from (_leaf if is_leaf else _authority)(certificate)
    except (ValueError, x509.DuplicateExtension) as problem:
        yield GRAVE, f"it can not be read: {problem}"


def find(extensions: x509.Extensions, kind: type[Extension]) -> x509.Extension[Extension] | None:
    """The extension of this kind, if there is one."""
    try:
        return extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def hardware_names(extensions: x509.Extensions) -> list[x509.OtherName]:
    """The hardwareModuleName entries of the subjectAltName."""
    names = find(extensions, x509.SubjectAlternativeName)
    others = names.value.get_values_for_type(x509.OtherName) if names else []
    return [name for name in others if name.type_id == HARDWARE_MODULE_NAME]


def is_for_tests(certificate: x509.Certificate) -> bool:
    """Whether a certificate that can be read asserts the policy for tests."""
    found = find(certificate.extensions, x509.CertificatePolicies)
    return found is not None and Policy.TEST in _asserted(found.value)


def _signature(certificate: x509.Certificate) -> Told:
    # Security level 0, which CCM-8 needs on newer OpenSSL, lets SHA-1 pass there: it must not pass here.
    algorithm = certificate.signature_algorithm_oid
    if algorithm != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        gravity = FORM if algorithm in _STRONG_SIGNATURES else GRAVE
        yield gravity, f"it is signed with {algorithm._name}, not ecdsa-with-SHA256"


def _key(certificate: x509.Certificate, *, is_leaf: bool) -> Told:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return
    match key:
        case ec.EllipticCurvePublicKey():
            kind, is_strong = key.curve.name, key.curve.key_size > 256
        case rsa.RSAPublicKey():
            kind, is_strong = f"RSA-{key.key_size}", key.key_size >= 2048
        case _:
            kind, is_strong = type(key).__name__, False
    yield FORM if is_strong and not is_leaf else GRAVE, f"its key is {kind}, not P-256"


def _dates(certificate: x509.Certificate, now: float) -> Told:
    at = datetime.fromtimestamp(now, UTC)
    if certificate.not_valid_before_utc > at:
        yield GRAVE, f"it is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S}Z"
    if certificate.not_valid_after_utc < at:
        yield GRAVE, f"{EXPIRED} {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S}Z"
    elif certificate.not_valid_after_utc != INDEFINITE:
        yield NOTE, f"it expires on {certificate.not_valid_after_utc:%Y-%m-%d}"


def _extensions(extensions: x509.Extensions) -> Told:
    for extension in extensions:
        if extension.oid in _FORBIDDEN:
            yield GRAVE, f"it has {_FORBIDDEN[extension.oid]}, which 2030.5 forbids"
        elif extension.critical and extension.oid in _KEY_IDENTIFIERS:
            yield FORM, f"{_KEY_IDENTIFIERS[extension.oid]} is critical"
        elif extension.critical and extension.oid not in _MAY_BE_CRITICAL:
            yield GRAVE, f"it has the critical extension {extension.oid._name} ({extension.oid.dotted_string})"
        elif extension.oid == Oid.EXTENDED_KEY_USAGE:
            yield FORM, "it has an extendedKeyUsage"


def _policies(extensions: x509.Extensions, *, is_leaf: bool) -> Told:
    found = find(extensions, x509.CertificatePolicies)
    if found is None:
        yield FORM, "it has no certificatePolicies"
        return
    if not found.critical:
        yield FORM, "certificatePolicies is not critical"
    asserted = _asserted(found.value)
    if is_leaf and len(asserted & DEVICE_TYPES) != 1:
        yield FORM, f"its policies name {len(asserted & DEVICE_TYPES)} device types of 2030.5, not one"
    if Policy.TEST in asserted:
        yield NOTE, "it is for tests"


def _asserted(found: x509.CertificatePolicies) -> set[str]:
    return {policy.policy_identifier.dotted_string for policy in found}


def _authority(certificate: x509.Certificate) -> Told:
    basic = find(certificate.extensions, x509.BasicConstraints)
    if basic is None or not basic.value.ca:
        yield GRAVE, "it is not a CA's certificate"
    elif not basic.critical:
        yield FORM, "basicConstraints is not critical"
    yield from _usage(certificate.extensions, CA_USAGE, "key_cert_sign")
    if not list(certificate.subject):
        yield FORM, "the subject is empty"
    own = find(certificate.extensions, x509.SubjectKeyIdentifier)
    if own is None:
        yield FORM, "it has no subjectKeyIdentifier"
    elif len(own.value.digest) != CA_KEY_ID_OCTETS:
        yield FORM, f"its subjectKeyIdentifier has {len(own.value.digest)} octets, not {CA_KEY_ID_OCTETS}"
    if certificate.issuer != certificate.subject:
        yield from _names_issuer(certificate.extensions)


def _leaf(certificate: x509.Certificate) -> Told:
    basic = find(certificate.extensions, x509.BasicConstraints)
    if basic is not None:
        yield (GRAVE, "it is a CA's certificate") if basic.value.ca else (FORM, "it has basicConstraints")
    yield from _usage(certificate.extensions, DEVICE_USAGE, "digital_signature")
    if list(certificate.subject):
        yield FORM, f"the subject is not empty: {certificate.subject.rfc4514_string()}"
    yield from _names_issuer(certificate.extensions)
    yield from _hardware(certificate.extensions)


def _names_issuer(extensions: x509.Extensions) -> Told:
    if find(extensions, x509.AuthorityKeyIdentifier) is None:
        yield FORM, "it has no authorityKeyIdentifier"


def _usage(extensions: x509.Extensions, wanted: frozenset[str], needed: str) -> Told:
    usage = find(extensions, x509.KeyUsage)
    if usage is None:
        yield FORM, "it has no keyUsage"
        return
    names = usage_names(usage.value)
    if needed not in names:
        yield GRAVE, f"keyUsage lacks {needed}"
    elif names != wanted:
        yield FORM, f"keyUsage is {', '.join(sorted(names))}, not {', '.join(sorted(wanted))}"
    if not usage.critical:
        yield FORM, "keyUsage is not critical"


def _hardware(extensions: x509.Extensions) -> Told:
    names = find(extensions, x509.SubjectAlternativeName)
    if names is None:
        yield FORM, "it has no subjectAltName"
        return
    if not names.critical:
        yield FORM, "subjectAltName is not critical"
    modules = hardware_names(extensions)
    if len(modules) != 1:
        yield FORM, f"subjectAltName has {len(modules)} hardwareModuleNames, not one"
    for module in modules:
        try:
            HardwareModule.decode(module.value)
        except ValueError as problem:
            yield FORM, str(problem)
    if len(list(names.value)) > len(modules):
        yield NOTE, "subjectAltName holds other names too, as a server's does"
