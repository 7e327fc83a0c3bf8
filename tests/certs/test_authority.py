import stat
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID as Oid

from certs.authority import Authority
from certs.check import check_chain
from certs.errors import AlreadyThere, BadFile
from certs.hardware import HardwareModule
from certs.identifiers import lfdi_of, sfdi_of
from certs.identity import Files, Identity
from certs.profile import Policy


def criticality(identity):
    return {extension.oid: extension.critical for extension in identity.certificate.extensions}


def test_a_device_certificate_has_the_form_of_the_standard(mica):
    device = mica.issue_device("A-17")
    assert criticality(device) == {
        Oid.AUTHORITY_KEY_IDENTIFIER: False,
        Oid.KEY_USAGE: True,
        Oid.CERTIFICATE_POLICIES: True,
        Oid.SUBJECT_ALTERNATIVE_NAME: True,
    }
    certificate = device.certificate
    assert not list(certificate.subject)
    assert certificate.not_valid_after_utc == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert certificate.signature_algorithm_oid.dotted_string == "1.2.840.10045.4.3.2"
    (name,) = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert HardwareModule.decode(name.value) == ("1.3.6.1.4.1.32473.1", b"A-17")


def test_a_ca_certificate_has_the_form_of_the_standard(root, mica):
    expected = {Oid.BASIC_CONSTRAINTS: True, Oid.KEY_USAGE: True, Oid.CERTIFICATE_POLICIES: True}
    assert criticality(root) == expected | {Oid.SUBJECT_KEY_IDENTIFIER: False}
    assert criticality(mica) == criticality(root) | {Oid.AUTHORITY_KEY_IDENTIFIER: False}
    key_id = mica.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert len(key_id) == 8
    assert key_id[0] >> 4 == 4
    whole = x509.SubjectKeyIdentifier.from_public_key(mica.key.public_key()).digest
    assert key_id[1:] == whole[-7:]


def test_a_server_certificate_is_one_that_epri_clients_accept(mica):
    server = mica.issue_server(["utility.example", "10.1.2.3"])
    names = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert names.value.get_values_for_type(x509.DNSName) == ["utility.example"]
    assert [str(address) for address in names.value.get_values_for_type(x509.IPAddress)] == ["10.1.2.3"]
    critical_ones = {oid for oid, critical in criticality(server).items() if critical}
    assert critical_ones <= {Oid.KEY_USAGE, Oid.CERTIFICATE_POLICIES, Oid.SUBJECT_ALTERNATIVE_NAME}


def test_what_we_issue_passes_our_own_strict_check(root, mca, mica):
    under_mca = mca.issue_authority("Test MICA under MCA")
    for chain in (
        (root.issue_device("2"), root),
        (mica.issue_device("3"), mica, root),
        (under_mca.issue_aggregator("4"), under_mca, mca, root),
        (mica.issue_server(), mica, root),
    ):
        found = check_chain([identity.certificate_der for identity in chain])
        assert {finding.text for finding in found} <= {"subjectAltName holds other names too, as a server's does"}


def test_an_aggregator_is_a_device_that_provides_a_service(mica):
    found = mica.issue_aggregator("acme").certificate.extensions.get_extension_for_class(x509.CertificatePolicies)
    asserted = [policy.policy_identifier.dotted_string for policy in found.value]
    assert asserted == [Policy.GENERIC_DEVICE, Policy.SERVICE_PROVIDER]


def test_the_numbers_come_from_the_whole_certificate(mica):
    device = mica.issue_device("A-17")
    assert device.lfdi == lfdi_of(device.certificate_der)
    assert device.sfdi == sfdi_of(device.lfdi)
    assert device.lfdi != mica.issue_device("A-17").lfdi


def test_a_chain_leaves_out_the_root(root, mca):
    mica = mca.issue_authority("Test MICA under MCA")
    chain = x509.load_pem_x509_certificates(mica.issue_device("A-17").chain_pem)
    assert chain[1:] == [mica.certificate, mca.certificate]
    assert root.issue_device("A-17").chain_pem.count(b"BEGIN CERTIFICATE") == 1


def test_a_saved_identity_is_the_same_when_loaded(mica, tmp_path):
    device = mica.issue_device("A-17")
    files = device.save(tmp_path, "a-17")
    assert files == Files.named(tmp_path, "a-17")
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    loaded = Identity.load(files)
    assert (loaded.lfdi, loaded.chain_pem, loaded.key_pem) == (device.lfdi, device.chain_pem, device.key_pem)


def test_a_loaded_authority_goes_on_issuing(root, mica, tmp_path):
    loaded = Authority.load(mica.save(tmp_path, "ca"))
    device = loaded.issue_device("A-17")
    check_chain([device.certificate_der, mica.certificate_der, root.certificate_der])


def test_files_that_are_there_stay_unless_told(mica, tmp_path):
    first, second = mica.issue_device("1"), mica.issue_device("2")
    files = first.save(tmp_path, "device")
    with pytest.raises(AlreadyThere):
        second.save(tmp_path, "device")
    assert Identity.load(files).lfdi == first.lfdi
    second.save(tmp_path, "device", replace=True)
    assert Identity.load(files).lfdi == second.lfdi
    assert sorted(file.name for file in tmp_path.iterdir()) == ["device.key", "device.pem"]


@pytest.mark.parametrize("break_it", ["other key", "no key", "no certificate", "not a certificate"])
def test_files_that_do_not_belong_together_are_refused(mica, tmp_path, break_it):
    files = mica.issue_device("1").save(tmp_path, "device")
    match break_it:
        case "other key":
            files.key.write_bytes(mica.key_pem)
        case "no key":
            files.key.unlink()
        case "no certificate":
            files.chain.unlink()
        case "not a certificate":
            files.chain.write_bytes(b"-----BEGIN nothing")
    with pytest.raises(BadFile):
        Identity.load(files)
