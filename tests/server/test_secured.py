"""The transport of a connection after its handshake, alike on asyncio's loop and on uvloop."""

import asyncio
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvloop

from sep2.server.handshake import Door
from sep2.server.tls import Tls
from tests.raw import context
from tests.server.world import settings

MUCH = 2_000_000


class Echo(asyncio.Protocol):
    """Sends back what it gets; it pauses its reading now and then, and while its peer does not read."""

    def __init__(self) -> None:
        self.got = 0
        self.pauses = self.waits = 0
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        # So that the system keeps little between the two.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)

    def data_received(self, data):
        self.got += len(data)
        self.transport.writelines([data[:10], data[10:]])
        if self.got // 100_000 > self.pauses:
            self.pauses += 1
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(0.001, self.transport.resume_reading)
        if data.endswith(b"bye"):
            self.transport.close()

    def pause_writing(self):
        self.waits += 1

    def resume_writing(self):
        pass

    def connection_lost(self, exc):
        self.lost.set_result(exc)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request, people):
    """Runs a client, a function of a plain socket's TLS, in a thread against an Echo; both of them come back."""

    def run(client):
        async def scenario():
            made = []

            def serve():
                made.append(Echo())
                return made[-1]

            door = Door(serve, Tls(settings(people, "sqlite:///none")))
            loop = asyncio.get_running_loop()
            server = await loop.create_server(door, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            with ThreadPoolExecutor(1) as thread:
                said = await loop.run_in_executor(thread, connected, port)
            server.close()
            await server.wait_closed()
            lost = await asyncio.wait_for(made[0].lost, 120)
            assert not door.open
            return said, made[0], lost

        def connected(port):
            tls = context(people.pki.folder / "root.pem", people.files("roof"))
            with socket.socket() as plain:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
                plain.settimeout(20)
                plain.connect(("127.0.0.1", port))
                with tls.wrap_socket(plain, suppress_ragged_eofs=False) as peer:
                    return client(peer)

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(scenario())

    return run


def test_much_comes_back_as_it_was_sent_however_slowly_it_is_read(play):
    sent = os.urandom(MUCH) + b"bye"

    def client(peer):
        peer.sendall(sent)
        got = b""
        while more := peer.recv(50_000):
            got += more
        return got

    got, echo, lost = play(client)
    assert got == sent
    assert echo.pauses > 10
    assert echo.waits > 0
    assert lost is None


def test_the_end_is_said_by_tls_and_not_only_by_tcp(play):
    def client(peer):
        peer.sendall(b"bye")
        return peer.recv(100), peer.recv(100)  # an end of TCP alone would raise here

    assert play(client)[0] == (b"bye", b"")


def test_the_peers_end_is_answered(play):
    def client(peer):
        peer.sendall(b"hello")
        assert peer.recv(100) == b"hello"
        plain = peer.unwrap()  # waits for the close_notify of the server
        return plain.recv(100)

    said, _, lost = play(client)
    assert said == b""
    assert lost is None


def test_a_spoiled_record_ends_the_connection_by_an_alert(play):
    def client(peer):
        socket.socket.send(peer, b"\x17\x03\x03\x00\x20" + b"x" * 32)
        try:
            return peer.recv(100)
        except ssl.SSLError as problem:
            return problem.reason

    assert "ALERT" in play(client)[0]
