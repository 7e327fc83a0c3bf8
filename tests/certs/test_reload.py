"""A server that runs takes over a renewed certificate when it is told to (SIGHUP), and keeps its connections."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from certs.identity import Identity
from certs.pki import open_pki
from certs.tls import client_context, peer_chain
from tests.ports import free_ports

SEP2 = "from sep2.cli import main; main()"
REQUEST = b"GET /dcap HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def folder(tmp_path):
    ports = [str(port) for port in free_ports(2)]
    command = [
        sys.executable,
        "-c",
        SEP2,
        "init",
        tmp_path / "utility",
        "--port",
        ports[0],
        "--operator-port",
        ports[1],
    ]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path / "utility", int(ports[0])


def test_the_server_reads_its_certificate_again(folder):
    folder, port = folder
    pki = open_pki(folder / "pki")
    client = client_context(pki.save(pki.issuer.issue_device("1"), "client"), pki.trust())
    before = Identity.load(pki.server).certificate_der
    renewed = pki.issuer.issue_server()
    command = [sys.executable, "-u", "-c", SEP2, "serve", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert b"Serving" in process.stdout.readline()
            with _connected(client, port) as old:
                assert peer_chain(old)[0] == before
                renewed.save(pki.folder, "server", replace=True)
                os.kill(process.pid, signal.SIGHUP)
                _wait_for(process.stderr, b"read again")
                with _connected(client, port) as new:
                    assert peer_chain(new)[0] == renewed.certificate_der
                old.sendall(REQUEST)
                assert old.recv(100).startswith(b"HTTP/1.1 ")
        finally:
            process.terminate()
            process.communicate(timeout=120)


def _connected(context, port):
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20))


def _wait_for(stream, words):
    while words not in (line := stream.readline()):
        assert line, "the server ended"
