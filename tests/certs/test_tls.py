"""Real handshakes: what is agreed, who is refused, and by which alert (measured against the table of real clients)."""

import re
import shutil
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.authority import Authority
from certs.errors import BadCertificate, BadFile, NoCcm8, UnknownSuite
from certs.identifiers import lfdi_of
from certs.identity import write
from certs.profile import INDEFINITE
from certs.strictness import Strictness
from certs.tls import CCM8, client_context, ensure_ccm8, server_context, web_context
from certs.trust import Trust
from tests.certs.forge import PAST, POLICY_MAPPINGS, forge, named, unknown
from tests.certs.meeting import meet

GCM = "ECDHE-ECDSA-AES128-GCM-SHA256"


@pytest.fixture(scope="session")
def trust(root, mica):
    return Trust([root.certificate, mica.certificate])


@pytest.fixture(scope="session")
def server_files(mica, tmp_path_factory):
    return mica.issue_server().save(tmp_path_factory.mktemp("tls"), "server")


@pytest.fixture(scope="session")
def server(server_files, trust):
    return server_context(server_files, trust)


@pytest.fixture
def client(trust, tmp_path):
    """Makes the context of a client with this identity."""

    def context(identity, **options):
        number = len(list(tmp_path.iterdir()))
        return client_context(identity.save(tmp_path, f"client{number}"), trust, **options)

    return context


def test_both_ends_agree_on_ccm_8_and_know_each_other(root, mica, server, client):
    device = mica.issue_device("A-17")
    served, asked = meet(server, client(device))
    assert (served.error, asked.error) == ("", "")
    assert served.suite == asked.suite == "ECDHE-ECDSA-AES128-CCM8"
    assert served.chain == [device.certificate_der, mica.certificate_der, root.certificate_der]
    assert asked.chain[1:] == served.chain[1:]


def test_ccm_8_wins_over_further_suites(mica, server_files, trust, client):
    both = server_context(server_files, trust, more_suites=[GCM])
    eager = client(mica.issue_device("1"))
    eager.set_ciphers(f"{GCM}:{CCM8}")
    assert meet(both, eager)[0].suite == CCM8
    eager.set_ciphers(GCM)
    assert meet(both, eager)[0].suite == GCM


def test_a_suite_that_openssl_does_not_know_is_named(server_files, trust):
    with pytest.raises(UnknownSuite, match="ECDHE-ECDSA-AES128-GCM-SHA257"):
        server_context(server_files, trust, more_suites=["ECDHE-ECDSA-AES128-GCM-SHA257", GCM])


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_paths_of_two_three_and_four_certificates_are_accepted(root, mica, mca, server, trust, client, depth):
    issuer = {2: root, 3: mica, 4: mca.issue_authority("Test MICA under MCA")}[depth]
    device = issuer.issue_device(f"depth {depth}")
    served, _ = meet(server, client(device))
    assert len(served.chain) == depth
    assert trust.admit(served.chain).lfdi == device.lfdi


def test_a_client_that_sends_only_its_leaf_is_accepted(mica, server, client):
    device = mica.issue_device("1")
    lonely = type(device)(device.certificate, device.key)
    served, asked = meet(server, client(lonely))
    assert (served.error, asked.error, len(served.chain)) == ("", "", 3)


def test_an_intermediate_in_our_store_is_no_anchor(mica, server_files, client):
    with pytest.raises(BadFile, match="no root"):
        Trust([mica.certificate])
    other = Trust([Authority.create("Other root").certificate, mica.certificate])
    served, asked = meet(server_context(server_files, other), client(mica.issue_device("1")))
    assert asked.error == "TLSV1_ALERT_UNKNOWN_CA"
    assert served.error == "CERTIFICATE_VERIFY_FAILED"


