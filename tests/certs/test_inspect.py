from cryptography.hazmat.primitives.asymmetric import rsa

from certs import inspect
from certs.strictness import Strictness
from tests.certs.forge import forge, named, unknown


def test_a_chain_is_explained_certificate_by_certificate(mica, tmp_path):
    device = mica.issue_device("A-17", pen=37250)
    first, second = inspect.read(device.save(tmp_path, "device").chain)
    assert (first.kind, first.lfdi, first.sfdi) == ("device", device.lfdi, device.sfdi)
    assert (first.product, first.serial, first.policies) == ("1.3.6.1.4.1.37250.1", "A-17", ("generic device",))
    assert (first.subject, first.issuer, first.not_after) == ("", "CN=Test issuing CA", "9999-12-31T23:59:59+00:00")
    assert (first.key, first.signature) == ("secp256r1", "ecdsa-with-SHA256")
    assert (second.kind, second.subject, second.findings) == ("authority", "CN=Test issuing CA", ())


def test_der_files_are_read_too(root, tmp_path):
    file = tmp_path / "root.der"
    file.write_bytes(root.certificate_der)
    (report,) = inspect.read(file)
    assert (report.kind, report.issuer) == ("root", "CN=Test root")


def test_a_server_is_known_by_its_hosts(mica):
    report = inspect.report(mica.issue_server(["utility.example", "::1"]).certificate)
    assert (report.kind, report.hosts) == ("server", ("utility.example", "::1"))


def test_findings_say_how_a_certificate_would_fare(mica):
    vendor = inspect.report(forge(mica, subject=named("Inverter")).certificate)
    assert (vendor.refused(Strictness.STRICT), vendor.refused(Strictness.LENIENT)) == (True, False)
    assert vendor.as_json()["findings"] == [{"gravity": "form", "text": "the subject is not empty: CN=Inverter"}]
    assert vendor.as_json()["accepted"] == {"strict": False, "lenient": True}

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    wrong = inspect.report(forge(mica, key=key).certificate)
    assert (wrong.key, wrong.refused(Strictness.LENIENT)) == ("RSA 2048", True)


def test_what_can_not_be_read_is_a_finding(mica):
    report = inspect.report(forge(mica, names=(unknown("2.5.29.17"), True)).certificate)
    assert (report.kind, report.serial) == ("device", "")
    assert any("can not be read" in finding.text for finding in report.findings)
