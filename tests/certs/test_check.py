"""Each rule of the profile: what it says, and whether it refuses leniently, strictly or never."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.authority import Authority
from certs.check import check_chain
from certs.errors import BadCertificate
from certs.hardware import HARDWARE_MODULE_NAME
from certs.profile import INDEFINITE, Policy, key_usage, policies
from certs.strictness import Strictness
from tests.certs.forge import PAST, POLICY_MAPPINGS, forge, named, unknown

CLIENT_AUTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
SUBTREE = x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.org")], excluded_subtrees=None)
LONG_KEY_ID = (x509.SubjectKeyIdentifier(bytes(20)), False)


def ders(*identities):
    return [identity.certificate_der for identity in identities]


def refusal(chain, strictness, **options):
    """Why a path is refused, or nothing."""
    try:
        check_chain(chain, strictness, **options)
    except BadCertificate as refused:
        return refused.detail
    return ""


def names(*entries):
    return x509.SubjectAlternativeName(entries)


def module(value):
    return x509.OtherName(HARDWARE_MODULE_NAME, value)


ALWAYS = [
    ("key is secp384r1, not P-256", {"key": ec.generate_private_key(ec.SECP384R1())}),
    ("key is RSA-2048", {"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)}),
    ("key is Ed25519", {"key": ed25519.Ed25519PrivateKey.generate()}),
    ("nameConstraints", {"more": (SUBTREE, False)}),
    ("policyMappings", {"more": (POLICY_MAPPINGS, False)}),
    ("policyConstraints", {"more": (x509.PolicyConstraints(0, None), True)}),
    ("critical extension extendedKeyUsage", {"more": (CLIENT_AUTH, True)}),
    ("critical extension Unknown OID (1.2.3.4)", {"more": (unknown("1.2.3.4"), True)}),
    ("keyUsage lacks digital_signature", {"usage": (key_usage(frozenset({"key_agreement"})), True)}),
    ("it expired", {"dates": (PAST, datetime(2021, 1, 1, tzinfo=UTC))}),
    ("not valid before", {"dates": (datetime(2900, 1, 1, tzinfo=UTC), INDEFINITE)}),
    ("can not be read", {"names": (unknown("2.5.29.17"), True)}),
]
WHEN_STRICT = [
    ("the subject is not empty: CN=Inverter", {"subject": named("Inverter")}),
    ("subjectAltName is not critical", {"names": (names(module(bytes.fromhex("300506012a0400"))), False)}),
    ("has no subjectAltName", {"names": None}),
    ("0 hardwareModuleNames", {"names": (names(x509.DNSName("inverter.example")), True)}),
    ("2 hardwareModuleNames", {"names": (names(*[module(bytes.fromhex("300506012a0400"))] * 2), True)}),
    ("not a hardwareModuleName", {"names": (names(module(b"\x05\x00")), True)}),
    ("has no keyUsage", {"usage": None}),
    ("keyUsage is digital_signature, not", {"usage": (key_usage(frozenset({"digital_signature"})), True)}),
    ("keyUsage is not critical", {"usage": (key_usage(frozenset({"digital_signature", "key_agreement"})), False)}),
    ("has no certificatePolicies", {"policies": None}),
    ("certificatePolicies is not critical", {"policies": (policies(Policy.GENERIC_DEVICE), False)}),
    ("0 device types", {"policies": (policies(Policy.TEST), True)}),
    ("2 device types", {"policies": (policies(Policy.GENERIC_DEVICE, Policy.MOBILE_DEVICE), True)}),
    ("has no authorityKeyIdentifier", {"signer": None}),
    ("subjectKeyIdentifier is critical", {"own": (x509.SubjectKeyIdentifier(bytes(8)), True)}),
    ("has basicConstraints", {"basic": (x509.BasicConstraints(ca=False, path_length=None), True)}),
    ("has an extendedKeyUsage", {"more": (CLIENT_AUTH, False)}),
]


@pytest.mark.parametrize(("why", "changes"), ALWAYS, ids=[why for why, _ in ALWAYS])
def test_a_device_is_always_refused(root, mica, why, changes):
    chain = ders(forge(mica, **changes), mica, root)
    assert why in refusal(chain, Strictness.LENIENT)
    assert why in refusal(chain, Strictness.STRICT)


@pytest.mark.parametrize(("why", "changes"), WHEN_STRICT, ids=[why for why, _ in WHEN_STRICT])
def test_a_device_is_refused_when_strict(root, mica, why, changes):
    chain = ders(forge(mica, **changes), mica, root)
    assert why in refusal(chain, Strictness.STRICT)
    assert any(why in finding.text for finding in check_chain(chain, Strictness.LENIENT))


CA_ALWAYS = [
    ("key is secp224r1", {"key": ec.generate_private_key(ec.SECP224R1())}),
    ("key is RSA-1024", {"key": rsa.generate_private_key(public_exponent=65537, key_size=1024)}),
    ("nameConstraints", {"more": (SUBTREE, True)}),
    ("policyMappings", {"more": (POLICY_MAPPINGS, False)}),
    ("critical extension extendedKeyUsage", {"more": (CLIENT_AUTH, True)}),
    ("keyUsage lacks key_cert_sign", {"usage": (key_usage(frozenset({"digital_signature"})), True)}),
    ("it is not a CA's", {"basic": None}),
    ("it is not a CA's", {"basic": (x509.BasicConstraints(ca=False, path_length=None), True)}),
    ("it expired", {"dates": (PAST, datetime(2021, 1, 1, tzinfo=UTC))}),
]
CA_WHEN_STRICT = [
    ("key is secp384r1", {"key": ec.generate_private_key(ec.SECP384R1())}),
    ("key is RSA-2048", {"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)}),
    ("signed with ecdsa-with-SHA384", {"digest": hashes.SHA384()}),
    ("20 octets, not 8", {"own": LONG_KEY_ID}),
    ("authorityKeyIdentifier", {"signer": None}),
    ("basicConstraints is not critical", {"basic": (x509.BasicConstraints(ca=True, path_length=None), False)}),
    ("keyUsage is key_cert_sign, not", {"usage": (key_usage(frozenset({"key_cert_sign"})), True)}),
    ("has an extendedKeyUsage", {"more": (CLIENT_AUTH, False)}),
]


@pytest.mark.parametrize(("why", "changes"), CA_ALWAYS)
def test_under_such_a_ca_all_are_refused(root, why, changes):
    ca = forge(root, as_ca=True, subject=named("Deviant CA"), **changes)
    chain = ders(forge(ca), ca, root)
    told = refusal(chain, Strictness.LENIENT)
    assert any(why in reason and reason.startswith("issuer 1: ") for reason in told.split("; "))


@pytest.mark.parametrize(("why", "changes"), CA_WHEN_STRICT)
def test_under_such_a_ca_all_are_refused_when_strict(root, why, changes):
    ca = forge(root, as_ca=True, subject=named("Deviant CA"), **changes)
    chain = ders(forge(ca), ca, root)
    assert why in refusal(chain, Strictness.STRICT)
    assert any(why in finding.text and finding.depth == 1 for finding in check_chain(chain, Strictness.LENIENT))


def test_without_a_subject_key_identifier_a_ca_is_refused_when_strict(root):
    ca = forge(root, as_ca=True, subject=named("Deviant CA"), own=None)
    twin = forge(root, as_ca=True, subject=named("Deviant CA"), key=ca.key)
    chain = ders(forge(twin), ca, root)
    assert refusal(chain, Strictness.STRICT) == "issuer 1: it has no subjectKeyIdentifier"
    assert refusal(chain, Strictness.LENIENT) == ""


def test_sha_1_is_always_refused(root, mica):
    # No library signs with it any more: the algorithm is exchanged afterwards, and the signature is then wrong too.
    der = forge(mica).certificate_der
    ecdsa_with_sha256, ecdsa_with_sha1 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06072a8648ce3d0401")
    assert der.count(ecdsa_with_sha256) == 2
    told = refusal([_resized(der, ecdsa_with_sha256, ecdsa_with_sha1), *ders(mica, root)], Strictness.LENIENT)
    assert "it is signed with ecdsa-with-SHA1" in told


def _resized(der, old, new):
    """The certificate with one OID exchanged for a shorter one, and the lengths around it put right."""
    certificate = x509.load_der_x509_certificate(der)
    signed = certificate.tbs_certificate_bytes.replace(old, new)
    shorter = len(old) - len(new)
    body_at = 4  # 30 82 LL LL
    size = int.from_bytes(signed[2:4], "big") - shorter
    algorithm_at = signed.index(new) - 2
    signed = signed[:2] + size.to_bytes(2, "big") + signed[body_at:]
    signed = signed[: algorithm_at + 1] + bytes([len(new)]) + signed[algorithm_at + 2 :]
    rest = b"\x30" + bytes([len(new)]) + new + der[der.rindex(old) + len(old) :]
    return b"\x30\x82" + (len(signed) + len(rest)).to_bytes(2, "big") + signed + rest


def test_self_signed_devices_are_refused(root):
    own = forge(None, subject=named("Self"))
    assert "signed by itself" in refusal(ders(own), Strictness.LENIENT)
    assert "signed by itself" in refusal(ders(own, root), Strictness.LENIENT)


def test_a_ca_is_no_device(root, mica):
    assert "it is a CA's certificate" in refusal(ders(mica, root), Strictness.LENIENT)


def test_a_path_must_hang_together(root, mica, mca, stranger):
    device = mica.issue_device("1")
    assert "did not sign it" in refusal(ders(device, mca, root), Strictness.LENIENT)
    assert "did not sign it" in refusal(ders(device, mica, stranger), Strictness.LENIENT)
    assert "does not end in a root" in refusal(ders(device, mica), Strictness.LENIENT)
    assert "can not be read" in refusal([b"nonsense", *ders(mica, root)], Strictness.LENIENT)


def test_the_issuer_is_named_by_its_key_too(root):
    other = x509.AuthorityKeyIdentifier(bytes(8), None, None)
    device = forge(root, signer=(other, False))
    assert "authorityKeyIdentifier is not" in refusal(ders(device, root), Strictness.LENIENT)


def test_the_issuer_name_must_be_right(root, mica):
    device = forge(mica, issuer_name=named("Another CA"))
    assert "did not sign it" in refusal(ders(device, mica, root), Strictness.LENIENT)


def test_a_path_length_is_kept(root):
    upper = forge(root, as_ca=True, subject=named("Upper"), basic=(x509.BasicConstraints(ca=True, path_length=0), True))
    lower = upper.issue_authority("Lower")
    assert refusal(ders(upper.issue_device("1"), upper, root), Strictness.STRICT) == ""
    told = refusal(ders(lower.issue_device("1"), lower, upper, root), Strictness.LENIENT)
    assert told == "issuer 1: its issuer's pathLenConstraint allows 0 CAs in between, not 1"


def test_five_certificates_are_too_many_when_strict(root, mca):
    second = mca.issue_authority("Second")
    third = second.issue_authority("Third")
    chain = ders(third.issue_device("1"), third, second, mca, root)
    assert refusal(chain, Strictness.STRICT) == "its path has 5 certificates, where 2030.5 knows 4 at most"
    assert refusal(chain, Strictness.LENIENT) == ""


def test_the_form_of_the_anchor_is_the_operators_affair():
    plain = forge(None, as_ca=True, subject=named("Own root"), own=LONG_KEY_ID, policies=None)
    assert isinstance(plain, Authority)
    assert refusal(ders(plain.issue_device("1"), plain), Strictness.STRICT) == ""


def test_time_is_an_argument(root, mica):
    end = datetime(2030, 1, 1, tzinfo=UTC)
    chain = ders(mica.issue_device("1", not_after=end), mica, root)
    (note,) = check_chain(chain, now=end.timestamp() - 1)
    assert note.text == "it expires on 2030-01-01"
    assert "it expired on 2030-01-01" in refusal(chain, Strictness.LENIENT, now=end.timestamp() + 1)


def test_a_refusal_says_everything_that_is_wrong(root, mica):
    chain = ders(forge(mica, subject=named("Inverter"), policies=None), mica, root)
    with pytest.raises(BadCertificate) as refused:
        check_chain(chain)
    assert str(refused.value) == (
        "This certificate is not accepted: it has no certificatePolicies; the subject is not empty: CN=Inverter"
    )
    assert refused.value.status == 403
