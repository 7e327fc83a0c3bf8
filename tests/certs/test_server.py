"""The server's TLS from its settings: `sep2.server.tls`."""

import asyncio
import ssl

import msgspec
import pytest
import uvloop

from certs import pki
from certs.errors import BadCertificate, BadFile
from certs.identity import Identity
from certs.profile import Policy
from certs.tls import client_context
from certs.trust import Trust
from sep2.server.tls import Tls
from sep2.settings import Settings, parse, resolved
from tests.certs.forge import forge, named
from tests.certs.meeting import meet


@pytest.fixture
def made(tmp_path):
    return pki.create(tmp_path / "pki")


@pytest.fixture
def settings(made):
    return resolved(Settings(), made.folder.parent)


def client_of(made, name="client", trust=None):
    files = made.save(made.issuer.issue_device(name, purposes=[Policy.TEST]), name)
    return files, client_context(files, trust or made.trust())


def test_a_fresh_folder_is_served(made, settings):
    tls = Tls(settings)
    files, context = client_of(made)
    served, asked = meet(tls.listening, context)
    assert asked.error == ""
    assert tls.trust.admit(served.chain).lfdi == Identity.load(files).lfdi


def test_a_renewed_certificate_is_taken_over(made, settings):
    tls = Tls(settings)
    renewed = made.issuer.issue_server()
    renewed.save(made.folder, "server", replace=True)
    _, context = client_of(made)
    assert meet(tls.listening, context)[1].chain[0] != renewed.certificate_der
    tls.reload()
    assert meet(tls.listening, context)[1].chain[0] == renewed.certificate_der


def test_a_ca_that_the_operator_withdrew_is_refused_after_a_reload(made, settings):
    tls = Tls(settings)
    files, _ = client_of(made)
    other = pki.create(made.folder.parent / "other")
    both = Trust.read([*made.trusted, *other.trusted])
    context = client_context(files, both)
    served, _ = meet(tls.listening, context)
    for name in ("root", "ca"):
        (made.folder / f"{name}.pem").write_bytes((other.folder / f"{name}.pem").read_bytes())
    tls.reload()
    assert meet(tls.listening, context)[1].error == "TLSV1_ALERT_UNKNOWN_CA"
    with pytest.raises(BadCertificate):
        tls.trust.admit(served.chain)


@pytest.mark.parametrize("broken", ["server.pem", "server.key", "root.pem"])
def test_what_can_not_be_used_changes_nothing(made, settings, broken):
    tls = Tls(settings)
    before = tls.trust, tls.outgoing
    (made.folder / broken).write_bytes(b"nothing")
    with pytest.raises(BadFile, match=broken):
        tls.reload()
    assert (tls.trust, tls.outgoing) == before


def test_production_refuses_certificates_for_tests(made, settings):
    _, context = client_of(made)
    for name in ("root", "ca"):
        (made.folder / f"{name}.key").unlink()
    tls = Tls(msgspec.structs.replace(settings, mode="production", pen=1))
    served, _ = meet(tls.listening, context)
    with pytest.raises(BadCertificate, match="for tests"):
        tls.trust.admit(served.chain)


def test_receivers_under_the_roots_of_the_web_are_the_operators_choice(made):
    where = made.folder.parent
    assert len(Tls(resolved(Settings(), where)).outgoing) == 1
    first, second = Tls(resolved(parse({"receivers": {"public_authorities": True}}), where)).outgoing
    assert (first.check_hostname, second.check_hostname) == (False, True)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_receiver_is_looked_at_in_the_handshake(made, settings, tmp_path, loop_factory):
    (outgoing,) = Tls(settings).outgoing
    vendor = forge(made.issuer, subject=named("Receiver")).save(tmp_path, "vendor")

    async def scenario():
        seen = []
        for files in (made.server, vendor):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*files)
            context.set_ciphers("ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0")
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            async with await asyncio.start_server(_closes, "127.0.0.1", 0, ssl=context) as server:
                try:
                    where = server.sockets[0].getsockname()
                    _, writer = await asyncio.open_connection(*where, ssl=outgoing)
                    seen.append("met")
                    writer.close()
                    await writer.wait_closed()
                except ssl.SSLCertVerificationError as refusal:
                    seen.append(str(refusal))
        return seen

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        met, refused = runner.run(scenario())
    assert met == "met"
    assert "the subject is not empty: CN=Receiver" in refused


async def _closes(_reader, writer):
    writer.close()
