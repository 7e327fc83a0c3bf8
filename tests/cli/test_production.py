"""What a utility's own machine must not have: files that others read, and the keys of its authority."""

import os
import shutil
import signal
import stat
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from certs import Strictness
from certs.identity import Files
from certs.inspect import read as read_certificate
from certs.pki import create
from certs.tls import client_context
from certs.trust import Trust
from sep2.settings import read
from tests.cli.conftest import say, serving
from tests.ports import free_ports
from tests.server.opening import knock


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for trying out."""
    made = tmp_path / "utility"
    port, operator_port = free_ports(2)
    done = say("init", str(made), "--port", str(port), "--operator-port", str(operator_port))
    assert done.status == 0, done.err
    return made


def test_files_that_others_could_read_are_tightened_at_the_start_with_a_line_each(folder: Path) -> None:
    loose = [folder / name for name in ("sep2.toml", "sep2.db", "operator.token", "pki/server.key")]
    for file in loose:
        file.chmod(0o644)
    with serving(folder):
        assert [mode(file) for file in loose] == [0o600] * 4
        beside = [folder / f"sep2.db{end}" for end in ("-wal", "-shm")]
        assert [mode(file) for file in beside] == [0o600] * 2
    said = (folder / "serve.log").read_text()
    for file in loose:
        assert said.count(f"{file} had mode 0644; it has 0600 now, for its owner only") == 1
    with serving(folder):
        pass
    assert (folder / "serve.log").read_text().count("had mode") == 4


def test_a_database_is_private_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert say("init", str(tmp_path / "u")).status == 0
    finally:
        os.umask(before)
    assert [mode(tmp_path / "u" / name) for name in ("sep2.toml", "sep2.db")] == [0o600] * 2


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """Where certificates are issued: another machine."""
    create(tmp_path / "authority", name="Utility", purposes=())
    return tmp_path / "authority"


@pytest.fixture
def served(tmp_path: Path, authority: Path) -> Path:
    """A folder in production, with a certificate that was issued elsewhere."""
    made = tmp_path / "production"
    port, operator_port = free_ports(2)
    words = ("--production", "--pen", "4711", "--port", str(port), "--operator-port", str(operator_port))
    done = say("init", str(made), *words)
    assert done.status == 0, done.err
    assert "sep2 certs issue --as server --request server.csr" in done.last_line
    assert sorted(file.name for file in (made / "pki").iterdir()) == ["server.csr", "server.key"]
    shutil.copy(made / "pki" / "server.csr", authority)
    request = ("--request", str(authority / "server.csr"), "--authority", str(authority), "--production")
    refused = say("certs", "issue", *request)
    assert (refused.status, "--as server" in refused.err) == (1, True)
    assert say("certs", "issue", "--as", "server", "--out", str(authority / "new.pem"), *request).status == 0
    shutil.copy(authority / "new.pem", made / "pki" / "server.pem")
    for name in ("root.pem", "ca.pem"):
        shutil.copy(authority / name, made / "pki")
    return made


def test_in_production_the_key_stays_and_only_a_request_travels(served: Path, authority: Path) -> None:
    certificate, *_ = read_certificate(served / "pki" / "server.pem")
    assert certificate.kind == "server"
    assert not certificate.refused(Strictness.STRICT)
    assert "4711" in certificate.product
    made = say("certs", "request", str(served / "device"), "A-17", "--pen", "4711", "--json").json
    assert mode(Path(made["key"])) == 0o600
    words = ("--request", made["request"], "--authority", str(authority), "--production")
    issued = say("certs", "issue", *words, "--json").json
    assert issued["serial"] == "A-17"
    assert say("certs", "issue", *words).status == 1  # what is there is not overwritten
    files = Path(issued["certificate"]), Path(made["key"])
    with serving(served):
        tls = client_context(Files(*files), Trust.read([authority / "root.pem", authority / "ca.pem"]))
        assert knock(read(served).listen.port, tls).done


def encrypted(key: Path) -> bytes:
    loaded = load_pem_private_key(key.read_bytes(), password=None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def of_der(key: Path) -> bytes:
    loaded = load_pem_private_key(key.read_bytes(), password=None)
    return loaded.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ca.key", Path.read_bytes),
        ("of-the-root.txt", lambda key: (key.parent / "root.key").read_bytes()),
        ("both.pem", lambda key: (key.parent / "ca.pem").read_bytes() + key.read_bytes()),
        ("ca.key", encrypted),
        ("other.der", of_der),
    ],
)
def test_in_production_a_key_of_the_authority_beside_the_servers_is_refused(served, authority, name, content) -> None:
    file = served / "pki" / name
    file.write_bytes(content(authority / "ca.key"))
    done = say("serve", str(served))
    assert done.status == 1
    assert done.err.startswith(f"Error: The settings can not be used: {file}: the private key of a CA")
    assert "sep2 certs issue" in done.err


def test_a_key_of_the_authority_that_appears_later_is_refused_at_the_next_reading(served, authority) -> None:
    with serving(served) as process:
        shutil.copy(authority / "ca.key", served / "pki" / "forgotten.key")
        process.send_signal(signal.SIGHUP)
        for _ in range(2000):
            if "stay as they were" in (said := (served / "serve.log").read_text()):
                break
            time.sleep(0.02)
        assert "forgotten.key: the private key of a CA" in said


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pem: pem[:200],
        lambda pem: b"nothing",
        lambda pem: pem.replace(pem[100:104], b"AAAA"),
    ],
)
def test_what_is_no_request_is_refused(tmp_path, authority, spoil) -> None:
    made = say("certs", "request", str(tmp_path), "A-17", "--json").json
    file = Path(made["request"])
    file.write_bytes(spoil(file.read_bytes()))
    done = say("certs", "issue", "--request", str(file), "--authority", str(authority))
    assert done.status == 1
    assert not file.with_suffix(".pem").exists()
