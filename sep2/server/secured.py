"""A connection after its TLS handshake, as a transport that runs alike on asyncio's loop and on uvloop.

Both have one of their own, and both drop the alert of a handshake that fails: `sep2.server.handshake` does the
handshake, and hands over here. OpenSSL works on two buffers in memory, between the socket and the application.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from typing import Any, cast

CHUNK = 16_384
"""What one TLS record holds at most (RFC 5246 6.2.1)."""
CLOSING_S = 30
"""How long the peer may take to read the rest and to close its side."""
MOST_ALERTS = 10
"""Warnings that one peer may cause, each by asking for a renegotiation, which is refused."""


class Buffers:
    """OpenSSL's side of one connection, and what it reads from and writes into."""

    __slots__ = ("incoming", "outgoing", "tls")

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)


class Secured(asyncio.Transport, asyncio.Protocol):
    """The protocol of the socket's transport, and the transport of the application's protocol."""

    __slots__ = ("_alerts", "_app", "_closing", "_incoming", "_loop", "_outgoing", "_raw", "_reading", "_timer", "_tls")

    def __init__(self, raw: asyncio.Transport, buffers: Buffers, app: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._raw = raw
        self._app = app
        self._tls, self._incoming, self._outgoing = buffers.tls, buffers.incoming, buffers.outgoing
        self._reading, self._closing = True, False
        self._alerts = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, with what came right behind the handshake."""
        self._raw.set_protocol(self)
        self._app.connection_made(self)
        self._read()

    # What the socket's transport calls.

    def data_received(self, data: bytes) -> None:
        """Decrypt what came; after the end nobody reads it."""
        if self._closing:
            return
        self._incoming.write(data)
        self._read()

    def eof_received(self) -> None:
        """The peer closed its side: the socket's transport sends what waits, and ends."""

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell the application that it is over."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._closing:
            # OpenSSL forgets the session of a connection that did not end well, and after an outage of the network
            # everybody comes back at once: resuming costs far less than a handshake.
            self._end_tls()
        self._closing = True
        if isinstance(exc, OSError) and not isinstance(exc, ConnectionError):
            # Whatever the socket calls it (not connected, timed out, no route), to the application the peer is gone.
            exc = ConnectionResetError(*exc.args)
        self._app.connection_lost(cast(Exception | None, exc))

    def pause_writing(self) -> None:
        """The peer reads too slowly."""
        self._app.pause_writing()

    def resume_writing(self) -> None:
        """The peer has read."""
        self._app.resume_writing()

    # What the application calls.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send; what is written after the end is dropped."""
        if self._closing or not data:
            return
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        self._raw.write(self._outgoing.read())

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Encrypt and send several pieces as one."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Send what waits and the end; the connection is over when the peer has closed its side, or takes too long."""
        if self._closing:
            return
        self._closing = True
        self._end_tls()
        self._flush()
        with contextlib.suppress(OSError, RuntimeError, NotImplementedError):
            # A full close while octets of the peer wait to be read would reset what the peer has yet to read.
            self._raw.write_eof()
        if not self._reading:
            self._resume_socket()
        self._timer = self._loop.call_later(CLOSING_S, self._raw.abort)

    def abort(self) -> None:
        """End at once; what waits is lost."""
        self._closing = True
        self._raw.abort()

    def is_closing(self) -> bool:
        """Whether nothing more will be sent."""
        return self._closing or self._raw.is_closing()

    def pause_reading(self) -> None:
        """Take nothing from the socket for now."""
        if self._reading and not self._closing:
            self._reading = False
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read on, first what was taken from the socket already."""
        if not self._reading and not self._closing:
            self._reading = True
            self._resume_socket()
            self._loop.call_soon(self._read)

    def is_reading(self) -> bool:
        """Whether the application takes data."""
        return self._reading and not self.is_closing()

    def can_write_eof(self) -> bool:
        """TLS 1.2 knows no half-closed connections."""
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When `pause_writing` and `resume_writing` are called, in octets that wait for the socket."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Octets that wait for the socket."""
        return self._raw.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`ssl_object` and `sslcontext`, or what the socket's transport knows."""
        if name == "ssl_object":
            return self._tls
        if name == "sslcontext":
            return self._tls.context
        return self._raw.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The application's protocol."""
        return self._app

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol told of what comes."""
        self._app = cast(asyncio.Protocol, protocol)

    def _read(self) -> None:
        while self._reading and not self._closing and self._incoming.pending:
            try:
                clear = self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError:  # not the octets that were sent; OpenSSL has made an alert of it
                self._flush()
                self._raw.close()
                break
            if clear:
                self._app.data_received(clear)
            else:  # the peer's close_notify
                self._app.eof_received()
                self.close()
        if self._outgoing.pending:
            self._warn()

    def _warn(self) -> None:
        """Send what OpenSSL says by itself, while it is little: a peer that does not read could fill the memory."""
        self._alerts += 1
        if self._alerts > MOST_ALERTS:
            self.abort()
        else:
            self._flush()

    def _end_tls(self) -> None:
        with contextlib.suppress(ssl.SSLError):  # it would wait for the peer's own close_notify
            self._tls.unwrap()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._raw.write(self._outgoing.read())

    def _resume_socket(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is closing
            self._raw.resume_reading()
