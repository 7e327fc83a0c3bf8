"""A refused handshake at the port of `sep2 serve`: the alert on the wire, and one line of the log."""

import json
import socket
import ssl
import struct
import subprocess
import time
import warnings
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from certs import Authority
from certs.identity import Files, Identity
from tests.certs.forge import PAST, POLICY_MAPPINGS, forge, named, unknown
from tests.raw import context, request
from tests.server.opening import knock, records, say, served
from tests.server.world import copied

SOON = datetime(2021, 1, 1, tzinfo=UTC)
SERVER_ONLY = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")]), True
NAMES = x509.NameConstraints([x509.DirectoryName(named("Nobody"))], None), True


@pytest.fixture(scope="module")
def server(people, settled_sqlite, tmp_path_factory):
    folder, pki = tmp_path_factory.mktemp("served"), people.pki.folder
    url = copied(Path(settled_sqlite.url.removeprefix("sqlite:///")), folder)
    authorities = json.dumps([str(pki / "root.pem"), str(pki / "ca.pem")])
    with served(
        folder, pki, url, authorities=authorities, more="[limits]\nheader_deadline_s = 1\nhandshakes_per_address = 20\n"
    ) as server:
        yield server


def below(pki, **changes):
    root = Authority.load(Files.named(pki.folder, "root"))
    return forge(forge(root, as_ca=True, subject=named("Another CA"), **changes))


def leaf_of_unknown_ca(pki):
    made = Authority.load(Files.named(pki.folder, "root")).issue_authority("Unknown CA").issue_device("U-1")
    return Identity(made.certificate, made.key)


# Who shows what, the alert of RFC 5246, and the words in the log.
REFUSED = {
    "another root": (
        lambda pki: Authority.create("Other root").issue_device("S-1"),
        48,
        "unable to get local issuer certificate",
    ),
    "its own signature": (lambda pki: forge(None), 48, "self-signed certificate"),
    "a CA that nobody knows": (leaf_of_unknown_ca, 48, "unable to get local issuer certificate"),
    "an expired certificate": (lambda pki: forge(pki.issuer, dates=(PAST, SOON)), 45, "certificate has expired"),
    "one for servers only": (lambda pki: forge(pki.issuer, eku=SERVER_ONLY), 43, "unsuitable certificate purpose"),
    "a critical extension": (lambda pki: forge(pki.issuer, x=(unknown("1.2.3.4"), True)), 46, "unhandled critical"),
    "an RSA key": (lambda pki: forge(pki.issuer, key=rsa.generate_private_key(65537, 2048)), 42, "its key is RSA-2048"),
    "a key on P-384": (lambda pki: forge(pki.issuer, key=ec.generate_private_key(ec.SECP384R1())), 47, "wrong curve"),
    "no hardware module": (lambda pki: forge(pki.issuer, names=None), 42, "it has no subjectAltName"),
    "SHA-384": (lambda pki: forge(pki.issuer, digest=hashes.SHA384()), 42, "ecdsa-with-SHA384"),
    "names that its CA may not have": (lambda pki: below(pki, constraints=NAMES), 42, "nameConstraints"),
    "policies that its CA maps": (lambda pki: below(pki, mappings=(POLICY_MAPPINGS, False)), 42, "policyMappings"),
    "a purpose that its CA lacks": (lambda pki: below(pki, eku=SERVER_ONLY), 43, "purpose"),
}


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
        (p384, 40, "no common curve or signature algorithm (alert 40 handshake_failure); offered TLS 1.2"),
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
    ("octets", "words"),
    [
        (b"GET /dcap HTTP/1.1\r\nHost: a\r\n\r\n", "127.0.0.1: not TLS"),
        (b"\0" * 600, "127.0.0.1: not TLS"),
        (b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000, "127.0.0.1: packet length too long"),
    ],
)
def test_what_is_no_handshake_is_closed_at_once_and_logged(server, octets, words):
    before = len(server.lines(words, 0))
    heard = say(server.port, octets)
    assert not heard.octets.startswith(b"HTTP")
    assert len(server.lines(words, before + 1)) == before + 1


