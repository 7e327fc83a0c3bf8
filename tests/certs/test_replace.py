"""A server's certificate and trust are replaced while connections live."""

import asyncio
import ssl

import pytest
import uvloop
from cryptography import x509

from certs.authority import Authority
from certs.errors import BadCertificate
from certs.identity import Files
from certs.tls import client_context, peer_chain, replace, server_context
from certs.trust import Trust
from tests.certs.meeting import meet

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def other():
    return Authority.create("Other root")


@pytest.fixture(scope="module")
def everyone(root, mica, other):
    return Trust([root.certificate, mica.certificate, other.certificate])


@pytest.fixture
def listening(mica, everyone, tmp_path):
    return server_context(mica.issue_server().save(tmp_path, "server"), everyone)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_connection_lives_through_the_change_and_the_next_one_sees_it(
    mica, everyone, listening, tmp_path, loop_factory
):
    renewed = mica.issue_server()
    client = client_context(mica.issue_device("1").save(tmp_path, "client"), everyone)
    fresh = server_context(renewed.save(tmp_path, "renewed"), everyone)

    async def scenario():
        server = await asyncio.start_server(_echo, HOST, 0, ssl=listening)
        async with server:
            port = server.sockets[0].getsockname()[1]
            old, new = None, None
            try:
                old = await asyncio.open_connection(HOST, port, ssl=client)
                assert await _says_back(old, b"before") == b"before"
                replace(listening, fresh)
                new = await asyncio.open_connection(HOST, port, ssl=client)
                assert await _says_back(old, b"after") == b"after"
                assert await _says_back(new, b"new") == b"new"
                return _leaf(old), _leaf(new)
            finally:
                for _, writer in filter(None, (old, new)):
                    writer.close()
                    await writer.wait_closed()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        before, after = runner.run(scenario())
    assert after == renewed.certificate_der != before


async def _echo(reader, writer):
    while octets := await reader.read(100):
        writer.write(octets)
    writer.close()


async def _says_back(streams, octets):
    reader, writer = streams
    writer.write(octets)
    return await reader.readexactly(len(octets))


def _leaf(streams):
    return peer_chain(streams[1].get_extra_info("ssl_object"))[0]


def test_a_ca_that_is_gone_is_refused_from_then_on(mica, other, everyone, listening, tmp_path):
    client = client_context(other.issue_device("1").save(tmp_path, "client"), everyone)
    _, asked = meet(listening, client)
    assert asked.error == ""

    fewer = Trust([x509.load_pem_x509_certificate(everyone.pem.encode())])
    replace(listening, server_context(Files.named(tmp_path, "server"), fewer))
    assert meet(listening, client)[1].error == "TLSV1_ALERT_UNKNOWN_CA"

    # OpenSSL still resumes what it had accepted; our own look at the path does not.
    served, resumed = meet(listening, client, session=asked.session)
    assert (served.resumed, resumed.error) == (True, "")
    with pytest.raises(BadCertificate, match="does not lead to a trusted root"):
        fewer.admit(served.chain)


def test_a_ca_that_is_new_is_accepted_from_then_on(mica, everyone, listening, stranger, tmp_path):
    client = client_context(stranger.issue_device("1").save(tmp_path, "client"), everyone)
    assert meet(listening, client)[1].error == "TLSV1_ALERT_UNKNOWN_CA"
    more = Trust([stranger.certificate])
    replace(listening, server_context(Files.named(tmp_path, "server"), more))
    assert meet(listening, client)[1].error == ""
    # And once more: the last one given counts.
    replace(listening, server_context(Files.named(tmp_path, "server"), everyone))
    assert meet(listening, client)[1].error == "TLSV1_ALERT_UNKNOWN_CA"


def test_what_is_asked_of_a_client_stays(mica, everyone, listening, tmp_path):
    replace(listening, server_context(Files.named(tmp_path, "server"), everyone))
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.verify_mode = ssl.CERT_NONE
    bare.set_ciphers("ALL")
    assert meet(listening, bare)[1].error == "SSLV3_ALERT_HANDSHAKE_FAILURE"
