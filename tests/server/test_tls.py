"""Who gets in at the server's port; the handshakes themselves are proven in tests/certs."""

import asyncio
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certs import Authority
from certs.identity import Identity
from certs.trust import Trust
from tests.certs.forge import forge
from tests.raw import Raw, context
from tests.server.opening import knock

ECDSA_GCM = "ECDHE-ECDSA-AES128-GCM-SHA256"


def stranger(people) -> Identity:
    return Authority.create("another root").issue_device("S-1")


def leaf_only(people) -> Identity:
    made = people.identities["roof"]
    return Identity(made.certificate, made.key)


def of_another_curve(people) -> Identity:
    return forge(people.pki.issuer, key=ec.generate_private_key(ec.SECP384R1()))


def without_hardware(people) -> Identity:
    return forge(people.pki.issuer, names=None)


@pytest.mark.parametrize("make", [stranger, of_another_curve, without_hardware])
async def test_refused(world, people, tmp_path, make):
    """By an alert, or by a 403 and the end of the connection; others notice nothing."""
    tls = context(people.pki.folder / "root.pem", make(people).save(tmp_path, "client"))
    roof = await world.as_("roof")
    assert await answer(world.port, tls) in (None, 403)
    assert (await roof.get("/dcap")).status == 200


async def test_refused_without_a_certificate(world, people):
    assert await answer(world.port, context(people.pki.folder / "root.pem")) is None


@pytest.mark.parametrize("change", ["GCM only", "TLS 1.3 only"])
async def test_refused_with_another_dialect(world, people, change):
    tls = context(people.pki.folder / "root.pem", people.files("roof"), ciphers=ECDSA_GCM)
    if change == "TLS 1.3 only":
        tls.maximum_version = ssl.TLSVersion.TLSv1_3
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
    assert await answer(world.port, tls) is None


async def test_who_sends_only_its_own_certificate_is_known(world, people, tmp_path):
    """The server's own store holds the CA between."""
    tls = context(people.pki.folder / "root.pem", leaf_only(people).save(tmp_path, "client"))
    assert await answer(world.port, tls) == 200


async def test_a_session_of_an_authority_that_was_withdrawn_is_not_resumed(world, people):
    tls = context(people.pki.folder / "root.pem", people.files("roof"))
    first = await asyncio.to_thread(knock, world.port, tls)
    again = await asyncio.to_thread(knock, world.port, tls, first.session)
    assert (first.done, again.done) == (True, True)
    assert len(again.octets) < len(first.octets) / 2
    world.state.tls.trust = Trust([Authority.create("another root").certificate])
    refused = await asyncio.to_thread(knock, world.port, tls, first.session)
    assert (refused.done, refused.alert) == (False, 48)


async def test_plain_http_is_not_answered(world):
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"GET /dcap HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not (await reader.read()).startswith(b"HTTP")
    writer.close()


async def answer(port: int, tls: ssl.SSLContext) -> int | None:
    """The status of a GET, or None where not one octet of HTTP came back."""
    try:
        raw = await Raw.open(port, tls)
    except (ssl.SSLError, ConnectionError):
        return None
    try:
        status = (await raw.get("/dcap")).status
    except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
        return None
    else:
        assert status == 200 or await raw.closed()
        return status
    finally:
        await raw.close()