EXPIRED = {"dates": (PAST, datetime(2021, 1, 1, tzinfo=UTC))}
SERVERS_ONLY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
ALERTS = [
    ("expired", EXPIRED, "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    ("critical EKU", {"more": (SERVERS_ONLY, True)}, "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"),
    ("critical unknown", {"more": (unknown("1.2.3.4"), True)}, "SSLV3_ALERT_CERTIFICATE_UNKNOWN"),
    ("not yet valid", {"dates": (datetime(2900, 1, 1, tzinfo=UTC), INDEFINITE)}, "SSLV3_ALERT_BAD_CERTIFICATE"),
    ("wrong issuer", {"issuer_name": named("Another CA")}, "TLSV1_ALERT_UNKNOWN_CA"),
    ("P-384", {"key": ec.generate_private_key(ec.SECP384R1())}, "SSLV3_ALERT_ILLEGAL_PARAMETER"),
]


@pytest.mark.parametrize(("why", "changes", "alert"), ALERTS, ids=[why for why, *_ in ALERTS])
def test_openssl_refuses_by_an_alert(mica, server, client, why, changes, alert):
    served, asked = meet(server, client(forge(mica, **changes)))
    assert asked.error == alert
    assert served.error


def test_strangers_and_the_self_signed_are_refused_by_an_alert(server, client, stranger):
    for identity in (stranger.issue_device("1"), forge(None, subject=named("Self")), forge(None)):
        assert meet(server, client(identity))[1].error == "TLSV1_ALERT_UNKNOWN_CA"


def test_who_shows_no_certificate_is_refused_by_an_alert(server, trust):
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.set_ciphers(CCM8)
    bare.load_verify_locations(cadata=trust.pem_at(time.time()))
    served, asked = meet(server, bare)
    assert asked.error == "SSLV3_ALERT_HANDSHAKE_FAILURE"
    assert served.error == "PEER_DID_NOT_RETURN_A_CERTIFICATE"


@pytest.mark.parametrize(
    ("why", "changes", "alert"),
    [
        ("TLS 1.1 only", {"maximum_version": ssl.TLSVersion.TLSv1_1}, "TLSV1_ALERT_PROTOCOL_VERSION"),
        ("TLS 1.3 only", {"minimum_version": ssl.TLSVersion.TLSv1_3}, "TLSV1_ALERT_PROTOCOL_VERSION"),
        ("no common suite", {"ciphers": GCM}, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        ("no common curve", {"curve": "secp384r1"}, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_who_speaks_otherwise_is_refused_by_an_alert(mica, server, client, why, changes, alert):
    context = client(mica.issue_device("1"))
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    match changes:
        case {"maximum_version": version}:
            context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
        case {"minimum_version": version}:
            context.minimum_version = version
        case {"ciphers": suites}:
            context.set_ciphers(suites)
        case {"curve": curve}:
            context.set_ecdh_curve(curve)
    assert meet(server, context)[1].error == alert


LET_THROUGH = [
    ("key is RSA-2048", {"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)}),
    ("policyMappings", {"more": (POLICY_MAPPINGS, False)}),
    ("nameConstraints", {"more": (x509.NameConstraints([x509.DNSName("example.org")], None), False)}),
]


@pytest.mark.parametrize(("why", "changes"), LET_THROUGH, ids=[why for why, _ in LET_THROUGH])
def test_what_openssl_lets_through_we_refuse(mica, server, trust, client, why, changes):
    served, asked = meet(server, client(forge(mica, **changes)))
    assert (served.error, asked.error) == ("", "")
    with pytest.raises(BadCertificate, match=why):
        trust.admit(served.chain)


def test_a_ca_with_policy_mappings_is_refused_too(root, server, trust, client):
    ca = forge(root, as_ca=True, subject=named("Mapping CA"), more=(POLICY_MAPPINGS, False))
    served, _ = meet(server, client(ca.issue_device("1")))
    with pytest.raises(BadCertificate, match="issuer 1: it has policyMappings"):
        trust.admit(served.chain)


def test_a_ca_for_servers_only_is_refused_by_an_alert(root, server, client):
    # COMM-004 D: the issuing CA has a critical extendedKeyUsage that does not fit.
    ca = forge(root, as_ca=True, subject=named("EKU CA"), more=(SERVERS_ONLY, True))
    assert meet(server, client(ca.issue_device("1")))[1].error == "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"


def test_a_vendors_certificate_is_accepted_under_a_lenient_anchor_only(root, mica, server, client):
    vendor = forge(mica, subject=named("Inverter 7"), names=None, usage=None)
    served, _ = meet(server, client(vendor))
    lenient, strict = Trust(lenient=[root.certificate]), Trust(strict=[root.certificate])
    peer = lenient.admit(served.chain)
    assert peer.lfdi == lfdi_of(vendor.certificate_der)
    assert {finding.text for finding in peer.findings} >= {"it has no subjectAltName", "it has no keyUsage"}
    assert any(finding.refuses(Strictness.STRICT) for finding in peer.findings)
    with pytest.raises(BadCertificate):
        strict.admit(served.chain)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_client_that_compares_host_names_reaches_us(mica, server, trust, client, host):
    careful = client(mica.issue_device("1"), check_hostname=True)
    # What ssl.create_default_context() asks for from Python 3.13 on.
    careful.verify_flags |= ssl.VERIFY_X509_STRICT
    assert meet(server, careful, host=host)[1].error == ""
    assert meet(server, careful, host="elsewhere.example")[1].error == "CERTIFICATE_VERIFY_FAILED"


def test_a_session_is_resumed_and_still_names_its_peer(mica, server, trust, client):
    device = mica.issue_device("1")
    context = client(device)
    _, first = meet(server, context)
    served, second = meet(server, context, session=first.session)
    assert (served.resumed, second.resumed) == (True, True)
    assert first.chain[0] == second.chain[0]
    # Also for one who has forgotten everything: the session holds what the client once sent.
    assert Trust([*map(x509.load_der_x509_certificate, first.chain[-1:])]).admit(served.chain).lfdi == device.lfdi


def test_the_start_up_check_passes_here(server_files):
    ensure_ccm8(server_files)


def test_the_start_up_check_names_a_key_that_can_not_do_it(mica, tmp_path):
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    files = forge(mica, key=rsa_key).save(tmp_path, "rsa")
    with pytest.raises(NoCcm8, match=rf"OpenSSL.*{re.escape(str(files.chain))}.*NO_SHARED_CIPHER"):
        ensure_ccm8(files)


def test_files_that_are_no_identity_are_named(trust, tmp_path):
    files = Authority.create("Root").save(tmp_path, "root")
    write(files.key, b"nothing")
    with pytest.raises(BadFile, match=r"root\.pem"):
        server_context(files, trust)


def test_a_client_looks_at_the_server_in_its_handshake(root, mica, trust, tmp_path):
    own_files = mica.issue_device("1").save(tmp_path, "client")
    proper, vendor = mica.issue_server(), forge(mica, subject=named("Server"), names=None)
    met = []
    for identity in (proper, vendor):
        server = server_context(identity.save(tmp_path, identity.lfdi), trust)
        served, asked = meet(server, client_context(own_files, trust, met=met.append))
        assert bool(served.error) is bool(asked.error) is (identity is vendor)
    assert [peer.lfdi for peer in met] == [proper.lfdi]
    lenient = Trust(lenient=[root.certificate])
    assert meet(server, client_context(own_files, lenient, met=met.append))[1].error == ""
    assert met[-1].lfdi == vendor.lfdi


def test_a_server_of_the_web_is_known_by_its_host_name(mica, root, trust, server, tmp_path, monkeypatch):
    root.save(tmp_path, "root")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    context = web_context(mica.issue_device("1").save(tmp_path, "client"))
    context.set_ciphers(f"{CCM8}:@SECLEVEL=0")
    assert meet(server, context, host="localhost")[1].error == ""
    assert meet(server, context, host="elsewhere.example")[1].error == "CERTIFICATE_VERIFY_FAILED"


ALLOW_CLIENT_RENEGOTIATION = 0x100
"""Of OpenSSL 3, where clients may not by default: set here so that our own refusal is what the test sees."""


def test_a_client_can_not_renegotiate(mica, server_files, trust, tmp_path):
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the openssl program is not installed")
    context = server_context(server_files, trust)
    context.options |= ALLOW_CLIENT_RENEGOTIATION
    chain, key = mica.issue_device("1").save(tmp_path, "client")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        command = [program, "s_client", "-connect", where, "-tls1_2", "-cipher", CCM8, "-cert", chain, "-key", key]
        piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, **piped) as client:
            plain, _ = listener.accept()
            plain.settimeout(20)
            with plain, context.wrap_socket(plain, server_side=True) as tls:
                _tell(client, b"hello\n")
                assert tls.recv(100) == b"hello\n"
                _tell(client, b"R\n")
                with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
                    tls.recv(100)
            said = client.stdout.read()
    assert b"no renegotiation" in said


def _tell(process, line):
    process.stdin.write(line)
    process.stdin.flush()