def test_a_handshake_that_does_not_go_on_is_ended(server):
    hello = bytes.fromhex("16030100c8010000c40303")
    assert say(server.port, hello).closed
    assert server.lines("127.0.0.1: not done within 1 s")


def test_of_one_address_so_many_handshakes_are_let_in_at_once(server, people):
    """Further ones are closed at once and logged; when the first ones are given up, others have their turn."""
    with ExitStack() as opened:
        silent = [opened.enter_context(socket.create_connection(("127.0.0.1", server.port), 20)) for _ in range(30)]
        turned_away = server.lines("too many handshakes at once: 20 of this address", 10)
        assert len(turned_away) == 10
        for one in silent:
            with suppress(ConnectionResetError):
                assert one.recv(1) == b"", "closed, without a word"
    assert knock(server.port, own(people, people.files("roof"))).done


def test_who_connects_and_hangs_up_leaves_no_line(server):
    before = server.log.read_text()
    with socket.create_connection(("127.0.0.1", server.port)):
        pass
    assert say(server.port, b"").closed  # by the server, after a second: so the one before is over, too
    assert "hung up" not in server.log.read_text().removeprefix(before)


def test_a_client_that_refuses_the_server_is_told_apart(server, people, tmp_path):
    stranger = Authority.create("Other root").save(tmp_path, "other").chain
    assert not knock(server.port, context(stranger, people.files("roof"))).done
    assert server.lines("the client ended it: unknown ca")


def test_a_renegotiation_is_refused_and_the_next_connection_is_served(server, people):
    files = people.files("roof")
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2", "-cert", str(files.chain)]
    words += ["-key", str(files.key), "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"]
    done = subprocess.run(words, input=b"R\n", capture_output=True, timeout=120, check=False)
    assert b"RENEGOTIATING" in done.stdout + done.stderr
    assert b"no renegotiation" in done.stderr
    assert knock(server.port, own(people, files)).done


def test_what_a_certificate_says_is_no_line_of_the_log(server, people, tmp_path):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "\x1b[2J\x9b31m\u202e\n2026-01-01 ERROR sep2: fake")])
    made = forge(people.pki.issuer, subject=subject)
    assert not knock(server.port, of(people, tmp_path, made)).done
    (line,) = server.lines(made.lfdi)
    assert "\\x1b[2J\\x9b31m\\u202e\\n2026-01-01 ERROR sep2: fake" in line
    said = server.log.read_text()
    assert not {"\x1b", "\x9b", "\u202e"} & set(said)
    assert "\n2026-01-01" not in said


def test_a_peer_that_hangs_up_is_no_error(server, people):
    """In a body, in a header, before it has read the answers; with the end of TLS, without, and by a reset."""
    before = server.log.read_text()
    post = b"POST /mup HTTP/1.1\r\nHost: a\r\nContent-Type: application/sep+xml\r\n"
    for octets in (
        post + b"Content-Length: 5000\r\n\r\n<Mirror",
        post + b"Transfer-Encoding: chunked\r\n\r\n5\r\n<Mi",
        request("GET", "/dcap") * 50,
        b"GET /dc",
    ):
        for ending in ("tls", "tcp", "reset"):
            plain = socket.create_connection(("127.0.0.1", server.port), 20)
            with own(people, people.files("roof")).wrap_socket(plain, suppress_ragged_eofs=True) as peer:
                peer.sendall(octets)
                if ending == "tls":
                    peer.setblocking(False)
                    with suppress(ssl.SSLError, OSError):
                        peer.unwrap()
                elif ending == "reset":
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.5)
    server.reload()  # the log has a line now that comes after those
    said = server.log.read_text().removeprefix(before)
    assert "ERROR" not in said, said
    assert "Traceback" not in said
