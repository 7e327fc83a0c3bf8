import time
from datetime import UTC, datetime

import pytest

from certs.authority import Authority
from certs.errors import BadCertificate, BadFile
from certs.profile import Policy
from certs.trust import Trust
from tests.certs.forge import forge, named

SOON = datetime(2050, 1, 1, tzinfo=UTC)


@pytest.fixture
def trust(root, mica):
    return Trust([root.certificate, mica.certificate])


def test_a_peer_is_known_by_the_numbers_of_its_leaf(mica, trust):
    device = mica.issue_device("1")
    peer = trust.admit([device.certificate_der])
    assert (peer.lfdi, peer.sfdi, peer.anchor, peer.findings) == (device.lfdi, device.sfdi, "CN=Test root", ())


def test_a_path_is_found_through_what_the_peer_sent_in_any_order(root, mca, trust):
    mica = mca.issue_authority("Test MICA under MCA")
    device = mica.issue_device("1")
    sent = [device.certificate_der, mca.certificate_der, root.certificate_der, mica.certificate_der]
    assert trust.path(sent) == [identity.certificate for identity in (device, mica, mca, root)]
    with pytest.raises(BadCertificate, match="does not lead"):
        trust.path(sent[:2])


def test_a_peer_does_not_bring_its_own_root(trust, stranger):
    device = stranger.issue_device("1")
    with pytest.raises(BadCertificate, match="does not lead"):
        trust.admit([device.certificate_der, stranger.certificate_der])


def test_the_right_one_of_two_cas_with_the_same_name_is_found(root, mica):
    namesake = root.issue_authority("Test issuing CA")
    trust = Trust([root.certificate, namesake.certificate, mica.certificate])
    for issuer in (mica, namesake):
        assert trust.path([issuer.issue_device("1").certificate_der])[1] == issuer.certificate


def test_a_circle_of_cas_leads_nowhere(trust):
    one, two = (forge(None, as_ca=True, subject=named(name)) for name in ("One", "Two"))
    one_by_two = forge(two, as_ca=True, subject=named("One"), key=one.key)
    two_by_one = forge(one, as_ca=True, subject=named("Two"), key=two.key)
    device = one_by_two.issue_device("1")
    with pytest.raises(BadCertificate, match="does not lead"):
        trust.admit([identity.certificate_der for identity in (device, one_by_two, two_by_one)])


def test_a_peer_is_looked_at_again_when_its_certificate_has_run_out(mica, trust):
    device = mica.issue_device("1", not_after=SOON)
    peer = trust.admit([device.certificate_der])
    assert peer.expires == SOON.timestamp()
    assert trust.admit([device.certificate_der], now=SOON.timestamp() - 1) is peer
    with pytest.raises(BadCertificate, match="expired"):
        trust.admit([device.certificate_der], now=SOON.timestamp() + 1)


def test_a_ca_that_runs_out_takes_its_devices_along(root):
    ca = root.issue_authority("Short-lived CA", not_after=SOON)
    trust = Trust([root.certificate, ca.certificate])
    assert trust.admit([ca.issue_device("1").certificate_der]).expires == SOON.timestamp()


def test_certificates_for_tests_can_be_kept_out(root, mica):
    production = Trust([root.certificate, mica.certificate], tests=False)
    trial = mica.issue_device("1", purposes=[Policy.TEST])
    with pytest.raises(BadCertificate, match="it is for tests"):
        production.admit([trial.certificate_der])
    assert production.admit([mica.issue_device("1").certificate_der])


def test_a_peer_without_a_certificate_is_refused(trust):
    with pytest.raises(BadCertificate):
        trust.admit([])


def test_trust_is_read_from_files(root, mica, tmp_path):
    files = [identity.save(tmp_path, name).chain for name, identity in (("root", root), ("ca", mica))]
    other = Authority.create("Vendor root")
    lenient = other.save(tmp_path, "vendor").chain
    trust = Trust.read(files, [lenient])
    assert trust.pem_at(time.time()).count("BEGIN CERTIFICATE") == 3
    assert trust.admit([mica.issue_device("1").certificate_der]).anchor == "CN=Test root"
    assert trust.admit([forge(other, usage=None).certificate_der]).anchor == "CN=Vendor root"
    with pytest.raises(BadFile, match="missing"):
        Trust.read([tmp_path / "missing.pem"])
    with pytest.raises(BadFile, match="no root"):
        Trust.read([])
