"""A refused handshake at the port of `sep2 serve`: the alert on the wire, and one line of the log."""

import json
import socket
import ssl
import warnings
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs import Authority
from certs.identity import Identity
from tests.certs.forge import POLICY_MAPPINGS, PAST, forge, named, unknown
from tests.raw import context, request
from tests.server.opening import Heard, knock, records, say, served
from tests.server.world import copied

SOON = datetime(2021, 1, 1, tzinfo=UTC)
SERVER_ONLY = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")]), True
NAMES = x509.NameConstraints([x509.DirectoryName(named("Nobody"))], None), True


@pytest.fixture(scope="module")
def server(people, settled_sqlite, tmp_path_factory):
    folder, pki = tmp_path_factory.mktemp("served"), people.pki.folder
    url = copied_from(settled_sqlite.url, folder)
    authorities = json.dumps([str(pki / "root.pem"), str(pki / "ca.pem")])
    with served(folder, pki, url, authorities=authorities) as server:
        yield server


def copied_from(url, folder):
    from pathlib import Path

    return copied(Path(url.removeprefix("sqlite:///")), folder)


def rsa_key(issuer):
    return forge(issuer, key=rsa.generate_private_key(65537, 2048))


def under_a_ca_with(**changes):
    def make(issuer):
        root = Authority.load((issuer.folder / "root.pem", issuer.folder / "root.key"))
        ca = forge(root, as_ca=True, subject=named("Another CA"), **changes)
        return forge(ca)

    return make


# Who shows what, the alert of RFC 5246, and the words in the log.
REFUSED = {
    "another root": (lambda pki: Authority.create("Other root").issue_device("S-1"), 48, "self-signed certificate in"),
    "its own signature": (lambda pki: forge(None), 48, "self-signed certificate"),
    "a CA that nobody knows": (lambda pki: leaf_of_unknown_ca(pki), 48, "unable to get local issuer certificate"),
    "an expired certificate": (lambda pki: forge(pki.issuer, dates=(PAST, SOON)), 45, "certificate has expired"),
    "one for servers only": (lambda pki: forge(pki.issuer, eku=SERVER_ONLY), 43, "unsuitable certificate purpose"),
    "a critical extension": (lambda pki: forge(pki.issuer, x=(unknown("1.2.3.4"), True)), 46, "unhandled critical"),
    "an RSA key": (lambda pki: rsa_key(pki.issuer), 42, "its key is RSA-2048"),
    "a key on P-384": (lambda pki: forge(pki.issuer, key=ec.generate_private_key(ec.SECP384R1())), 42, "secp384r1"),
    "no hardware module": (lambda pki: forge(pki.issuer, names=None), 42, "it has no subjectAltName"),
    "SHA-384": (lambda pki: forge(pki.issuer, digest=hashes.SHA384()), 42, "ecdsa-with-SHA384"),
    "names that its CA may not have": (lambda pki: below(pki, constraints=NAMES), 42, "nameConstraints"),
    "policies that its CA maps": (lambda pki: below(pki, mappings=(POLICY_MAPPINGS, False)), 42, "policyMappings"),
    "a purpose that its CA lacks": (lambda pki: below(pki, eku=SERVER_ONLY), 43, "purpose"),
}


def below(pki, **changes):
    from certs.identity import Files

    root = Authority.load(Files.named(pki.folder, "root"))
    return forge(forge(root, as_ca=True, subject=named("Another CA"), **changes))


def leaf_of_unknown_ca(pki):
    from certs.identity import Files

    made = Authority.load(Files.named(pki.folder, "root")).issue_authority("Unknown CA").issue_device("U-1")
    return Identity(made.certificate, made.key)


@pytest.mark.parametrize("shown", REFUSED)
def test_a_certificate_is_refused_by_its_alert_and_one_line(server, people, tmp_path, shown):
    make, alert, words = REFUSED[shown]
    made = make(people.pki)
    heard = knock(server.port, of(people, tmp_path, made))
    assert (heard.alert, heard.done, heard.closed) == (alert, False, True)
    assert 23 not in {kind for kind, _ in records(heard.octets)}
    (line,) = server.lines(made.lfdi)
    assert "handshake refused: 127.0.0.1: " in line
    assert words in line
    assert f"(alert {alert} " in line
    assert "issuer " in line
    assert "offered TLS 1.2 with ECDHE_ECDSA_AES128_CCM8" in line
    assert f"serial {'S-1' if shown == 'another root' else ''}" in line


def of(people, folder, made):
    chain, key = folder / "own.pem", folder / "own.key"
    chain.write_bytes(made.chain_pem)
    key.write_bytes(made.key_pem)
    return own(people, (chain, key))


def own(people, files=None):
    """A client that takes whatever security level its own key has."""
    tls = context(people.pki.folder / "root.pem", ciphers="ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0")
    if files is not None:
        tls.load_cert_chain(*files)
    return tls


def tls_1_1(people):
    tls = own(people, people.files("roof"))
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tls.minimum_version = ssl.TLSVersion.TLSv1_1
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    return tls


def gcm(people):
    return context(people.pki.folder / "root.pem", people.files("roof"), ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")


def tls_1_3(people):
    tls = gcm(people)
    tls.maximum_version = tls.minimum_version = ssl.TLSVersion.TLSv1_3
    return tls


def p384(people):
    tls = own(people, people.files("roof"))
    tls.set_ecdh_curve("secp384r1")
    return tls


@pytest.mark.parametrize(
    ("client", "alert", "words"),
    [
        (own, 40, "no client certificate (alert 40 handshake_failure); offered TLS 1.2"),
        (gcm, 40, "no common cipher suite (alert 40 handshake_failure); offered TLS 1.2 with ECDHE_ECDSA_AES128_GCM"),
        (p384, 40, "no common cipher suite (alert 40 handshake_failure); offered TLS 1.2 with ECDHE_ECDSA_AES128_CCM8"),
        (tls_1_1, 70, "not TLS 1.2 (alert 70 protocol_version); offered TLS 1.1"),
        (tls_1_3, 70, "not TLS 1.2 (alert 70 protocol_version); offered TLS 1.3"),
    ],
)
def test_a_dialect_is_refused_by_its_alert_and_one_line(server, people, client, alert, words):
    before = len(server.lines(words, 0))
    heard = knock(server.port, client(people))
    assert (heard.alert, heard.done, heard.closed) == (alert, False, True)
    assert len(server.lines(words, before + 1)) == before + 1


@pytest.mark.parametrize(
    "octets", [b"GET /dcap HTTP/1.1\r\nHost: a\r\n\r\n", b"\0" * 600, b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000]
)
def test_what_is_no_tls_is_closed_at_once_and_logged(server, octets):
    before = len(server.lines("127.0.0.1: not TLS", 0))
    heard = say(server.port, octets)
    assert not heard.octets.startswith(b"HTTP")
    assert len(server.lines("127.0.0.1: not TLS", before + 1)) == before + 1
